//! What a thread receives, sends and accepts by the calls of this crate.
//!
//! Who makes those calls doesn't know a loop, and a loop doesn't know who makes them: what
//! its thread has done in a turn is the difference of two looks at these numbers.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a thread has done so far; the numbers wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that were received.
    pub received: u64,
    /// Bytes that were sent.
    pub sent: u64,
    /// Connections that were accepted.
    pub accepted: u64,
}

/// Whether anybody asks: a thread's own data aren't looked up for nobody.
static COUNTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    static TRAFFIC: Cell<Traffic> = const {
        Cell::new(Traffic { received: 0, sent: 0, accepted: 0 })
    };
}

impl Traffic {
    /// This thread's numbers.
    #[must_use]
    pub fn of_thread() -> Traffic {
        TRAFFIC.get()
    }

    /// What has come since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            received: self.received.wrapping_sub(earlier.received),
            sent: self.sent.wrapping_sub(earlier.sent),
            accepted: self.accepted.wrapping_sub(earlier.accepted),
        }
    }
}

/// Counts from now on, in every thread.
pub fn count_traffic() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// Counts what a call has received.
#[inline]
pub(super) fn received(outcome: io::Result<usize>) -> io::Result<usize> {
    if let Ok(bytes) = outcome {
        note(|traffic| traffic.received = traffic.received.wrapping_add(bytes as u64));
    }
    outcome
}

/// Counts what a call has sent.
#[inline]
pub(super) fn sent(outcome: io::Result<usize>) -> io::Result<usize> {
    if let Ok(bytes) = outcome {
        note(|traffic| traffic.sent = traffic.sent.wrapping_add(bytes as u64));
    }
    outcome
}

/// Counts a connection that was accepted.
#[inline]
pub(super) fn accepted() {
    note(|traffic| traffic.accepted = traffic.accepted.wrapping_add(1));
}

#[inline]
fn note(change: impl FnOnce(&mut Traffic)) {
    if COUNTS.load(Ordering::Relaxed) {
        let mut traffic = TRAFFIC.get();
        change(&mut traffic);
        TRAFFIC.set(traffic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own() {
        count_traffic();
        let before = Traffic::of_thread();
        assert_eq!(received(Ok(3)).ok(), Some(3));
        assert!(received(Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert_eq!(sent(Ok(5)).ok(), Some(5));
        accepted();
        let other = std::thread::spawn(|| {
            accepted();
            Traffic::of_thread()
        });
        let wanted = Traffic {
            received: 0,
            sent: 0,
            accepted: 1,
        };
        assert_eq!(other.join().ok(), Some(wanted));
        let since = Traffic::of_thread().since(before);
        let wanted = Traffic {
            received: 3,
            sent: 5,
            accepted: 1,
        };
        assert_eq!(since, wanted);
    }

    #[test]
    fn they_wrap_around() {
        let early = Traffic {
            received: u64::MAX,
            ..Traffic::default()
        };
        assert_eq!(Traffic::default().since(early).received, 1);
    }
}
