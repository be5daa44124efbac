//! When the measurement begins and ends, and what was counted in it.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::latencies::Latencies;

/// What is told of the latencies, and under which name.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// Counts operations, after a time in which none count.
pub struct Meter {
    begin: Instant,
    seconds: Duration,
    patience: Duration,
    // Ends then, however early it is.
    enough: u64,
    operations: u64,
    warming_up: u64,
    seen: u64,
    last_progress: Instant,
    started: Option<Instant>,
    took: Duration,
    waited: Duration,
    latencies: Latencies,
}

impl Meter {
    /// The meter of what is asked for.
    pub fn of(arguments: &Arguments) -> Self {
        let now = Instant::now();
        Self {
            // A single operation is there to warm the server up.
            begin: if arguments.once {
                now
            } else {
                now + arguments.warm_up
            },
            seconds: arguments.seconds,
            patience: arguments.timeout,
            enough: if arguments.once { 1 } else { u64::MAX },
            operations: 0,
            warming_up: 0,
            seen: 0,
            last_progress: now,
            started: None,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            latencies: Latencies::default(),
        }
    }

    /// A meter that has enough after so many, however long that takes.
    pub fn until(arguments: &Arguments, enough: usize) -> Self {
        Self {
            begin: Instant::now(),
            seconds: Duration::MAX,
            enough: enough as u64,
            ..Self::of(arguments)
        }
    }

    /// Takes note that so long the server was waited for.
    pub fn wait(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Counts an operation, which took so long.
    pub fn completed(&mut self, time: Duration) {
        self.operations += 1;
        self.latencies.add(time);
    }

    /// Counts operations of which nobody knows how long each took.
    pub fn add(&mut self, operations: u64) {
        self.operations += operations;
    }

    /// Whether to go on; asked once a turn. Fails if nothing happens any more.
    pub fn goes_on(&mut self) -> Result<bool, String> {
        let now = Instant::now();
        if self.operations != self.seen {
            self.seen = self.operations;
            self.last_progress = now;
        } else if now - self.last_progress > self.patience {
            return Err(format!("no answer for {} s", self.patience.as_secs_f64()));
        }
        match self.started {
            _ if self.operations >= self.enough => {
                self.took = now - self.begin;
                return Ok(false);
            }
            None if now >= self.begin => {
                self.started = Some(now);
                self.waited = Duration::ZERO;
                self.warming_up = self.operations;
                self.operations = 0;
                self.latencies.clear();
                self.seen = 0;
            }
            // What takes longer than that is waited for: nothing at all has no rate.
            Some(start) if now - start >= self.seconds && self.operations > 0 => {
                self.took = now - start;
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// What was counted.
    pub fn counted(&self, lost: u64) -> Counted {
        Counted {
            operations: self.operations,
            in_all: self.operations + self.warming_up,
            seconds: self.took.as_secs_f64(),
            waited: self.waited.as_secs_f64(),
            lost,
            percentiles: PERCENTILES.map(|(_, share)| self.latencies.microseconds(share)),
        }
    }
}

/// What was counted, and in how long.
pub struct Counted {
    operations: u64,
    in_all: u64,
    seconds: f64,
    waited: f64,
    lost: u64,
    percentiles: [Option<f64>; PERCENTILES.len()],
}

impl Counted {
    /// One line for the program that asked.
    ///
    /// `in_all` counts those before the measurement, too. `busy` is the share of the time in
    /// which this process didn't wait for the server: near 1 it was this side that couldn't
    /// go any faster. (Its CPU time would say little if other programs want the CPU.)
    /// `p50` to `p999` are microseconds from sending a request to having its answer; in a
    /// load that keeps one under way on each connection most of that is waiting in line.
    pub fn as_json(&self, arguments: &Arguments) -> String {
        let percentiles: String = PERCENTILES
            .iter()
            .zip(self.percentiles)
            .map(|((name, _), time)| match time {
                Some(time) => format!(", \"{name}\": {time:.2}"),
                None => format!(", \"{name}\": null"),
            })
            .collect();
        format!(
            "{{\"mode\": \"{}\", \"connections\": {}, \"size\": {}, \"operations\": {}, \
             \"in_all\": {}, \"seconds\": {:.6}, \"rate\": {:.1}, \"busy\": {:.3}, \"lost\": {}{percentiles}}}",
            arguments.name,
            arguments.connections,
            arguments.size,
            self.operations,
            self.in_all,
            self.seconds,
            self.operations as f64 / self.seconds,
            1.0 - self.waited / self.seconds,
            self.lost,
        )
    }
}
