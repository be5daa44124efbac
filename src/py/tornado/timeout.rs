//! Tornado's timeouts: opaque to the user, who can only remove them.

use std::sync::{Mutex, OnceLock};

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::Callback;
use crate::core::clock::Deadline;
use crate::core::lock::{lock, try_lock};
use crate::core::timers::Key;
use crate::py::dispatch::timer::Timer;
use crate::py::event_loop::EventLoop;

/// A timeout, as add_timeout(), call_later() and call_at() return it; to be
/// passed to remove_timeout(). Follows the documentation of Tornado 4.5.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct Timeout {
    event_loop: Py<EventLoop>,
    /// What is called; taken out when it runs or is removed.
    callback: Mutex<Option<Callback>>,
    key: OnceLock<Key>,
}

impl Timeout {
    /// Schedules a callback.
    pub fn schedule(
        event_loop: &Bound<'_, EventLoop>,
        deadline: Deadline,
        callback: Callback,
    ) -> PyResult<Py<Timeout>> {
        let timeout = Timeout {
            event_loop: event_loop.clone().unbind(),
            callback: Mutex::new(Some(callback)),
            key: OnceLock::new(),
        };
        let py = event_loop.py();
        let timeout = Py::new(py, timeout)?;
        let timer = Timer::Timeout(timeout.clone_ref(py));
        let key = event_loop.get().insert_timer(py, deadline, timer);
        // The timeout is new, so the place is empty.
        let _filled = timeout.get().key.set(key);
        Ok(timeout)
    }

    /// Calls the callback, unless the timeout was removed.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn run(slf: &Bound<'_, Timeout>) -> PyResult<()> {
        let callback = lock(&slf.get().callback).take();
        callback.map_or(Ok(()), |callback| callback.run(slf.py()))
    }

    /// Makes sure that the callback isn't called, if it was not yet.
    pub fn remove(&self, py: Python<'_>) {
        let callback = lock(&self.callback).take();
        drop(callback);
        if let Some(key) = self.key.get() {
            let timer = self.event_loop.get().remove_timer(py, *key);
            drop(timer);
        }
    }
}

#[pymethods]
impl Timeout {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        match try_lock(&self.callback).as_deref() {
            Some(Some(callback)) => callback.traverse(visit),
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let callback = lock(&self.callback).take();
        drop(callback);
    }
}
