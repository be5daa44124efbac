//! How often times were how long, in buckets whose width is an eighth of the time.
//!
//! One thread counts; any may look.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Each doubling of the time has so many buckets.
const PER_OCTAVE: usize = 8;
/// The buckets for times up to a quarter of an hour and more, in nanoseconds.
const BUCKETS: usize = 40 * PER_OCTAVE;

/// How often times were how long, to an eighth.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU32; BUCKETS],
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: [const { AtomicU32::new(0) }; BUCKETS],
            max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts a time, in nanoseconds.
    #[inline]
    pub fn add(&self, nanos: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(nanos)) {
            let sum = bucket.load(Ordering::Relaxed).saturating_add(1);
            bucket.store(sum, Ordering::Relaxed);
        }
        if nanos > self.max.load(Ordering::Relaxed) {
            self.max.store(nanos, Ordering::Relaxed);
        }
    }

    /// What so many of a hundred were at most, to an eighth more.
    pub fn quantile(&self, percent: u64) -> u64 {
        let counts = || {
            self.buckets
                .iter()
                .map(|n| u64::from(n.load(Ordering::Relaxed)))
        };
        let all: u64 = counts().sum();
        let wanted = all.saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        let max = self.max.load(Ordering::Relaxed);
        let found = counts().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(max, |bucket| end_of(bucket).min(max))
    }

    /// The longest one.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// For each bucket that isn't empty the longest time in nanoseconds, and how many there
    /// were.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u32)> {
        let counts = self.buckets.iter().map(|n| n.load(Ordering::Relaxed));
        let buckets = counts.enumerate().filter(|(_, count)| *count > 0);
        buckets.map(|(bucket, count)| (end_of(bucket), count))
    }

    /// Forgets all of them.
    pub fn reset(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
        self.max.store(0, Ordering::Relaxed);
    }
}

/// The bucket of a time: up to `PER_OCTAVE` nanoseconds each has its own, above that the
/// position of the first bit and the three bits behind it say which.
fn bucket_of(nanos: u64) -> usize {
    let octave = nanos.max(PER_OCTAVE as u64).ilog2() as usize - 3;
    #[allow(clippy::cast_possible_truncation)]
    let within = (nanos >> octave) as usize;
    (octave * PER_OCTAVE + within).min(BUCKETS - 1)
}

/// The longest time of a bucket.
fn end_of(bucket: usize) -> u64 {
    let octave = (bucket / PER_OCTAVE).saturating_sub(1);
    let within = bucket - octave * PER_OCTAVE;
    (((within as u64) + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_bucket_that_ends_no_more_than_an_eighth_later() {
        for shift in 0..39 {
            for low in [0_u64, 1, 5, 77] {
                let nanos = (1_u64 << shift) + low;
                let end = end_of(bucket_of(nanos));
                assert!(end >= nanos, "{nanos} {end}");
                assert!(end <= nanos + nanos / 8, "{nanos} {end}");
            }
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(end_of(bucket)), bucket);
            assert_eq!(bucket_of(end_of(bucket) + 1), bucket + 1);
        }
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(50), 0);
        for _ in 0..98 {
            histogram.add(1_000);
        }
        histogram.add(50_000);
        histogram.add(2_000_000);
        assert!((1_000..=1_125).contains(&histogram.quantile(50)));
        assert!((50_000..=56_250).contains(&histogram.quantile(99)));
        assert_eq!(histogram.quantile(100), 2_000_000);
        histogram.reset();
        assert_eq!(histogram.quantile(99), 0);
    }
}
