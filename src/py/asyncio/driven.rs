//! A turn in its parts, for Python code that makes asyncio's iteration itself: it looks
//! at what is ready and scheduled, polls, and runs what it finds.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::{EventLoop, Handle, TimerHandle};
use crate::core::room::gathered;
use crate::py::dispatch::call::Call;
use crate::py::dispatch::timer::Timer;
use crate::py::dispatch::watcher::Ready;
use crate::py::event_loop::turn;
use crate::py::support::make;

#[pymethods]
impl EventLoop {
    /// The first half of a turn: wait at most `limit` seconds, queue what is ready and
    /// due. Returns the descriptors that handles watch and that are ready, each with a
    /// mask of events as `selectors` has it.
    fn _poll(slf: &Bound<'_, Self>, limit: Option<f64>) -> PyResult<Vec<Ready>> {
        turn::poll(slf, turn::limit(limit))
    }

    /// The second half of a turn: run what is in the queue now.
    fn _run_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        turn::run_ready(slf)
    }

    /// Leave the loop's turns to Python code, or make them natively again.
    fn _drive(&self, py: Python<'_>, driven: bool) {
        self.driven.store(driven, Ordering::Relaxed);
        self.interrupt_wait(py);
    }

    fn _ready_count(&self, py: Python<'_>) -> make::Unsigned<usize> {
        make::Unsigned(self.calls.lock(py).len())
    }

    /// The handles that are ready, and what stands for the calls of the other faces.
    fn _ready_calls<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = {
            let calls = self.calls.lock(py);
            gathered(calls.iter().filter_map(|call| call.subject(py)))?
        };
        make::list(py, found.into_iter().map(|call| call.into_bound(py)))
    }

    /// The handles of call_later() and call_at() that aren't due yet, in no order.
    fn _timer_handles<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = self.find_timers(py, |timer| match timer {
            Timer::Handle(handle) => Some(handle.clone_ref(py)),
            _ => None,
        })?;
        make::list(py, found.into_iter().map(|handle| handle.into_bound(py)))
    }

    /// Drop what is ready.
    fn _clear_ready(&self, py: Python<'_>) {
        let calls = self.calls.lock(py).clear();
        drop(calls);
    }

    /// Queue a handle. One of a timer leaves the heap; if it has left it before, it is in
    /// the queue already, or has run.
    fn _add_ready(&self, handle: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = handle.py();
        if let Ok(timer) = handle.cast::<TimerHandle>() {
            if let Some(timer) = TimerHandle::unschedule(timer) {
                return self.schedule(py, timer.due());
            }
            Ok(())
        } else if let Ok(handle) = handle.cast::<Handle>() {
            self.schedule(py, Call::Handle(handle.clone().unbind()))
        } else {
            self.schedule(py, Call::Foreign(handle.clone().unbind()))
        }
    }
}
