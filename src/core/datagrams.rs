//! How many datagrams are read at once.
//!
//! A loop that reads one datagram, polls, and reads the next spends a good part of its time
//! in the poll. But what a datagram's receiver has scheduled comes before the next
//! datagram, timers must not wait long, and no socket may starve the others.

use std::time::Duration;

use super::clock::Deadline;

/// How many at most.
const COUNT: u32 = 32;

/// No more are read after so long: then a poll is a small part of the time.
const LONG: Duration = Duration::from_micros(100);

/// Datagrams that are read one after the other, without a poll.
#[derive(Debug)]
pub struct Batch {
    started: Option<Deadline>,
    count: u32,
}

impl Batch {
    /// One that has just begun: nothing is read yet.
    #[must_use]
    pub fn new() -> Batch {
        Batch {
            started: None,
            count: 0,
        }
    }

    /// Whether another one may be read after this one, if nothing else is to be done.
    pub fn goes_on(&mut self, now: Deadline) -> bool {
        self.count += 1;
        let started = *self.started.get_or_insert(now);
        self.count < COUNT && now.since(started) < LONG
    }
}

impl Default for Batch {
    fn default() -> Self {
        Batch::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_so_many_datagrams() {
        let now = Deadline::now();
        let mut batch = Batch::new();
        let more = std::iter::repeat_with(|| batch.goes_on(now)).take_while(|more| *more);
        assert_eq!(more.count(), COUNT as usize - 1);
    }

    #[test]
    fn a_batch_of_slow_receivers_is_short() {
        let now = Deadline::now();
        let mut batch = Batch::new();
        assert!(batch.goes_on(now));
        let Some(later) = now.plus_seconds(LONG.as_secs_f64()) else {
            unreachable!("so near a time is a deadline");
        };
        assert!(!batch.goes_on(later));
    }
}
