//! The methods of `_core.IOLoop`, the base of `tornado4.ioloop.IOLoop`.

use crate::py::support::make::Said;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyTuple};

use super::{Callback, Handler, Timeout};
use crate::core::registrations::Role;
use crate::core::sys::Trigger;
use crate::py::dispatch::call::Call;
use crate::py::dispatch::watcher::Watcher;
use crate::py::event_loop::EventLoop;
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::{context, error, imports};

const EVERY_ROLE: [Role; 3] = [Role::Read, Role::Write, Role::Error];

/// The native half of an IOLoop.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct IOLoop {
    /// Set once, by `_bind`.
    event_loop: OnceLock<Py<EventLoop>>,
    /// Whether callbacks and timeouts are dropped instead of called.
    drops_calls: AtomicBool,
    /// Whether `time()` isn't the wall clock but a subclass's own.
    pub(super) own_clock: AtomicBool,
    /// Whether `call_at` is a subclass's own, which the other methods go through.
    pub(super) own_call_at: AtomicBool,
}

impl IOLoop {
    /// Whether callbacks and timeouts are dropped instead of called.
    pub fn drops_calls(&self) -> bool {
        self.drops_calls.load(Ordering::Relaxed)
    }

    pub(super) fn event_loop(&self) -> PyResult<&Py<EventLoop>> {
        self.event_loop
            .get()
            .ok_or_else(|| PyRuntimeError::new_err(Said("IOLoop.initialize() was not called")))
    }

    /// The descriptor that `fd`, a number or a file object, stands for.
    fn descriptor(&self, fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
        if fd.is_instance_of::<PyInt>() {
            return fd.extract();
        }
        let number: RawFd = fd.call_method0(intern!(fd.py(), "fileno"))?.extract()?;
        if number >= 0 {
            return Ok(number);
        }
        // Closed already: the number that it had when it was added.
        let event_loop = self.event_loop()?.get();
        Ok(event_loop.with_registrations(|registrations| {
            registrations
                .iter()
                .find(|(_, watchers)| watchers.iter().any(|watcher| watcher.is_for(fd)))
                .map_or(number, |(fd, _)| fd)
        }))
    }

    /// The handler of a descriptor.
    fn handler(&self, fd: RawFd) -> PyResult<Option<Arc<Watcher>>> {
        let event_loop = self.event_loop()?.get();
        Ok(event_loop.with_registrations(|registrations| {
            let watcher = registrations.watchers(fd)?.get(Role::Error)?;
            watcher.handler().map(|_| Arc::clone(watcher))
        }))
    }

    fn add_call(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
        context: Py<PyAny>,
    ) -> PyResult<()> {
        hang_rather_than_unwind();
        check_callable(slf.py(), &callback)?;
        let event_loop = slf.get().event_loop()?.get();
        event_loop.check_hears_threads()?;
        if !event_loop.is_closed() && !slf.get().drops_calls() {
            event_loop.schedule(
                slf.py(),
                Call::Callback(Callback {
                    io_loop: slf.clone().unbind(),
                    callback,
                    args,
                    kwargs,
                    context,
                }),
            )?;
        }
        Ok(())
    }
}

/// Checks, in asyncio's debug mode only, that this is the loop's thread if it runs.
pub(super) fn check_thread(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    if event_loop.get().is_debug() {
        event_loop.call_method0(intern!(event_loop.py(), "_check_thread"))?;
    }
    Ok(())
}

/// Tornado finds out when it binds the arguments, which is at once.
pub(super) fn check_callable(py: Python<'_>, callback: &Py<PyAny>) -> PyResult<()> {
    let callback = callback.bind(py);
    if callback.is_callable() {
        return Ok(());
    }
    let mut message = format!(
        "the first argument must be callable, got {}",
        callback.repr()?
    );
    if imports::is_coroutine(callback)? {
        message.push_str(": pass the function itself, and its arguments after it");
        // Or Python would say, too, that nobody has awaited it.
        callback.call_method0(intern!(py, "close"))?;
    }
    Err(PyTypeError::new_err(Said(message)))
}

