//! Points in time on the monotonic clock, in whole nanoseconds.
//!
//! The clock is the one behind Python's `time.monotonic()`, so that a deadline
//! given in seconds by asyncio means the same here. A stepped wall clock moves
//! no deadline.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NANOS_PER_SECOND: f64 = 1e9;

/// By how many nanoseconds the wall clock may drift from the monotonic one
/// before the distance between them is taken anew. It is also how long the two
/// may take to be read; it is far below the millisecond that a poll rounds to.
const TOLERANCE: u64 = 1_000;

/// The wall clock, in nanoseconds since the Unix epoch.
fn nanos_since_epoch() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = elapsed.map_or(0, |elapsed| elapsed.as_nanos());
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// Reads both clocks at the same time, as far as that can be had.
fn both_clocks() -> (Deadline, i64) {
    let mut now = Deadline::now();
    let mut wall = 0;
    for _attempt in 0..3 {
        wall = nanos_since_epoch();
        let after = Deadline::now();
        if after.0.abs_diff(now.0) <= TOLERANCE {
            break;
        }
        // The thread was interrupted in between, or the clocks are slow.
        now = after;
    }
    (now, wall)
}

/// See `wall_clock_offset`.
static OFFSET: AtomicI64 = AtomicI64::new(i64::MIN);

fn kept_offset() -> i64 {
    OFFSET.load(Ordering::Relaxed)
}

/// The wall clock's lead over the monotonic clock, in nanoseconds. It is kept,
/// because taking it anew for each deadline would put equal deadlines in random
/// order.
fn wall_clock_offset(now: Deadline, wall: i64) -> i64 {
    let current = wall.saturating_sub(now.0);
    let kept = kept_offset();
    if kept.abs_diff(current) <= TOLERANCE {
        return kept;
    }
    OFFSET.store(current, Ordering::Relaxed);
    current
}

/// A point on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(i64);

impl Deadline {
    /// Later than every point the clock can reach.
    pub const NEVER: Deadline = Deadline(i64::MAX);

    /// Nanoseconds since the clock's beginning.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// So many nanoseconds after the clock's beginning.
    #[cfg(test)]
    pub const fn from_nanos(nanos: i64) -> Deadline {
        Deadline(nanos)
    }

    /// The current time.
    #[must_use]
    pub fn now() -> Deadline {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid, writable timespec for the whole call.
        let outcome = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        debug_assert_eq!(outcome, 0, "the monotonic clock always exists");
        #[allow(clippy::useless_conversion)]
        let (seconds, nanos) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
        Deadline(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// The point `seconds` after the clock's epoch, rounded up, so that what
    /// waits for it is never early. Out of range saturates; `None` for NaN.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Deadline> {
        if seconds.is_nan() {
            return None;
        }
        // A float cast saturates, which is just what is wanted here.
        #[allow(clippy::cast_possible_truncation)]
        Some(Deadline((seconds * NANOS_PER_SECOND).ceil() as i64))
    }

    /// The point `seconds` (negative: before) from this one; `None` for NaN.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Option<Deadline> {
        let distance = Deadline::from_seconds(seconds)?;
        Some(Deadline(self.0.saturating_add(distance.0)))
    }

    /// The point at which the wall clock reads `seconds` since the Unix epoch;
    /// `None` for NaN. Equal readings give equal points.
    #[must_use]
    pub fn from_wall_clock(seconds: f64) -> Option<Deadline> {
        let reading = Deadline::from_seconds(seconds)?;
        if reading == Deadline::NEVER {
            return Some(reading);
        }
        let (now, wall) = both_clocks();
        let deadline = Deadline(reading.0.saturating_sub(wall_clock_offset(now, wall)));
        // What has passed on the wall clock has passed, whatever was rounded.
        Some(if reading.0 <= wall {
            deadline.min(now)
        } else {
            deadline
        })
    }

