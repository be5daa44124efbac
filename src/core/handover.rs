//! When a busy loop lets other threads have the lock that it holds all the time: the GIL.
//!
//! A loop that never waits would keep it until the interpreter takes it away, after five
//! milliseconds. To release it and take it back at once is no help: the thread that waits
//! for it is woken, but that takes longer than being back. So the loop releases it now and
//! then, and stays away for a moment if there is such a thread. It shows in how long the
//! release takes: a thread has to be woken, which needs a system call.
//!
//! What that moment is used for is found out too. A thread that has something short to do
//! (it hands over a result) is let in soon whenever it comes. One that computes keeps the
//! lock until it is taken away from it, five milliseconds later. So it gets its turns in a
//! longer rhythm, and a loop that serves descriptors leaves them to the interpreter, which
//! is asked by such a thread for its share: to that end a release is enough.

use std::time::Duration;

use super::clock::Deadline;

/// How long to hold the lock before it is released, in case somebody waits for it.
const RELEASE_EVERY: Duration = Duration::from_micros(50);

/// The same while some thread computes, for a loop with callbacks only.
const SHARE_EVERY: Duration = Duration::from_millis(2);

/// The same for a loop that serves descriptors: by then the thread has asked, and a
/// release makes the interpreter let it in.
const SERVE_FOR: Duration = Duration::from_millis(10);

/// A thread that keeps the lock longer than this computes.
const SHORT: Duration = Duration::from_millis(1);

/// How long to stay away: what it takes a thread to be woken.
pub const STAY_AWAY: Duration = Duration::from_micros(40);

/// No release that wakes a thread is expected to be as quick as this.
const QUICK: Duration = Duration::from_nanos(700);

/// Nor one that takes less than this many times the quickest one so far.
const SLOWER: u32 = 8;

/// When to stay away without a sign of a thread, in case there are no such signs on this
/// machine. A thread whose wait each release interrupts would never ask the interpreter.
const STAY_AWAY_EVERY: Duration = Duration::from_millis(20);

/// See the module's documentation.
#[derive(Debug)]
pub struct Handover {
    /// Since when the lock is held, but for releases that were of no use to anyone.
    since: Deadline,
    /// When other threads last had a real chance.
    stayed_away: Deadline,
    /// How long the quickest release took.
    quickest: Duration,
    /// Whether a thread that computes had the lock last.
    computing: bool,
}

impl Default for Handover {
    fn default() -> Self {
        let now = Deadline::now();
        Handover {
            since: now,
            stayed_away: now,
            // Until a release has shown it.
            quickest: Duration::MAX / SLOWER,
            computing: false,
        }
    }
}

impl Handover {
    /// Whether to release the lock now. `serves`: the loop has descriptors to serve.
    #[must_use]
    pub fn is_due(&self, now: Deadline, serves: bool) -> bool {
        let limit = match (self.computing, serves) {
            (false, _) => RELEASE_EVERY,
            (true, false) => SHARE_EVERY,
            (true, true) => SERVE_FOR,
        };
        now.since(self.since) >= limit
    }

    /// Notes a release, and how long it took. Whether to stay away for a moment: some
    /// thread waits, and has no chance otherwise.
    #[must_use = "a thread that was woken has no chance otherwise"]
    pub fn released(&mut self, now: Deadline, took: Duration, serves: bool) -> bool {
        self.quickest = self.quickest.min(took);
        let wanted = took >= QUICK.max(self.quickest * SLOWER);
        let stay_away = (wanted && !(self.computing && serves))
            || now.since(self.stayed_away) >= STAY_AWAY_EVERY;
        if stay_away {
            self.stayed_away = now;
        }
        // What kind of thread it is shows in how long it keeps the lock.
        self.computing &= wanted && !stay_away;
        stay_away
    }