#[pymethods]
impl IOLoop {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        IOLoop {
            event_loop: OnceLock::new(),
            drops_calls: AtomicBool::new(false),
            own_clock: AtomicBool::new(false),
            own_call_at: AtomicBool::new(false),
        }
    }

    /// Attach to the asyncio face, and tell whether time() is a subclass's
    /// own clock. May be called once.
    fn _bind(slf: &Bound<'_, Self>, event_loop: Py<EventLoop>, own_clock: bool) -> PyResult<()> {
        let this = slf.get();
        let call_at = intern!(slf.py(), "call_at");
        let native = slf.py().get_type::<IOLoop>().getattr(call_at)?;
        let own_call_at = !slf.get_type().getattr(call_at)?.is(&native);
        this.own_clock.store(own_clock, Ordering::Relaxed);
        this.own_call_at.store(own_call_at, Ordering::Relaxed);
        this.event_loop
            .set(event_loop)
            .map_err(|_| PyRuntimeError::new_err(Said("IOLoop.initialize() was called twice")))
    }

    /// Call handler(fd, events) whenever fd is ready for one of events.
    ///
    /// fd is a descriptor or an object with fileno() and close(), and is given
    /// back as it is; events is a bitwise or of READ, WRITE and ERROR, and one
    /// call carries all that fd is ready for. Level-triggered. An error or a
    /// hang-up makes fd ready for whatever of READ and WRITE is asked for;
    /// ERROR comes with READ alone, at a hang-up with no input left. Raises
    /// ValueError if fd has a handler, OSError if fd can't be watched,
    /// RuntimeError when the loop is closed. Follows the documentation of
    /// Tornado 4.5.
    fn add_handler(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        handler: Py<PyAny>,
        events: u32,
    ) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let event_loop = this.event_loop()?.get();
        event_loop.check_open()?;
        check_thread(this.event_loop()?.bind(py))?;
        let number = this.descriptor(fd)?;
        if this.handler(number)?.is_some() {
            let message = format!("fd {number} added twice");
            return Err(PyValueError::new_err(Said(message)));
        }
        let watcher = Arc::new(Watcher::Handler(Handler {
            io_loop: slf.clone().unbind(),
            file: fd.clone().unbind(),
            handler,
            context: context::copy_current(py)?,
        }));
        let (roles, _) = Handler::roles(events);
        let displaced = event_loop.watch(number, &watcher, &roles, &[], Trigger::Level)?;
        drop(displaced);
        Ok(())
    }

    /// Change the events that the handler of fd is called for.
    ///
    /// Raises FileNotFoundError if fd has no handler. Follows the
    /// documentation of Tornado 4.5.
    fn update_handler(&self, fd: &Bound<'_, PyAny>, events: u32) -> PyResult<()> {
        let event_loop = self.event_loop()?.get();
        event_loop.check_open()?;
        check_thread(self.event_loop()?.bind(fd.py()))?;
        let number = self.descriptor(fd)?;
        let watcher = self
            .handler(number)?
            .ok_or_else(|| error::os_error(io::Error::from_raw_os_error(libc::ENOENT)))?;
        let (roles, others) = Handler::roles(events);
        // A stream isn't read from between two messages, and often is again right after that.
        if roles == [Role::Error]
            && watcher.handler().is_some_and(|it| it.is_streams(fd.py()))
            && let Some(resting) = event_loop.rest(number, &watcher)
        {
            drop(resting);
            return Ok(());
        }
        if roles == [Role::Error, Role::Read] && event_loop.resume(number, &watcher) {
            return Ok(());
        }
        let displaced = event_loop.watch(number, &watcher, &roles, &others, Trigger::Level)?;
        drop(displaced);
        Ok(())
    }

    /// Stop listening for events on fd; an unknown fd is ignored.
    fn remove_handler(&self, fd: &Bound<'_, PyAny>) -> PyResult<()> {
        check_thread(self.event_loop()?.bind(fd.py()))?;
        let number = match self.descriptor(fd) {
            // Too large a number is no descriptor's, so it has no handler.
            Err(error) if error.is_instance_of::<PyOverflowError>(fd.py()) => return Ok(()),
            number => number?,
        };
        if self.handler(number)?.is_some() {
            let removed = self.event_loop()?.get().unwatch(number, &EVERY_ROLE);
            drop(removed);
        }
        Ok(())
    }

    /// Remove every handler; the descriptors, as they were given.
    fn _remove_handlers(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let event_loop = self.event_loop()?.get();
        let known: Vec<_> = event_loop.with_registrations(|registrations| {
            let handlers = registrations.iter().filter_map(|(fd, watchers)| {
                let handler = watchers.get(Role::Error)?.handler()?;
                Some((fd, handler.file.clone_ref(py)))
            });
            handlers.collect()
        });
        for (fd, _) in &known {
            let removed = event_loop.unwatch(*fd, &EVERY_ROLE);
            drop(removed);
        }
        Ok(known.into_iter().map(|(_, file)| file).collect())
    }

    /// How many descriptors have handlers of Tornado's, and how many timers the loop has, of
    /// whatever kind.
    fn _counts(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        let event_loop = self.event_loop()?.get();
        let handlers = event_loop.with_registrations(|registrations| {
            let all = registrations.iter().filter_map(|(_, w)| w.get(Role::Error));
            all.filter(|watcher| watcher.handler().is_some()).count()
        });
        Ok((handlers, event_loop.timer_count(py)))
    }

    /// Drop what add_callback() and the timeouts have left, and what comes:
    /// the IOLoop is closed, but its asyncio loop goes on.
    fn _drop_calls(&self) {
        self.drops_calls.store(true, Ordering::Relaxed);
    }

    /// Call ``callback(*args, **kwargs)`` in the next iteration of the loop.
    ///
    /// Safe from any thread. Runs in a copy of the current context. After
    /// close() it does nothing. Follows the documentation of Tornado 4.5.
    #[pyo3(signature = (callback, *args, **kwargs))]
    fn add_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<()> {
        let context = context::copy_current(slf.py())?;
        IOLoop::add_call(slf, callback, args, kwargs, context)
    }

    /// Like add_callback(), for use in a signal handler: runs in an empty
    /// context. Follows the documentation of Tornado 4.5.
    #[pyo3(signature = (callback, *args, **kwargs))]
    fn add_callback_from_signal(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<()> {
        let context = context::empty(slf.py())?;
        IOLoop::add_call(slf, callback, args, kwargs, context)
    }

    /// Call ``callback(*args, **kwargs)`` at deadline: a number of seconds on
    /// the clock of time(), or a datetime.timedelta from now.
    ///
    /// Returns a handle for remove_timeout(). Raises TypeError for anything
    /// else, ValueError for NaN. Follows the documentation of Tornado 4.5.
    #[pyo3(signature = (deadline, callback, *args, **kwargs))]
    fn add_timeout(
        slf: &Bound<'_, Self>,
        deadline: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        if deadline.is_exact_instance_of::<PyFloat>() || imports::is_real(deadline)? {
            IOLoop::at(slf, deadline.extract()?, callback, args, kwargs)
        } else if imports::is_timedelta(deadline)? {
            let delay = deadline.call_method0(intern!(slf.py(), "total_seconds"))?;
            IOLoop::after(slf, delay.extract()?, callback, args, kwargs)
        } else {
            let message = format!("Unsupported deadline {}", deadline.repr()?);
            Err(PyTypeError::new_err(Said(message)))
        }
    }

    /// Call ``callback(*args, **kwargs)`` after delay seconds.
    ///
    /// Returns a handle for remove_timeout(). Follows the documentation of
    /// Tornado 4.5.
    #[pyo3(signature = (delay, callback, *args, **kwargs))]
    fn call_later(
        slf: &Bound<'_, Self>,
        delay: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        IOLoop::after(slf, delay, callback, args, kwargs)
    }

    /// Call ``callback(*args, **kwargs)`` at the time when, in seconds on the
    /// clock of time().
    ///
    /// Returns a handle for remove_timeout(). Follows the documentation of
    /// Tornado 4.5.
    #[pyo3(signature = (when, callback, *args, **kwargs))]
    fn call_at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<Py<Timeout>> {
        IOLoop::schedule_at(slf, when, callback, args, kwargs)
    }

    /// Remove a timeout; one that has run or was removed is ignored.
    #[allow(clippy::unused_self)]
    fn remove_timeout(&self, timeout: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(timeout) = timeout.cast::<Timeout>() {
            timeout.get().remove(timeout.py());
        } else {
            // A handle of the asyncio face, as Tornado 5 and later return it.
            timeout.call_method0(intern!(timeout.py(), "cancel"))?;
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.event_loop.get() {
            Some(event_loop) => visit.call(event_loop),
            None => Ok(()),
        }
    }
}
