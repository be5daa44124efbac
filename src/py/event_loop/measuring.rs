//! What a loop does, in numbers, for whoever asks; see `core::meter`.

use std::sync::atomic::Ordering;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::state::EventLoop;
use crate::core::clock::Deadline;
use crate::core::meter::Meter;
use crate::core::sys::traffic::Traffic;
use crate::py::dispatch::call::{KIND_NAMES, KINDS};

impl EventLoop {
    /// The meter, if it measures.
    #[inline]
    pub fn meter(&self) -> Option<&Meter<KINDS>> {
        let meter: &Meter<KINDS> = self.meter.get()?;
        meter.is_on().then_some(meter)
    }

    /// Measures from now on, or no more.
    pub fn measure(&self, on: bool) {
        if on || self.meter.get().is_some() {
            let meter = self.meter.get_or_init(Box::default);
            meter.switch(on, Deadline::now());
        }
    }

    /// Forgets what was measured.
    pub fn measure_anew(&self) {
        if let Some(meter) = self.meter.get() {
            meter.reset();
        }
    }

    /// The loop begins to run, unless a turn is under way that this is nested in.
    pub fn measured_run_begins(&self) {
        if let Some(meter) = self.meter_of_turn() {
            meter.begin_run(Deadline::now());
        }
    }

    /// The loop runs no more, unless a turn is under way that this is nested in.
    pub fn measured_run_ends(&self) {
        if let Some(meter) = self.meter_of_turn()
            && meter.is_open()
        {
            meter.begin_wait(Deadline::now());
        }
    }

    /// A turn begins with its calls, without a wait.
    pub fn measured_without_wait(&self) {
        if let Some(meter) = self.meter_of_turn() {
            meter.begin_work(Deadline::now());
        }
    }

    /// A turn begins to make its calls. What this returns is for its end. A nested turn is
    /// a part of the call that makes it.
    #[inline]
    pub fn measured_calls_begin(&self) -> Option<Measured<'_>> {
        let meter = self.meter_of_turn()?;
        Some(Measured {
            meter,
            traffic: Traffic::of_thread(),
        })
    }

    /// The meter, if it measures, of a turn that isn't nested in another one.
    #[inline]
    pub fn meter_of_turn(&self) -> Option<&Meter<KINDS>> {
        let meter = self.meter()?;
        (self.turns.load(Ordering::Relaxed) == 0).then_some(meter)
    }
}

/// A turn that is being measured.
#[must_use = "a turn's end is measured by it"]
pub struct Measured<'a> {
    meter: &'a Meter<KINDS>,
    traffic: Traffic,
}

impl Measured<'_> {
    /// The turn's calls are made.
    ///
    /// # Errors
    /// What ends the loop, from the tick.
    pub fn end(self, event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
        let meter = self.meter;
        meter.end_work(Traffic::of_thread().since(self.traffic));
        let py = event_loop.py();
        let tick = {
            let tick = event_loop.get().tick.lock(py);
            tick.as_ref().map(|tick| tick.clone_ref(py))
        };
        if tick.is_none() && meter.is_on() {
            // The next wait will say when it was.
            return Ok(());
        }
        let worked = meter.close(Deadline::now());
        let Some(tick) = tick else { return Ok(()) };
        let tick = tick.bind(py);
        match tick.call1((seconds(meter.waited()), seconds(worked))) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, Some(tick));
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }
}

/// See `EventLoop._measured`.
pub fn report<'py>(this: &EventLoop, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let reading = match this.meter.get() {
        Some(meter) => meter.read(),
        None => Meter::<KINDS>::default().read(),
    };
    let calls = make::dict(py)?;
    for (name, count) in KIND_NAMES.iter().zip(reading.calls) {
        calls.set_item(make::name(py, name)?, make::Unsigned(count))?;
    }
    let [p50, p99, max] = reading.lag;
    let report = make::dict(py)?;
    report.set_item(intern!(py, "turns"), make::Unsigned(reading.turns))?;
    report.set_item(intern!(py, "calls"), calls)?;
    report.set_item(
        intern!(py, "descriptors"),
        make::Unsigned(this.with_registrations(|all| all.iter().count())),
    )?;
    report.set_item(intern!(py, "timers"), make::Unsigned(this.timer_count(py)))?;
    let ready = this.calls.lock(py).len();
    report.set_item(intern!(py, "ready"), make::Unsigned(ready))?;
    report.set_item(
        intern!(py, "received"),
        make::Unsigned(reading.traffic.received),
    )?;
    report.set_item(intern!(py, "sent"), make::Unsigned(reading.traffic.sent))?;
    report.set_item(
        intern!(py, "accepted"),
        make::Unsigned(reading.traffic.accepted),
    )?;
    report.set_item(intern!(py, "waited"), seconds(reading.waited))?;
    report.set_item(intern!(py, "worked"), seconds(reading.worked))?;
    report.set_item(intern!(py, "longest_call"), seconds(reading.longest))?;
    report.set_item(intern!(py, "lag_p50"), seconds(p50))?;
    report.set_item(intern!(py, "lag_p99"), seconds(p99))?;
    report.set_item(intern!(py, "lag_max"), seconds(max))?;
    let lag = make::dict(py)?;
    if let Some(meter) = this.meter.get() {
        for (nanos, count) in meter.lag() {
            lag.set_item(seconds(nanos), make::Unsigned(count))?;
        }
    }
    report.set_item(intern!(py, "lag_counts"), lag)?;
    Ok(report)
}

#[allow(clippy::cast_precision_loss)]
fn seconds(nanos: u64) -> make::Float {
    make::Float(nanos as f64 / 1e9)
}
