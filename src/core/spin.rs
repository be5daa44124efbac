//! What comes before a blocking wait: a poll that doesn't block, with the GIL kept, and
//! adaptive busy-polling (spinning) with the GIL released.
//!
//! Going to sleep and being woken takes longer than many an answer. Both are tried only
//! as long as they prove right, so that a loop which mostly has to wait doesn't pay for
//! them.

use std::time::Duration;

/// How long to spin: about as long as going to sleep and being woken takes, so that doing
/// it in vain at most doubles that.
pub const SPIN: Duration = Duration::from_micros(40);

/// A wait that was over so soon could have been spun through, or nearly; being woken is a
/// part of it.
const SOON: Duration = Duration::from_micros(150);

/// The greatest back-off: one chance in 128 is taken then.
const MAX_BACKOFF: u32 = 7;

/// How many polls in a row may find nothing before they become rare.
const MISSES: u32 = 8;

/// Whether to poll without blocking before a wait.
#[derive(Debug, Default)]
pub struct EagerPoll {
    /// How often in a row there was nothing.
    misses: u32,
}

impl EagerPoll {
    /// Whether to poll now. After some misses it is tried now and then only: a loop that
    /// always has to wait for the next thing shouldn't ask twice.
    pub fn is_due(&mut self) -> bool {
        if self.misses < MISSES {
            return true;
        }
        self.misses = self.misses.wrapping_add(1);
        self.misses.is_multiple_of(MISSES)
    }

    /// Notes whether there was something.
    pub fn note(&mut self, found: bool) {
        self.misses = if found {
            0
        } else {
            self.misses.wrapping_add(1)
        };
    }
}

/// Whether to spin before a wait.
#[derive(Debug, Default)]
pub struct Spin {
    /// Whether the last wait was over soon.
    soon: bool,
    /// Grows when spinning was in vain, by twice as much as it falls when it was not.
    backoff: u32,
    /// How many chances are let pass yet.
    skips: u32,
}

impl Spin {
    /// Whether to spin in this wait.
    pub fn is_due(&mut self) -> bool {
        if !self.soon {
            return false;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return false;
        }
        true
    }

    /// Notes whether something came.
    pub fn note(&mut self, found: bool) {
        self.backoff = if found {
            self.backoff.saturating_sub(1)
        } else {
            (self.backoff + 2).min(MAX_BACKOFF)
        };
        self.skips = (1 << self.backoff) - 1;
    }

    /// Notes how long the whole wait took.
    pub fn waited(&mut self, time: Duration) {
        self.soon = time <= SOON;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_in_vain_becomes_rare_until_it_finds_something() {
        let mut eager = EagerPoll::default();
        let polls = |eager: &mut EagerPoll, found| {
            let due = (0..64).filter(|_| {
                let due = eager.is_due();
                if due {
                    eager.note(found);
                }
                due
            });
            due.count()
        };
        assert_eq!(polls(&mut eager, true), 64);
        let rare = polls(&mut eager, false);
        assert!((9..24).contains(&rare), "{rare}");
        while !eager.is_due() {}
        eager.note(true);
        assert!(eager.is_due());
    }

    #[test]
    fn only_a_short_wait_is_a_reason_to_spin() {
        let mut spin = Spin::default();
        assert!(!spin.is_due());
        spin.waited(SOON);
        assert!(spin.is_due());
        spin.note(true);
        assert!(spin.is_due());
        spin.waited(Duration::from_secs(1));
        assert!(!spin.is_due());
    }

    #[test]
    fn spinning_in_vain_becomes_rare_until_something_comes() {
        let mut spin = Spin::default();
        spin.waited(Duration::ZERO);
        let mut tries = 0;
        for _ in 0..1_000 {
            if spin.is_due() {
                spin.note(false);
                tries += 1;
            }
        }
        assert!((8..16).contains(&tries), "{tries}");
        for _ in 0..MAX_BACKOFF {
            while !spin.is_due() {}
            spin.note(true);
        }
        assert!(spin.is_due());
    }
}
