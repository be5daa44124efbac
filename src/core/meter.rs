//! What a loop does, in numbers: its turns, its calls, its time.
//!
//! One thread writes, that of the loop; any may read. So a number is loaded and stored, which
//! costs what it costs in plain memory. A turn takes no reading of the clock: the loop reads it
//! before each wait, which is when the turn before is over, and after one that has blocked. A
//! call takes one, or an eighth of one if it is of the short kind.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::clock::Deadline;
use super::histogram::Histogram;
use super::sys::traffic::{Traffic, count_traffic};

/// How many short calls are measured together: reading the clock would take a part of their
/// time that shows.
const TOGETHER: u32 = 8;

/// See the module's documentation. `KINDS` is how many kinds of calls are told apart.
#[derive(Debug)]
pub struct Meter<const KINDS: usize> {
    on: AtomicBool,
    turns: AtomicU64,
    calls: [AtomicU64; KINDS],
    waited: AtomicU64,
    worked: AtomicU64,
    longest: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    accepted: AtomicU64,
    lag: Histogram,
    /// The end of the last turn, and the beginning of the work of the one under way.
    ended: AtomicI64,
    began: AtomicI64,
    /// How long that turn has waited.
    wait: AtomicU64,
    /// Whether a turn's calls are made, and the time of that isn't known yet.
    open: AtomicBool,
    /// The end of the last call that was measured, and how many there were since.
    measured: AtomicI64,
    together: AtomicU32,
}

/// What a meter shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<const KINDS: usize> {
    /// How many turns there were.
    pub turns: u64,
    /// How many calls of each kind.
    pub calls: [u64; KINDS],
    /// Nanoseconds spent waiting.
    pub waited: u64,
    /// Nanoseconds spent making calls.
    pub worked: u64,
    /// Nanoseconds of the longest call.
    pub longest: u64,
    /// What was received, sent and accepted.
    pub traffic: Traffic,
    /// Nanoseconds of the turns' work: half of them had no more, 99 of a hundred, all.
    pub lag: [u64; 3],
}

impl<const KINDS: usize> Default for Meter<KINDS> {
    fn default() -> Self {
        Meter {
            on: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            calls: [const { AtomicU64::new(0) }; KINDS],
            waited: AtomicU64::new(0),
            worked: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            lag: Histogram::default(),
            ended: AtomicI64::new(0),
            began: AtomicI64::new(0),
            wait: AtomicU64::new(0),
            open: AtomicBool::new(false),
            measured: AtomicI64::new(0),
            together: AtomicU32::new(0),
        }
    }
}

impl<const KINDS: usize> Meter<KINDS> {
    /// Whether it measures.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Measures from now on, or no more. What was measured stays.
    pub fn switch(&self, on: bool, now: Deadline) {
        count_traffic();
        for point in [&self.ended, &self.began, &self.measured] {
            point.store(now.as_nanos(), Ordering::Relaxed);
        }
        self.open.store(false, Ordering::Relaxed);
        self.on.store(on, Ordering::Relaxed);
    }

    /// Forgets what was measured.
    pub fn reset(&self) {
        let numbers = [
            &self.turns,
            &self.waited,
            &self.worked,
            &self.longest,
            &self.received,
            &self.sent,
            &self.accepted,
        ];
        for number in numbers.into_iter().chain(&self.calls) {
            number.store(0, Ordering::Relaxed);
        }
        self.lag.reset();
    }

