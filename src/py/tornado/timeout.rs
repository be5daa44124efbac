//! Tornado's timeouts: opaque to the user, who can only remove them.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Callback;
use crate::core::clock::Deadline;
use crate::core::timers::Key;
use crate::py::dispatch::timer::Timer;
use crate::py::event_loop::EventLoop;
use crate::py::support::guarded::Guarded;
use crate::py::support::make;

/// A timeout, as add_timeout(), call_later() and call_at() return it; to be
/// passed to remove_timeout(). Follows the documentation of Tornado 4.5.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct Timeout {
    event_loop: Py<EventLoop>,
    /// What is called; taken out when it runs or is removed.
    callback: Guarded<Option<Callback>>,
    /// Where the loop keeps the timer, once it is scheduled.
    key: Guarded<Option<Key>>,
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
            callback: Guarded::new(Some(callback)),
            key: Guarded::new(None),
        };
        let py = event_loop.py();
        let timeout = Py::new(py, timeout)?;
        let timer = Timer::Timeout(timeout.clone_ref(py));
        let key = event_loop.get().insert_timer(py, deadline, timer)?;
        *timeout.get().key.lock(py) = Some(key);
        Ok(timeout)
    }

    /// Calls the callback, unless the timeout was removed.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn run(slf: &Bound<'_, Timeout>) -> PyResult<()> {
        let py = slf.py();
        let callback = slf.get().callback.lock(py).take();
        callback.map_or(Ok(()), |callback| callback.run(py))
    }

    /// What a report names, unless it was removed.
    pub fn subject(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let callback = self.callback.lock(py);
        callback.as_ref().map(|callback| callback.subject(py))
    }

    /// Makes sure that the callback isn't called, if it was not yet.
    pub fn remove(&self, py: Python<'_>) {
        let callback = self.callback.lock(py).take();
        drop(callback);
        let key = *self.key.lock(py);
        if let Some(key) = key {
            let timer = self.event_loop.get().remove_timer(py, key);
            drop(timer);
        }
    }
}

#[pymethods]
impl Timeout {
    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        // Not locked while that of the callback is made, which may come back here: that of a
        // method says whose it is, and that may say what its timeout is.
        let callback = self.subject(py);
        // `{}` is what str() says.
        let said = callback.map(|it| it.bind(py).repr().map(|said| said.to_string()));
        let said = match said {
            Some(Ok(said)) => format!("<Timeout pending {said}>"),
            // Tornado's own asks no callback, so it never fails.
            Some(Err(error)) if error.is_instance_of::<PyException>(py) => {
                "<Timeout pending>".to_owned()
            }
            // Such as Ctrl-C meanwhile.
            Some(Err(error)) => return Err(error),
            None => "<Timeout done or removed>".to_owned(),
        };
        make::text(py, &said)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        match self.callback.visit(&visit).as_deref() {
            Some(Some(callback)) => callback.traverse(visit),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        let callback = self.callback.lock(py).take();
        drop(callback);
    }
}
