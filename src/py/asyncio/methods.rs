//! The methods of `_core.EventLoop`: asyncio's names for what the loop does.
//!
//! Attributes that asyncio's own base classes keep in an instance (`_closed`,
//! `_stopping`, `_debug`, `_thread_id`) are descriptors here, so that what the
//! inherited Python code sets is what the native code sees.

use crate::py::support::make::Said;
use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::{EventLoop, Handle, TimerHandle};
use crate::core::clock::Deadline;
use crate::py::dispatch::call::Call;
use crate::py::event_loop::{clock, flush, guest, measuring, turn};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::make;
use crate::py::support::{error, imports};

/// What asyncio checks in debug mode only: the thread, and the callback.
fn check(
    slf: &Bound<'_, EventLoop>,
    callback: &Py<PyAny>,
    method: &str,
    thread: bool,
) -> PyResult<()> {
    let py = slf.py();
    slf.get().check_open()?;
    if slf.get().is_debug() {
        if thread {
            slf.call_method0(intern!(py, "_check_thread"))?;
        }
        slf.call_method1(intern!(py, "_check_callback"), (callback, method))?;
    }
    Ok(())
}

fn queue(slf: &Bound<'_, EventLoop>, handle: Handle) -> PyResult<Py<Handle>> {
    let py = slf.py();
    let handle = Py::new(py, handle)?;
    slf.get().schedule(py, Call::Handle(handle.clone_ref(py)))?;
    Ok(handle)
}

/// Schedules a callback after a delay, where the loop's clock or `call_at` is somebody's
/// own.
#[cold]
fn call_later_by_clock(
    slf: &Bound<'_, EventLoop>,
    delay: f64,
    callback: Py<PyAny>,
    args: &Py<PyTuple>,
    context: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let when = clock::seconds(slf)? + delay;
    let named = make::dict(slf.py())?;
    named.set_item(intern!(slf.py(), "context"), context)?;
    clock::call_at(slf, (when, callback), args, Some(named.unbind()))
}

/// A number of seconds that asyncio's methods require.
fn seconds(value: &Bound<'_, PyAny>, refusal: &'static str) -> PyResult<f64> {
    if value.is_none() {
        return Err(PyTypeError::new_err(Said(refusal)));
    }
    value.extract()
}

