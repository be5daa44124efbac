//! A queue that mostly holds one thing: the first needs no memory of its own.

use std::collections::VecDeque;

use super::room::{Boxed, NoRoom, boxed};

/// See the module's documentation.
#[derive(Debug)]
pub struct Fifo<T> {
    first: Option<T>,
    /// Behind a pointer: thousands of idle connections have a queue each.
    rest: Option<Boxed<VecDeque<T>>>,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo {
            first: None,
            rest: None,
        }
    }
}

impl<T> Fifo<T> {
    /// Makes room for so many more, which `push` and `append` then need no memory for.
    ///
    /// # Errors
    /// There is none.
    pub fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        let more = more.saturating_sub(usize::from(self.first.is_none()));
        if more == 0 {
            return Ok(());
        }
        let rest = match &mut self.rest {
            Some(rest) => rest,
            rest => rest.insert(boxed(VecDeque::new())?),
        };
        Ok(rest.try_reserve(more)?)
    }

    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.rest().push_back(item),
        }
    }

    /// Takes out the first one. With the last one goes the memory: thousands of
    /// idle connections would each keep theirs.
    pub fn pop(&mut self) -> Option<T> {
        let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
        if next.is_none() {
            self.rest = None;
        }
        std::mem::replace(&mut self.first, next)
    }

    /// The first one.
    pub fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// Whether there is more than the first one.
    pub fn has_more(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.is_empty())
    }

    /// Adds everything of another queue at the end.
    pub fn append(&mut self, mut later: Fifo<T>) {
        if self.first.is_none() {
            *self = later;
        } else if let Some(first) = later.first.take() {
            let rest = self.rest();
            rest.push_back(first);
            if let Some(mut later) = later.rest {
                rest.append(&mut later);
            }
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        self.first.iter().chain(rest)
    }

    fn rest(&mut self) -> &mut VecDeque<T> {
        self.rest.get_or_insert_default()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::{Fifo, NoRoom};

    #[test]
    fn room_is_made_for_all_but_the_first() {
        let mut fifo = Fifo::default();
        fifo.make_room(1).unwrap();
        assert!(fifo.rest.is_none());
        fifo.make_room(5).unwrap();
        let room = |fifo: &Fifo<u8>| fifo.rest.as_ref().map(|rest| rest.capacity());
        let made = room(&fifo);
        assert!(made >= Some(4));
        (0..5).for_each(|number| fifo.push(number));
        assert_eq!((room(&fifo), fifo.len()), (made, 5));
        assert_eq!(fifo.make_room(usize::MAX), Err(NoRoom));
        assert!(fifo.iter().copied().eq(0..5));
    }

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
        assert!(fifo.rest.is_none());
        fifo.append(Fifo::default());
        fifo.push(7);
        assert_eq!((fifo.pop(), fifo.pop()), (Some(7), None));
    }
}
