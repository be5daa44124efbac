//! What a reactor has to do with the turns of its loop: they are made by way of its
//! `runUntilCurrent` where that is somebody's own, and go on without it after its end.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::Reactor;
use crate::core::lock::lock;
use crate::py::dispatch::call::Call;
use crate::py::support::error;

impl Reactor {
    /// Whether a due call is kept for a later run of the reactor, which has ended before
    /// its loop. As in Twisted's own reactors nothing is called then.
    pub fn keeps(&self, py: Python<'_>, call: &Call) -> bool {
        let rests = self.rests.load(Ordering::Relaxed);
        if rests && let Some(call) = call.copy(py) {
            lock(&self.event_loop().kept).push(call);
        }
        rests
    }

    /// Queues what was kept, and keeps nothing more.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(super) fn take_up(slf: &Bound<'_, Self>) -> PyResult<()> {
        let event_loop = slf.get().event_loop();
        if slf.get().rests.swap(false, Ordering::Relaxed) {
            let mut kept = VecDeque::from(std::mem::take(&mut *lock(&event_loop.kept)));
            let is_own = |call: &Call| call.reactor().is_some_and(|reactor| reactor.is(slf));
            let mut outcome = Ok(());
            for _ in 0..kept.len() {
                let Some(call) = kept.pop_front() else {
                    break;
                };
                if outcome.is_err() || !is_own(&call) {
                    kept.push_back(call);
                    continue;
                }
                let again = call.copy(slf.py());
                outcome = event_loop.schedule(slf.py(), call);
                if outcome.is_err() {
                    kept.extend(again);
                }
            }
            if outcome.is_err() {
                // Those that are left are taken up the next time.
                slf.get().rests.store(true, Ordering::Relaxed);
            }
            let mut meanwhile = lock(&event_loop.kept);
            kept.extend(meanwhile.drain(..));
            *meanwhile = kept.into();
            return outcome;
        }
        Ok(())
    }

    /// Calls the reactor's `runUntilCurrent`, which is somebody's own. What it raises is
    /// logged, as by Twisted's main loop.
    ///
    /// # Errors
    /// Those exceptions that end the loop.
    pub fn run_until_current(&self, py: Python<'_>) -> PyResult<()> {
        // Of a signal handler, unless a call within says otherwise.
        let unexpected = &self.event_loop().unexpected;
        unexpected.store(true, Ordering::Relaxed);
        let method = intern!(py, "runUntilCurrent");
        let outcome = match self.reactor.bind(py).call_method0(method) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                self.report(py, "main_loop", (error::value(py, error),))
            }
            outcome => outcome.map(drop),
        };
        if outcome.is_ok() {
            unexpected.store(false, Ordering::Relaxed);
        }
        outcome
    }
}