    /// The loop begins to run: the time since the last turn wasn't its.
    pub fn begin_run(&self, now: Deadline) {
        self.ended.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// A turn begins to wait, or the loop doesn't run any more: the turn before is over.
    #[inline]
    pub fn begin_wait(&self, now: Deadline) {
        if self.is_open() {
            self.close(now);
        }
    }

    /// Whether `begin_wait` has something to do.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The wait of a turn is over; without one it was over when it began.
    #[inline]
    pub fn begin_work(&self, now: Deadline) {
        let now = now.as_nanos();
        let waited = between(self.ended.load(Ordering::Relaxed), now);
        add(&self.waited, waited);
        self.wait.store(waited, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
        self.measured.store(now, Ordering::Relaxed);
        self.together.store(0, Ordering::Relaxed);
    }

    /// How many nanoseconds the turn under way has waited.
    #[inline]
    pub fn waited(&self) -> u64 {
        self.wait.load(Ordering::Relaxed)
    }

    /// A call was made; `long` if it is of a kind that takes its time.
    #[inline]
    pub fn called(&self, kind: usize, long: bool, now: impl FnOnce() -> Deadline) {
        if let Some(calls) = self.calls.get(kind) {
            add(calls, 1);
        }
        let together = self.together.load(Ordering::Relaxed).wrapping_add(1);
        self.together.store(together, Ordering::Relaxed);
        if long || together >= TOGETHER {
            self.measure(now());
        }
    }

    fn measure(&self, now: Deadline) {
        let now = now.as_nanos();
        let took = between(self.measured.load(Ordering::Relaxed), now);
        if took > self.longest.load(Ordering::Relaxed) {
            self.longest.store(took, Ordering::Relaxed);
        }
        self.measured.store(now, Ordering::Relaxed);
        self.together.store(0, Ordering::Relaxed);
    }

    /// The turn's calls are made. When that was `begin_wait` says.
    #[inline]
    pub fn end_work(&self, traffic: Traffic) {
        add(&self.turns, 1);
        add(&self.received, traffic.received);
        add(&self.sent, traffic.sent);
        add(&self.accepted, traffic.accepted);
        self.open.store(true, Ordering::Relaxed);
    }

    /// The turn is over now. Returns how long its work was, in nanoseconds.
    #[inline]
    pub fn close(&self, now: Deadline) -> u64 {
        if self.together.load(Ordering::Relaxed) > 0 {
            self.measure(now);
        }
        let worked = between(self.began.load(Ordering::Relaxed), now.as_nanos());
        add(&self.worked, worked);
        self.lag.add(worked);
        self.ended.store(now.as_nanos(), Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
        worked
    }

    /// How many turns took how long: for each bucket the longest time in nanoseconds, and
    /// the number. Buckets that are empty are left out.
    pub fn lag(&self) -> impl Iterator<Item = (u64, u32)> {
        self.lag.counts()
    }

    /// What has been measured.
    pub fn read(&self) -> Reading<KINDS> {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Reading {
            turns: get(&self.turns),
            calls: std::array::from_fn(|kind| self.calls.get(kind).map_or(0, get)),
            waited: get(&self.waited),
            worked: get(&self.worked),
            longest: get(&self.longest),
            traffic: Traffic {
                received: get(&self.received),
                sent: get(&self.sent),
                accepted: get(&self.accepted),
            },
            lag: [self.lag.quantile(50), self.lag.quantile(99), self.lag.max()],
        }
    }
}

// GIL: whoever switches or resets a meter doesn't come between the load and the store.
fn add(number: &AtomicU64, more: u64) {
    let sum = number.load(Ordering::Relaxed).wrapping_add(more);
    number.store(sum, Ordering::Relaxed);
}

fn between(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Deadline {
        Deadline::from_nanos(nanos)
    }

    #[test]
    fn a_turn() {
        let meter = Meter::<2>::default();
        assert!(!meter.is_on());
        meter.switch(true, at(1_000));
        assert!(meter.is_on());
        meter.begin_work(at(3_000));
        assert_eq!(meter.waited(), 2_000);
        meter.called(0, true, || at(3_400));
        meter.called(1, false, || unreachable!());
        meter.called(7, false, || unreachable!());
        let traffic = Traffic {
            received: 1,
            sent: 2,
            accepted: 3,
        };
        meter.end_work(traffic);
        assert!(meter.is_open());
        meter.begin_wait(at(4_000));
        assert!(!meter.is_open());
        meter.begin_wait(at(5_000));
        let reading = meter.read();
        assert_eq!(reading.turns, 1);
        assert_eq!(reading.calls, [1, 1]);
        assert_eq!((reading.waited, reading.worked), (2_000, 1_000));
        assert_eq!(reading.longest, 600);
        assert_eq!(reading.traffic, traffic);
        assert_eq!(reading.lag, [1_000; 3]);
        assert_eq!(meter.lag().collect::<Vec<_>>(), [(1_023, 1)]);
        meter.begin_run(at(9_000));
        meter.begin_work(at(9_001));
        assert_eq!(meter.waited(), 1);
        meter.reset();
        assert_eq!(meter.read(), Meter::<2>::default().read());
    }

    #[test]
    fn short_calls_are_measured_together() {
        let meter = Meter::<1>::default();
        meter.switch(true, at(0));
        meter.begin_work(at(0));
        let mut asked = 0;
        for call in 1..=16 {
            meter.called(0, false, || {
                asked += 1;
                at(call * 100)
            });
        }
        assert_eq!(asked, 2);
        assert_eq!(meter.read().longest, 800);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let meter = Meter::<1>::default();
        meter.switch(true, at(1_000));
        meter.begin_work(at(10));
        assert_eq!(meter.waited(), 0);
        meter.end_work(Traffic::default());
        assert_eq!(meter.close(at(5)), 0);
    }
}
