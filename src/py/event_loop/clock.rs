//! The clock that a loop's timers follow: the monotonic one, or one of the user's own.
//!
//! The heap's deadlines are readings of the loop's clock. As long as that is the
//! monotonic clock they are what the poll waits for; once `time()` is somebody's own it
//! is asked again in each turn, as asyncio does.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyDict, PyString, PySuper, PyTuple};

use super::state::EventLoop;
use crate::core::clock::Deadline;
use crate::py::support::attributes;
use crate::py::support::error;
use crate::py::support::make;

/// A function of the module `time`, which tests put others in the place of.
struct Builtin {
    name: &'static str,
    found: PyOnceLock<Found>,
}

struct Found {
    module: Py<PyDict>,
    name: Py<PyString>,
    /// The interpreter's own function.
    own: Py<PyAny>,
}

impl Builtin {
    const fn new(name: &'static str) -> Builtin {
        let found = PyOnceLock::new();
        Builtin { name, found }
    }

    /// Whether somebody has put another function in its place.
    #[inline]
    fn is_replaced(&self, py: Python<'_>) -> bool {
        let Some(found) = self.found.get(py) else {
            return self.look(py);
        };
        // GIL: the dict lets go of nothing between the look and the comparison.
        //
        // SAFETY: attached; the module's dict and the name are alive. The result is
        // borrowed, and only compared.
        let now =
            unsafe { ffi::PyDict_GetItemWithError(found.module.as_ptr(), found.name.as_ptr()) };
        if now.is_null() {
            // It is deleted, or somebody's key beside it can't be compared.
            drop(PyErr::take(py));
        }
        now != found.own.as_ptr()
    }

    #[cold]
    fn look(&self, py: Python<'_>) -> bool {
        let look = || -> PyResult<Found> {
            let module = py.import(intern!(py, "time"))?;
            Ok(Found {
                module: module.dict().unbind(),
                name: make::name(py, self.name)?.unbind(),
                own: module.getattr(self.name)?.unbind(),
            })
        };
        let Ok(found) = look() else {
            return true;
        };
        if !found.own.bind(py).is_exact_instance_of::<PyCFunction>() {
            return true;
        }
        // Unless another thread was faster.
        let _filled = self.found.set(py, found);
        false
    }
}

static MONOTONIC: Builtin = Builtin::new("monotonic");
static TIME: Builtin = Builtin::new("time");

/// Whether `time.time` isn't the interpreter's.
pub fn is_wall_clock_replaced(py: Python<'_>) -> bool {
    TIME.is_replaced(py)
}

/// Whether the loop's clock is somebody's own.
#[inline]
pub fn is_own(event_loop: &EventLoop, py: Python<'_>) -> bool {
    event_loop.own_clock.load(Ordering::Relaxed) || MONOTONIC.is_replaced(py)
}

/// The time on the monotonic clock. If `time.monotonic` is somebody's own, what asyncio
/// makes of it: whoever replaces that may have given asyncio's loops another clock.
///
/// # Errors
/// Those of a function of somebody's own.
pub fn monotonic(event_loop: &Bound<'_, EventLoop>) -> PyResult<f64> {
    let py = event_loop.py();
    if !MONOTONIC.is_replaced(py) {
        return Ok(Deadline::now().as_seconds());
    }
    let asyncios = PySuper::new(&py.get_type::<EventLoop>(), event_loop)?;
    match asyncios.getattr_opt(intern!(py, "time"))? {
        Some(time) => time.call0()?.extract(),
        None => py
            .import(intern!(py, "time"))?
            .call_method0(intern!(py, "monotonic"))?
            .extract(),
    }
}

/// What the loop's `time()` gives.
///
/// # Errors
/// Those of a clock of somebody's own.
pub fn seconds(event_loop: &Bound<'_, EventLoop>) -> PyResult<f64> {
    event_loop
        .call_method0(intern!(event_loop.py(), "time"))?
        .extract()
}

/// The time now on the loop's clock.
///
/// # Errors
/// Those of a clock of somebody's own, and `ValueError` if it says NaN.
#[inline]
pub fn now(event_loop: &Bound<'_, EventLoop>) -> PyResult<Deadline> {
    if is_own(event_loop.get(), event_loop.py()) {
        return own_now(event_loop);
    }
    Ok(Deadline::now())
}

