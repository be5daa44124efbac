//! How long operations took: a histogram whose buckets are 3 % wide.

use std::time::Duration;

/// Buckets for each doubling of the time; below twice as many nanoseconds each has its own.
const PARTS: u64 = 32;
/// Those of all 64-bit numbers.
const BUCKETS: usize = 60 * PARTS as usize;

/// Counts times, and tells their percentiles.
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }
}

impl Latencies {
    /// Counts one that took so long.
    pub fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The microseconds that such a share of the operations took at most, if there were any.
    pub fn microseconds(&self, share: f64) -> Option<f64> {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some((least(place) + least(place + 1)) as f64 / 2_000.0)
    }
}

fn bucket(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(PARTS.ilog2() + 1);
    (u64::from(shift) * PARTS + (value >> shift)) as usize
}

/// The least number that a bucket is for.
fn least(bucket: usize) -> u64 {
    let shift = (bucket as u64 / PARTS).saturating_sub(1);
    (bucket as u64 - shift * PARTS) << shift
}
