//! What comes before a wait: looking whether there is something already, and lingering
//! for a moment in case something comes.
//!
//! Going to sleep and being woken takes longer than many an answer. Both are tried only
//! as long as they prove right, so that a loop which mostly has to wait doesn't pay for
//! them.

use std::time::Duration;

/// How long to linger: about as long as going to sleep and being woken takes, so that doing it
/// in vain at most doubles that.
pub const LINGER: Duration = Duration::from_micros(40);

/// A wait that was over so soon could have been lingered through, or nearly; being woken
/// is a part of it.
const SOON: Duration = Duration::from_micros(150);

/// The greatest doubt: one chance in 128 is taken then.
const DOUBT: u32 = 7;

/// Whether to look before a wait.
#[derive(Debug, Default)]
pub struct Looking {
    /// How often in a row there was nothing.
    misses: u32,
}

impl Looking {
    /// Whether to look before waiting. After some misses it is tried now and then
    /// only: a loop that always has to wait for the next thing shouldn't ask twice.
    pub fn is_due(&mut self) -> bool {
        if self.misses < 8 {
            return true;
        }
        self.misses = self.misses.wrapping_add(1);
        self.misses.is_multiple_of(8)
    }

    /// Notes whether the look has found something.
    pub fn note(&mut self, found: bool) {
        self.misses = if found {
            0
        } else {
            self.misses.wrapping_add(1)
        };
    }
}

/// Whether to linger before a wait.
#[derive(Debug, Default)]
pub struct Lingering {
    /// Whether the last wait was over soon.
    soon: bool,
    /// Grows when it was in vain, by twice as much as it falls when it was not.
    doubt: u32,
    /// How many chances are let pass yet.
    skips: u32,
}

impl Lingering {
    /// Whether to linger in this wait.
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
        self.doubt = if found {
            self.doubt.saturating_sub(1)
        } else {
            (self.doubt + 2).min(DOUBT)
        };
        self.skips = (1 << self.doubt) - 1;
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
    fn looking_in_vain_becomes_rare_until_it_finds_something() {
        let mut looking = Looking::default();
        let looks = |looking: &mut Looking, found| {
            let due = (0..64).filter(|_| {
                let due = looking.is_due();
                if due {
                    looking.note(found);
                }
                due
            });
            due.count()
        };
        assert_eq!(looks(&mut looking, true), 64);
        let rare = looks(&mut looking, false);
        assert!((9..24).contains(&rare), "{rare}");
        while !looking.is_due() {}
        looking.note(true);
        assert!(looking.is_due());
    }

    #[test]
    fn only_a_short_wait_is_a_reason_to_linger() {
        let mut lingering = Lingering::default();
        assert!(!lingering.is_due());
        lingering.waited(SOON);
        assert!(lingering.is_due());
        lingering.note(true);
        assert!(lingering.is_due());
        lingering.waited(Duration::from_secs(1));
        assert!(!lingering.is_due());
    }

    #[test]
    fn lingering_in_vain_becomes_rare_until_something_comes() {
        let mut lingering = Lingering::default();
        lingering.waited(Duration::ZERO);
        let mut tries = 0;
        for _ in 0..1_000 {
            if lingering.is_due() {
                lingering.note(false);
                tries += 1;
            }
        }
        assert!((8..16).contains(&tries), "{tries}");
        for _ in 0..DOUBT {
            while !lingering.is_due() {}
            lingering.note(true);
        }
        assert!(lingering.is_due());
    }
}
