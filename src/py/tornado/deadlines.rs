//! Timeouts of `_core.IOLoop`: what their deadlines mean, on whose clock.

use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::io_loop::{check_callable, check_thread};
use super::{Callback, IOLoop, Timeout};
use crate::core::clock::Deadline;
use crate::py::event_loop::clock;
use crate::py::support::{context, error};

impl IOLoop {
    fn schedule(
        slf: &Bound<'_, Self>,
        deadline: Option<Deadline>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<Timeout>> {
        let py = slf.py();
        let event_loop = slf.get().event_loop()?.bind(py);
        event_loop.get().check_open()?;
        check_thread(event_loop)?;
        check_callable(py, &callback)?;
        let deadline = error::deadline(deadline)?;
        let callback = Callback {
            io_loop: slf.clone().unbind(),
            callback,
            args,
            kwargs,
            context: context::copy_current(py)?,
        };
        Timeout::schedule(event_loop, deadline, callback)
    }

    /// The deadline at `when` on the clock of `time()`, which a subclass may
    /// have replaced.
    fn absolute(slf: &Bound<'_, Self>, when: f64) -> PyResult<Option<Deadline>> {
        let py = slf.py();
        let event_loop = slf.get().event_loop()?.bind(py);
        let own = slf.get().own_clock.load(Ordering::Relaxed)
            || slf
                .getattr(intern!(py, "__dict__"))?
                .contains(intern!(py, "time"))?
            || clock::is_own(event_loop.get(), py)
            || clock::is_wall_clock_replaced(py);
        if own {
            let now: f64 = slf.call_method0(intern!(py, "time"))?.extract()?;
            return Ok(clock::now(event_loop)?.plus_seconds(when - now));
        }
        Ok(Deadline::from_wall_clock(when))
    }

    /// The deadline after a delay in seconds.
    fn relative(slf: &Bound<'_, Self>, delay: f64) -> PyResult<Option<Deadline>> {
        let event_loop = slf.get().event_loop()?.bind(slf.py());
        Ok(clock::now(event_loop)?.plus_seconds(delay))
    }

    /// Schedules a callback at `when`, on the clock of `time()`.
    pub(super) fn at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        if slf.get().own_call_at.load(Ordering::Relaxed) {
            return clock::call_at(slf, (when, callback), &args, kwargs);
        }
        Ok(IOLoop::schedule_at(slf, when, callback, args, kwargs)?.into_any())
    }

    /// What `call_at` does, unless it is a subclass's.
    pub(super) fn schedule_at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<Timeout>> {
        let deadline = IOLoop::absolute(slf, when)?;
        IOLoop::schedule(slf, deadline, callback, args, kwargs)
    }

    /// Schedules a callback after a delay in seconds.
    pub(super) fn after(
        slf: &Bound<'_, Self>,
        delay: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        if slf.get().own_call_at.load(Ordering::Relaxed) {
            let now: f64 = slf.call_method0(intern!(slf.py(), "time"))?.extract()?;
            return clock::call_at(slf, (now + delay, callback), &args, kwargs);
        }
        let deadline = IOLoop::relative(slf, delay)?;
        Ok(IOLoop::schedule(slf, deadline, callback, args, kwargs)?.into_any())
    }
}
