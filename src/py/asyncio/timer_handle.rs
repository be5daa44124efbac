//! `asyncio.TimerHandle`: a callback scheduled for a time.

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList, PyTuple};

use super::{EventLoop, Handle};
use crate::core::clock::Deadline;
use crate::core::timers::Key;
use crate::py::dispatch::timer::Timer;
use crate::py::support::guarded::Guarded;
use crate::py::support::imports;
use crate::py::support::make;

/// A callback wrapper object returned by call_later() and call_at().
///
/// Follows asyncio.TimerHandle.
#[pyclass(frozen, extends = Handle, module = "tornado4._core")]
pub struct TimerHandle {
    /// Seconds on the loop's clock.
    when: f64,
    /// Where the loop keeps the timer, once it is scheduled.
    key: Guarded<Option<Key>>,
}

impl TimerHandle {
    /// Schedules a callback.
    pub fn schedule(
        event_loop: &Bound<'_, EventLoop>,
        (deadline, when): (Deadline, f64),
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<TimerHandle>> {
        let handle = Handle::create(event_loop, callback, args, context)?;
        let timer = TimerHandle {
            when,
            key: Guarded::new(None),
        };
        let initializer = PyClassInitializer::from(handle).add_subclass(timer);
        let timer = Bound::new(event_loop.py(), initializer)?;
        let base = timer.as_super().clone().unbind();
        let (this, py) = (event_loop.get(), event_loop.py());
        let key = this.insert_timer(py, deadline, Timer::Handle(base))?;
        *timer.get().key.lock(py) = Some(key);
        Ok(timer.unbind())
    }
}

impl TimerHandle {
    fn key(&self, py: Python<'_>) -> Option<Key> {
        *self.key.lock(py)
    }

    /// Takes the timer out of its loop's heap, if it is still there.
    pub fn unschedule(slf: &Bound<'_, Self>) -> Option<Timer> {
        let event_loop = slf.as_super().get().event_loop();
        event_loop
            .get()
            .remove_timer(slf.py(), slf.get().key(slf.py())?)
    }
}

#[pymethods]
impl TimerHandle {
    /// asyncio's own class, for `isinstance`.
    #[getter]
    #[allow(clippy::unused_self)]
    fn __class__<'py>(&self, py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
        imports::timer_handle_class(py)
    }

    /// Cancel the callback; does nothing if it has run or was cancelled.
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let base = slf.as_super();
        let outcome = Handle::cancel(base);
        if let Some(key) = slf.get().key(slf.py()) {
            let timer = base.get().event_loop().get().remove_timer(slf.py(), key);
            drop(timer);
        }
        outcome
    }

    /// Return the scheduled time, in seconds on the loop's clock.
    fn when<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFloat>> {
        make::float(py, self.when)
    }

    #[getter]
    fn _scheduled(slf: &Bound<'_, Self>) -> bool {
        let event_loop = slf.as_super().get().event_loop();
        let key = slf.get().key(slf.py());
        key.is_some_and(|key| event_loop.get().is_scheduled(slf.py(), key))
    }

    /// The loop knows it itself.
    #[setter(_scheduled)]
    #[allow(clippy::unused_self)]
    fn ignore_scheduled(&self, _scheduled: bool) {}

    #[getter]
    fn _when<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFloat>> {
        make::float(py, self.when)
    }

    fn _repr_info<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let info = imports::handle_repr_info(slf.as_any())?;
        let position = if slf.as_super().get().is_cancelled() {
            2
        } else {
            1
        };
        let when = make::float(slf.py(), slf.get().when)?.repr()?;
        let when = make::text(slf.py(), &format!("when={}", when.to_string_lossy()))?;
        info.insert(position, when)?;
        Ok(info)
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        make::float(slf.py(), slf.get().when)?.hash()
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, TimerHandle>,
        operation: CompareOp,
    ) -> PyResult<bool> {
        let (mine, theirs) = (slf.get().when, other.get().when);
        Ok(match operation {
            CompareOp::Lt => mine < theirs,
            CompareOp::Gt => mine > theirs,
            CompareOp::Eq => same(slf, other)?,
            CompareOp::Ne => !same(slf, other)?,
            CompareOp::Le => mine < theirs || same(slf, other)?,
            CompareOp::Ge => mine > theirs || same(slf, other)?,
        })
    }
}

/// Equality as asyncio.TimerHandle has it.
fn same(one: &Bound<'_, TimerHandle>, other: &Bound<'_, TimerHandle>) -> PyResult<bool> {
    let py = one.py();
    let (base, other_base) = (one.as_super().get(), other.as_super().get());
    if one.get().when.to_bits() != other.get().when.to_bits()
        || base.is_cancelled() != other_base.is_cancelled()
    {
        return Ok(false);
    }
    match (base.work(py), other_base.work(py)) {
        (Some((callback, args)), Some((other_callback, other_args))) => {
            Ok(callback.eq(other_callback)? && args.eq(other_args)?)
        }
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}