    /// Notes that the lock is held again, and how long it was not.
    pub fn regained(&mut self, now: Deadline, away: Duration) {
        self.since = now;
        self.computing |= away >= SHORT;
    }

    /// Notes that the lock is held again after a wait, in which every thread had a chance.
    pub fn waited(&mut self, now: Deadline) {
        self.since = now;
        self.stayed_away = now;
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    fn after(start: Deadline, time: Duration) -> Deadline {
        start.plus_seconds(time.as_secs_f64()).unwrap_or(start)
    }

    #[test]
    fn a_release_is_due_when_the_lock_was_held_for_some_time() {
        let handover = Handover::default();
        let start = handover.since;
        for serves in [false, true] {
            assert!(!handover.is_due(start, serves));
            assert!(!handover.is_due(after(start, RELEASE_EVERY / 2), serves));
            assert!(handover.is_due(after(start, RELEASE_EVERY), serves));
        }
    }

    #[test]
    fn a_thread_that_computes_has_its_turns_in_a_longer_rhythm() {
        let mut handover = Handover::default();
        let start = handover.since;
        handover.regained(start, SHORT);
        assert!(!handover.is_due(after(start, SHARE_EVERY / 2), false));
        assert!(handover.is_due(after(start, SHARE_EVERY), false));
        assert!(!handover.is_due(after(start, SERVE_FOR / 2), true));
        assert!(handover.is_due(after(start, SERVE_FOR), true));
    }

    #[test]
    fn a_thread_that_keeps_the_lock_for_a_short_time_is_let_in_soon_again() {
        let mut handover = Handover::default();
        let start = handover.since;
        assert!(!handover.released(start, NANO, false));
        handover.regained(start, SHORT);
        assert!(handover.released(start, QUICK, false));
        handover.regained(start, SHORT / 2);
        assert!(handover.is_due(after(start, RELEASE_EVERY), false));
    }

    #[test]
    fn a_loop_that_serves_stays_away_for_nobody_who_computes() {
        let mut handover = Handover::default();
        let start = handover.since;
        assert!(!handover.released(start, NANO, true));
        assert!(handover.released(start, QUICK, true));
        handover.regained(start, SHORT);
        assert!(!handover.released(start, QUICK, true));
        handover.regained(start, NANO);
        assert!(!handover.is_due(after(start, RELEASE_EVERY), true));
        // Nobody waits any more.
        assert!(!handover.released(start, NANO, true));
        handover.regained(start, NANO);
        assert!(handover.is_due(after(start, RELEASE_EVERY), true));
    }

    #[test]
    fn only_a_slow_release_has_woken_a_thread() {
        let mut handover = Handover::default();
        let start = handover.since;
        assert!(!handover.released(start, QUICK / 10, false));
        assert!(!handover.released(start, QUICK - NANO, false));
        assert!(handover.released(start, QUICK, false));
    }

    #[test]
    fn where_every_release_is_slow_it_says_nothing() {
        let mut handover = Handover::default();
        let start = handover.since;
        assert!(!handover.released(start, QUICK * 3, false));
        assert!(!handover.released(start, QUICK * 4, false));
        assert!(handover.released(start, QUICK * 3 * SLOWER, false));
    }

    #[test]
    fn now_and_then_it_stays_away_without_a_sign() {
        let mut handover = Handover::default();
        let start = handover.since;
        let later = after(start, STAY_AWAY_EVERY);
        assert!(!handover.released(start, NANO, false));
        assert!(handover.released(later, NANO, false));
        assert!(!handover.released(later, NANO, false));
        handover.waited(after(later, STAY_AWAY_EVERY));
        assert!(!handover.released(after(later, STAY_AWAY_EVERY), NANO, false));
    }

    #[test]
    fn a_wait_gives_every_thread_a_chance() {
        let mut handover = Handover::default();
        let later = after(handover.since, RELEASE_EVERY);
        handover.waited(later);
        assert!(!handover.is_due(later, false));
    }
}