    /// What the wall clock will read at this point, in seconds since the Unix epoch; it is
    /// `now` at this moment. Of two points the earlier one never reads more, as long as the
    /// wall clock isn't stepped.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn on_wall_clock(self, now: Deadline) -> f64 {
        let wall = nanos_since_epoch();
        let (now, wall) = match wall.saturating_sub(now.0).abs_diff(kept_offset()) {
            0..=TOLERANCE => (now, wall),
            // Somebody was interrupted in between, or the clock has moved.
            _ => both_clocks(),
        };
        self.0.saturating_add(wall_clock_offset(now, wall)) as f64 / NANOS_PER_SECOND
    }

    /// Seconds since the clock's epoch, as `time.monotonic()` gives them.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND
    }

    /// The next point.
    #[must_use]
    pub fn a_nanosecond_later(self) -> Deadline {
        Deadline(self.0.saturating_add(1))
    }

    /// How long from `now` until this point; zero when it has passed.
    #[must_use]
    pub fn since(self, now: Deadline) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_goes_forward() {
        let first = Deadline::now();
        assert!(Deadline::now() >= first);
        assert!(first < Deadline::NEVER);
    }

    #[test]
    fn seconds_are_rounded_up() {
        let deadline = Deadline::from_seconds(1.000_000_000_4);
        assert_eq!(deadline, Some(Deadline(1_000_000_001)));
    }

    #[test]
    fn out_of_range_saturates_and_nan_is_refused() {
        assert_eq!(Deadline::from_seconds(f64::INFINITY), Some(Deadline::NEVER));
        assert_eq!(Deadline::from_seconds(-5.0), Some(Deadline(-5_000_000_000)));
        assert_eq!(Deadline::from_seconds(-1e300), Some(Deadline(i64::MIN)));
        assert_eq!(Deadline::from_seconds(f64::NAN), None);
        assert_eq!(Deadline(7).plus_seconds(f64::NAN), None);
        assert_eq!(
            Deadline(-7).plus_seconds(f64::NEG_INFINITY),
            Some(Deadline(i64::MIN))
        );
        assert_eq!(Deadline(7).plus_seconds(1e300), Some(Deadline::NEVER));
    }

    #[test]
    fn equal_wall_clock_readings_are_equal_deadlines() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
        let wall = wall.as_secs_f64() + 10.0;
        let before = Deadline::now().plus_seconds(10.0).expect("a time");
        let deadline = Deadline::from_wall_clock(wall).expect("a time");
        assert!(deadline.since(before) < Duration::from_secs(5));
        assert!(Deadline::from_wall_clock(f64::NAN).is_none());
        assert_eq!(Deadline::from_wall_clock(1e300), Some(Deadline::NEVER));
        assert!(Deadline::from_wall_clock(-1e300).is_some_and(|past| past < Deadline::now()));
    }

    #[test]
    fn a_nanosecond_later_than_never_is_never() {
        assert_eq!(Deadline(5).a_nanosecond_later(), Deadline(6));
        assert_eq!(Deadline::NEVER.a_nanosecond_later(), Deadline::NEVER);
    }

    #[test]
    #[cfg_attr(miri, ignore = "clocks take too long to be read there")]
    fn what_is_due_later_reads_more_on_the_wall_clock() {
        let mut before = (Deadline(i64::MIN), f64::MIN);
        for round in 0..crate::core::properties::times(3_000) {
            let earliest = seconds_since_epoch() + 0.5 - 1e-5;
            let now = Deadline::now();
            if round % 10 == 0 {
                // As if the thread was interrupted between the two clocks.
                std::thread::sleep(Duration::from_micros(100));
            }
            let due = now.plus_seconds(0.5).expect("a time");
            let wall = due.on_wall_clock(now);
            let latest = seconds_since_epoch() + 0.5 + 1e-5;
            assert!((earliest..=latest).contains(&wall), "{wall}");
            assert!((due, wall) >= before && wall >= before.1);
            before = (due, wall);
        }
    }

    fn seconds_since_epoch() -> f64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        wall.expect("now").as_secs_f64()
    }

    #[test]
    fn distance_is_never_negative() {
        assert_eq!(Deadline(5).since(Deadline(9)), Duration::ZERO);
        assert_eq!(Deadline(9).since(Deadline(5)), Duration::from_nanos(4));
    }
}