#[cold]
fn own_now(event_loop: &Bound<'_, EventLoop>) -> PyResult<Deadline> {
    // Should it end the loop, that is none of a face's own calls.
    let failed = |error| event_loop.get().ended_by(error, false);
    let seconds = seconds(event_loop).map_err(failed)?;
    error::deadline(Deadline::from_seconds(seconds)).map_err(failed)
}

/// Up to when timers are due. On a clock of somebody's own that is a nanosecond from now,
/// asyncio's resolution: it may stand still at a time that a timer's is computed from in
/// another way, and 0.1 + 0.2 isn't 0.3.
///
/// # Errors
/// As `now`.
#[inline]
pub fn due_until(event_loop: &Bound<'_, EventLoop>) -> PyResult<Deadline> {
    if is_own(event_loop.get(), event_loop.py()) {
        return Ok(own_now(event_loop)?.a_nanosecond_later());
    }
    Ok(Deadline::now())
}

/// When the next timer is due, on the monotonic clock, which says `now`: what the poll
/// waits for. A clock of somebody's own is taken to go on at the same rate.
///
/// # Errors
/// As `now`.
#[inline]
pub fn next_deadline(
    event_loop: &Bound<'_, EventLoop>,
    now: Deadline,
) -> PyResult<Option<Deadline>> {
    let next = event_loop.get().next_deadline(event_loop.py());
    let Some(deadline) = next else {
        return Ok(None);
    };
    if !is_own(event_loop.get(), event_loop.py()) {
        return Ok(next);
    }
    let left = deadline.since(own_now(event_loop)?.a_nanosecond_later());
    Ok(now.plus_seconds(left.as_secs_f64()))
}

/// Calls the `call_at` of an asyncio loop or an IOLoop, which may be somebody's own, with
/// the time and the callback before their arguments.
///
/// # Errors
/// Those of `call_at`.
#[cold]
pub fn call_at(
    loop_or_io_loop: &Bound<'_, PyAny>,
    first: (f64, Py<PyAny>),
    args: &Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
) -> PyResult<Py<PyAny>> {
    let py = loop_or_io_loop.py();
    let args = args.bind(py).as_sequence();
    let (when, callback) = first;
    let first = [make::float(py, when)?.into_any(), callback.into_bound(py)];
    let all = make::tuple(py, first)?.as_sequence().concat(args)?;
    let kwargs = kwargs.as_ref().map(|kwargs| kwargs.bind(py));
    let timer = loop_or_io_loop.call_method(intern!(py, "call_at"), all.to_tuple()?, kwargs)?;
    Ok(timer.unbind())
}

/// Looks whether a loop has a clock, or a `call_at`, of somebody's own: in its class or
/// put on itself. It doesn't ask for the loop's `__dict__`: with that made, CPython would
/// look up every method of the loop more slowly from then on.
///
/// # Errors
/// None, unless the class is broken.
pub fn note_overrides(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    let py = event_loop.py();
    let is_own = |name| -> PyResult<bool> {
        let native = py.get_type::<EventLoop>().getattr(name)?;
        let native = native.call_method1(intern!(py, "__get__"), (event_loop,))?;
        let found = event_loop.getattr(name)?;
        Ok(!found.is_exact_instance_of::<PyCFunction>() || found.ne(native)?)
    };
    let this = event_loop.get();
    let (clock, call_at) = (
        is_own(intern!(py, "time"))?,
        is_own(intern!(py, "call_at"))?,
    );
    this.own_clock.store(clock, Ordering::Relaxed);
    this.own_call_at.store(call_at, Ordering::Relaxed);
    Ok(())
}

/// Sets or deletes an attribute of a loop, and notices a clock or a `call_at` of somebody's
/// own.
///
/// # Errors
/// Those of `object.__setattr__`.
pub fn set_attribute(
    slf: &Bound<'_, EventLoop>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    attributes::set(slf.as_any(), name, value)?;
    if ["time", "call_at", "__class__"].contains(&&*name.to_string_lossy()) {
        note_overrides(slf)?;
    }
    Ok(())
}
