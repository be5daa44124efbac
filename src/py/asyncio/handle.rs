//! `asyncio.Handle`: a queued callback that can be cancelled.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use super::EventLoop;
use crate::py::support::guarded::Guarded;
use crate::py::support::{context, error, imports};

/// A callback wrapper object returned by call_soon(), call_soon_threadsafe(),
/// add_reader() and add_writer().
///
/// Follows asyncio.Handle.
#[pyclass(frozen, subclass, weakref, module = "tornado4._core")]
pub struct Handle {
    event_loop: Py<EventLoop>,
    context: Py<PyAny>,
    // GIL: the flag and the state change together.
    cancelled: AtomicBool,
    state: Guarded<State>,
}

struct State {
    /// The callback and its arguments, until cancelled.
    work: Option<(Py<PyAny>, Py<PyTuple>)>,
    /// Where the handle was made; in debug mode only.
    source_traceback: Option<Py<PyAny>>,
    /// What the handle was; kept when it is cancelled in debug mode.
    repr: Option<Py<PyString>>,
}

impl Handle {
    /// A handle in the given context, or else in a copy of the current one.
    pub fn create(
        event_loop: &Bound<'_, EventLoop>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Handle> {
        let py = event_loop.py();
        let context = match context {
            Some(context) => context,
            None => context::copy_current(py)?,
        };
        let source_traceback = if event_loop.get().is_debug() {
            Some(imports::extract_stack(py)?)
        } else {
            None
        };
        Ok(Handle {
            event_loop: event_loop.clone().unbind(),
            context,
            cancelled: AtomicBool::new(false),
            state: Guarded::new(State {
                work: Some((callback, args)),
                source_traceback,
                repr: None,
            }),
        })
    }

    /// The loop that runs the handle.
    pub fn event_loop(&self) -> &Py<EventLoop> {
        &self.event_loop
    }

    /// Whether the handle has been cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The callback and its arguments, unless cancelled.
    pub fn work<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let state = self.state.lock(py);
        let (callback, args) = state.work.as_ref()?;
        Some((callback.bind(py).clone(), args.bind(py).clone()))
    }

    /// Makes sure that the handle never runs, and drops its callback.
    pub fn cancel_quietly(&self, py: Python<'_>) {
        self.cancelled.store(true, Ordering::Relaxed);
        let work = self.state.lock(py).work.take();
        drop(work);
    }

    /// Calls the callback in its context. An exception goes to the loop's
    /// exception handler.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn run(slf: &Bound<'_, Handle>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        // It still has its work where its repr has failed in `cancel`.
        if this.is_cancelled() {
            return Ok(());
        }
        let Some((callback, args)) = this.work(py) else {
            return Ok(());
        };
        let outcome = context::run_in(py, &this.context, || {
            if args.is_empty() {
                callback.call0()
            } else {
                callback.call1(args)
            }
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if error::ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let report = intern!(py, "_report_callback_error");
                let event_loop = this.event_loop.bind(py);
                event_loop.call_method1(report, (slf, error::value(py, error)))?;
                Ok(())
            }
        }
    }
}

#[pymethods]
impl Handle {
    /// asyncio's own class, for `isinstance`.
    #[getter]
    #[allow(clippy::unused_self)]
    fn __class__<'py>(&self, py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
        imports::handle_class(py)
    }

    /// Cancel the callback; does nothing if it has run or was cancelled.
    pub fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        if this.is_cancelled() {
            return Ok(());
        }
        if this.event_loop.get().is_debug() {
            this.cancelled.store(true, Ordering::Relaxed);
            let repr = imports::handle_repr(slf.as_any())?.unbind();
            let before = this.state.lock(slf.py()).repr.replace(repr);
            drop(before);
        }
        this.cancel_quietly(slf.py());
        Ok(())
    }

    /// Return True if the callback was cancelled.
    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    /// Return the contextvars.Context that the callback runs in.
    fn get_context(&self, py: Python<'_>) -> Py<PyAny> {
        self.context.clone_ref(py)
    }

    /// Call the callback now, as the loop does.
    #[pyo3(name = "_run")]
    fn run_now(slf: &Bound<'_, Self>) -> PyResult<()> {
        Handle::run(slf)
    }

    fn _repr_info<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        imports::handle_repr_info(slf.as_any())
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        imports::handle_repr(slf.as_any())
    }

    #[getter]
    fn _callback<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.work(py).map(|(callback, _)| callback)
    }

    #[getter]
    fn _args<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.work(py).map(|(_, args)| args)
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.is_cancelled()
    }

    #[getter]
    fn _context(&self, py: Python<'_>) -> Py<PyAny> {
        self.context.clone_ref(py)
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<EventLoop> {
        self.event_loop.clone_ref(py)
    }

    #[getter]
    fn _source_traceback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = self.state.lock(py);
        state.source_traceback.as_ref().map(|it| it.clone_ref(py))
    }

    #[getter]
    fn _repr(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let state = self.state.lock(py);
        state.repr.as_ref().map(|it| it.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.context)?;
        let Some(state) = self.state.visit(&visit) else {
            return Ok(());
        };
        if let Some((callback, args)) = &state.work {
            visit.call(callback)?;
            visit.call(args)?;
        }
        visit.call(&state.source_traceback)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.cancel_quietly(py);
    }
}