#[pymethods]
impl EventLoop {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        EventLoop::create()
    }

    /// Arrange for a callback to be called in the next turn of the loop.
    ///
    /// Callbacks run in the order in which they were registered, each in its
    /// context. Raises RuntimeError when the loop is closed. Follows
    /// asyncio.loop.call_soon.
    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        check(slf, &callback, "call_soon", true)?;
        queue(slf, Handle::create(slf, callback, args, context)?)
    }

    /// Like call_soon(), from any thread; wakes the loop.
    ///
    /// From Python 3.14 on the handle is asyncio's own: cancelling it in another thread
    /// waits for a callback that is under way.
    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon_threadsafe(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        hang_rather_than_unwind();
        check(slf, &callback, "call_soon_threadsafe", false)?;
        slf.get().check_hears_threads()?;
        let py = slf.py();
        let Some(class) = imports::threadsafe_handle_class(py)? else {
            let handle = Handle::create(slf, callback, args, context)?;
            return Ok(queue(slf, handle)?.into_any());
        };
        let handle = class.call1((callback, args, slf, context))?;
        let traceback = handle.getattr(intern!(py, "_source_traceback"))?;
        if traceback.is_truthy()? {
            // The class's own frame.
            traceback.del_item(-1)?;
        }
        slf.get()
            .schedule(py, Call::Foreign(handle.clone().unbind()))?;
        Ok(handle.unbind())
    }

    /// Arrange for a callback to be called after a delay in seconds.
    ///
    /// A negative delay is like 0. Raises TypeError for a delay that is no
    /// number, ValueError for NaN, RuntimeError when the loop is closed.
    /// Follows asyncio.loop.call_later.
    #[pyo3(signature = (delay, callback, *args, context = None))]
    fn call_later(
        slf: &Bound<'_, Self>,
        delay: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let delay = seconds(delay, "delay must not be None")?;
        if this.own_call_at.load(Ordering::Relaxed) || clock::is_own(this, py) {
            return call_later_by_clock(slf, delay, callback, &args, context);
        }
        check(slf, &callback, "call_at", true)?;
        let now = Deadline::now();
        let deadline = error::deadline(now.plus_seconds(delay))?;
        let when = (deadline, delay + now.as_seconds());
        Ok(TimerHandle::schedule(slf, when, callback, args, context)?.into_any())
    }

    /// Like call_later(), at an absolute time on the clock of time().
    #[pyo3(signature = (when, callback, *args, context = None))]
    fn call_at(
        slf: &Bound<'_, Self>,
        when: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<TimerHandle>> {
        let when = seconds(when, "when cannot be None")?;
        check(slf, &callback, "call_at", true)?;
        let deadline = error::deadline(Deadline::from_seconds(when))?;
        TimerHandle::schedule(slf, (deadline, when), callback, args, context)
    }

    /// Return the loop's time in seconds: that of time.monotonic().
    fn time(slf: &Bound<'_, Self>) -> PyResult<make::Float> {
        clock::monotonic(slf).map(make::Float)
    }

    /// Stop the loop after the turn that is under way, or else the next one.
    fn stop(&self, py: Python<'_>) {
        self.stopping.store(true, Ordering::Relaxed);
        self.interrupt_wait(py);
    }

    /// Return True while the loop runs.
    fn is_running(&self) -> bool {
        self.thread.load(Ordering::Relaxed) != 0
    }

    /// Return True after close().
    #[pyo3(name = "is_closed")]
    fn py_is_closed(&self) -> bool {
        EventLoop::is_closed(self)
    }

    /// Return True in debug mode.
    fn get_debug(&self) -> bool {
        self.is_debug()
    }

    fn _check_closed(&self) -> PyResult<()> {
        self.check_open()
    }

    /// Send what callbacks have written and what is held back yet.
    fn _flush_streams(slf: &Bound<'_, Self>) -> PyResult<()> {
        flush::flush(slf)
    }

    /// The native transport that a descriptor belongs to, if there is one.
    fn _transport_of<'py>(
        slf: &Bound<'py, Self>,
        fd: &Bound<'py, PyAny>,
    ) -> Option<Bound<'py, PyAny>> {
        // Too large a number is no descriptor.
        let fd = fd.extract().ok()?;
        slf.get().transports.get(slf.py(), fd)
    }

    /// Queue a handle that asyncio made itself, such as a signal handler's.
    fn _add_callback(&self, py: Python<'_>, handle: Py<PyAny>) -> PyResult<()> {
        if !handle
            .call_method0(py, intern!(py, "cancelled"))?
            .is_truthy(py)?
        {
            self.schedule(py, Call::Foreign(handle))?;
        }
        Ok(())
    }

    fn _add_callback_signalsafe(&self, py: Python<'_>, handle: Py<PyAny>) -> PyResult<()> {
        self._add_callback(py, handle)
    }

    /// Turn until stop() was called.
    fn _run(slf: &Bound<'_, Self>) -> PyResult<()> {
        turn::run(slf)
    }

    /// Tell, once, whether what _run() raised is for Twisted's main loop to log, before it
    /// goes on: it came from a signal handler, or out of Twisted's own calls.
    fn _take_unexpected(&self) -> bool {
        self.unexpected.swap(false, Ordering::Relaxed)
    }

    /// One turn, waiting at most `limit` seconds; None: until something
    /// happens. May be called while a turn is under way.
    #[pyo3(signature = (limit = None))]
    fn _turn(slf: &Bound<'_, Self>, limit: Option<f64>) -> PyResult<()> {
        turn::turn(slf, turn::limit(limit))
    }

    /// One turn of a guest, whose poll a foreign loop watches: doesn't wait.
    /// `_guest_idle` must follow.
    fn _guest_turn(slf: &Bound<'_, Self>) -> PyResult<()> {
        guest::turn_once(slf)
    }

    /// Leave a guest's poll so that the host sees it ready when there is work.
    /// Returns the seconds until the next timer is due, if there is one.
    fn _guest_idle(slf: &Bound<'_, Self>) -> PyResult<Option<make::Float>> {
        Ok(guest::idle(slf)?.map(make::Float))
    }

    /// The descriptor of the poll, which is readable when there is work.
    fn _poll_fd(&self) -> PyResult<i32> {
        let fd = self.poller()?.as_raw_fd();
        self.is_guest.store(true, Ordering::Relaxed);
        Ok(fd)
    }

    /// Note that this is a child that was just forked. Tells whether the child may use the loop
    /// as the parent does, with what it has anew.
    fn _forked(&self, py: Python<'_>) -> bool {
        self.forked(py);
        !self.is_here() && !self.is_parents()
    }

    /// Whether the loop is this process's, and not a parent's that has forked it.
    fn _is_here(&self) -> bool {
        self.is_here()
    }

    /// Raise `RuntimeError` if a parent ran the loop when it forked this process.
    fn _check_not_parents(&self) -> PyResult<()> {
        self.check_not_parents()
    }

    /// Whether anything is scheduled, or more descriptors are watched than these.
    fn _has_work(&self, py: Python<'_>, internal_fds: usize) -> bool {
        !self.calls.lock(py).is_empty()
            || self.next_deadline(py).is_some()
            || self.with_registrations(|all| all.iter().nth(internal_fds).is_some())
    }

    /// Measure from now on, or no more.
    fn _measure(&self, on: bool) {
        self.measure(on);
    }

    /// Forget what was measured.
    fn _measure_anew(&self) {
        self.measure_anew();
    }

    /// What was measured, and what the loop holds now, by name; times are in seconds.
    fn _measured<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        measuring::report(self, py)
    }

    /// Call `tick` at the end of each turn that is measured, with the seconds that the turn
    /// has waited and worked; None: nobody.
    #[pyo3(signature = (tick))]
    fn _set_tick(&self, py: Python<'_>, tick: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *self.tick.lock(py), tick);
        drop(before);
    }

    /// Look whether time() and call_at() are somebody's own.
    fn _note_overrides(slf: &Bound<'_, Self>) -> PyResult<()> {
        clock::note_overrides(slf)
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        clock::set_attribute(slf, name, Some(value))
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        clock::set_attribute(slf, name, None)
    }

    /// Close the native side: everything that is scheduled is dropped.
    fn _release(&self, py: Python<'_>) {
        self.release(py);
    }

    #[getter(_closed)]
    fn closed_attribute(&self) -> bool {
        EventLoop::is_closed(self)
    }

    #[setter(_closed)]
    fn set_closed_attribute(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    #[getter(_stopping)]
    fn stopping_attribute(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    #[setter(_stopping)]
    fn set_stopping_attribute(&self, stopping: bool) {
        self.stopping.store(stopping, Ordering::Relaxed);
    }

    #[getter(_debug)]
    fn debug_attribute(&self) -> bool {
        self.is_debug()
    }

    #[setter(_debug)]
    fn set_debug_attribute(&self, debug: &Bound<'_, PyAny>) -> PyResult<()> {
        let debug_mode = debug.is_truthy()?;
        if debug_mode {
            // A loop that nobody closes cancels handles when it is too late to import.
            imports::handle_class(debug.py())?;
        }
        self.debug.store(debug_mode, Ordering::Relaxed);
        Ok(())
    }

    #[getter(_thread_id)]
    fn thread_attribute(&self) -> Option<u64> {
        let thread = self.thread.load(Ordering::Relaxed);
        (thread != 0).then_some(thread)
    }

    #[setter(_thread_id)]
    fn set_thread_attribute(&self, thread: Option<u64>) {
        self.thread.store(thread.unwrap_or(0), Ordering::Relaxed);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        let factory = self.task_factory.lock(py).take();
        drop(factory);
        self.release(py);
    }
}
