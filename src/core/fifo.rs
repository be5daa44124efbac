//! A queue that mostly holds one thing: the first needs no memory of its own.

use std::collections::VecDeque;

/// See the module's documentation.
#[derive(Debug)]
pub struct Fifo<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo {
            first: None,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Fifo<T> {
    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.push_back(item),
        }
    }

    /// Takes out the first one. With the last one goes the memory: thousands of
    /// idle connections would each keep theirs.
    pub fn pop(&mut self) -> Option<T> {
        let next = self.rest.pop_front();
        if next.is_none() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
        std::mem::replace(&mut self.first, next)
    }

    /// The first one.
    pub fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// Whether there is more than the first one.
    pub fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Adds everything of another queue at the end.
    pub fn append(&mut self, mut later: Fifo<T>) {
        if self.first.is_none() {
            *self = later;
        } else {
            self.rest.extend(later.first);
            self.rest.append(&mut later.rest);
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Fifo;

    #[test]
    fn first_in_first_out() {
        let mut fifo = Fifo::default();
        assert_eq!(
            (fifo.pop(), fifo.first(), fifo.has_more()),
            (None, None, false)
        );
        for number in 0..5 {
            fifo.push(number);
        }
        let mut later = Fifo::default();
        later.push(5);
        later.push(6);
        fifo.append(later);
        assert!(fifo.has_more());
        assert!(fifo.iter().copied().eq(0..7));
        let mut popped = Vec::new();
        while let Some(number) = fifo.pop() {
            popped.push(number);
        }
        assert_eq!(popped, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(fifo.rest.capacity(), 0);
        fifo.append(Fifo::default());
        fifo.push(7);
        assert_eq!((fifo.pop(), fifo.pop()), (Some(7), None));
    }
}
