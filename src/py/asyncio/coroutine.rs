//! A coroutine that may await Deferreds, as a task sees it.
//!
//! A Deferred that is awaited yields itself, which a task takes for an error. Here
//! the task gets a future in its place. How a Deferred hands over its result is
//! Twisted's business, so the Python side makes that future.
#![allow(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::core::lock::{lock, try_lock};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::make;
use crate::py::support::recursion::Deeper;
use crate::py::support::stepping::{Step, send};

/// The class Deferred, and what makes the future for one.
pub type Deferreds = (Py<PyType>, Py<PyAny>);

/// Those that coroutines await which were given none: Twisted may be imported later.
static DEFERREDS: PyOnceLock<Deferreds> = PyOnceLock::new();

/// Has all coroutines await Deferreds that know of none, from now on; the first counts.
pub fn serve(py: Python<'_>, deferreds: Deferreds) {
    DEFERREDS.get_or_init(py, || deferreds);
}

/// Whether `serve` was called.
pub fn serves(py: Python<'_>) -> bool {
    DEFERREDS.get(py).is_some()
}

/// A coroutine that may await Deferreds: Coroutine(coro, deferreds = None).
///
/// `deferreds` is a pair, (deferred, wait); None: what TaskMaker.serve was given, if it
/// was called by the time that a Deferred is yielded.
///
/// What `coro` yields is yielded, but an instance of the class `deferred`, for which
/// `wait(instance)` gives what is yielded instead; None: the instance after all. It
/// has the methods resume(coro), which takes the next step when the task has
/// waited, and leave(), for when the coroutine goes on without the result. Whatever
/// else is asked of this object, `coro` answers.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct Coroutine {
    inner: Py<PyAny>,
    deferreds: Option<Deferreds>,
    /// Whether there is something in `waiting`, to know it without the lock.
    waits: AtomicBool,
    /// What the task waits for, if it is a Deferred.
    waiting: Mutex<Option<Py<PyAny>>>,
}

impl Coroutine {
    /// The next step of the coroutine, past any result of a Deferred.
    fn step<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        hang_rather_than_unwind();
        let _deeper = deeper(value.py())?;
        let inner = self.inner.bind(value.py());
        let step = match self.stop_waiting(value.py()) {
            None => send(inner, value)?,
            Some(waiting) => resume(&waiting, inner)?,
        };
        match step {
            Step::Yielded(object) => self.replace(object).map(Step::Yielded),
            returned @ Step::Returned(_) => Ok(returned),
        }
    }

    /// What the task sees of a yielded object.
    fn replace<'py>(&self, object: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = object.py();
        let deferreds = self.deferreds.as_ref().or_else(|| DEFERREDS.get(py));
        let Some((deferred, wait)) = deferreds else {
            return Ok(object);
        };
        if !has_type(&object, deferred.bind(py)) {
            return Ok(object);
        }
        let waiting = wait.bind(py).call1((&object,))?;
        if waiting.is_none() {
            return Ok(object);
        }
        // GIL: the flag and the future change together.
        let before = lock(&self.waiting).replace(waiting.clone().unbind());
        self.waits.store(true, Ordering::Relaxed);
        drop(before);
        Ok(waiting)
    }

    fn stop_waiting<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if !self.waits.load(Ordering::Relaxed) {
            return None;
        }
        self.waits.store(false, Ordering::Relaxed);
        let waiting = lock(&self.waiting).take();
        waiting.map(|waiting| waiting.into_bound(py))
    }

    /// Gives up waiting for a Deferred's result.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(waiting) = self.stop_waiting(py) {
            waiting.call_method0(intern!(py, "leave"))?;
        }
        Ok(())
    }
}

/// The next step of a coroutine that has waited for a Deferred. Where an exception
/// went through Twisted's code, its traceback must not tell of it.
fn resume<'py>(waiting: &Bound<'py, PyAny>, coroutine: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
    let outcome = waiting.call_method1(intern!(waiting.py(), "resume"), (coroutine,))?;
    let (yielded, raised): (Bound<'py, PyAny>, Bound<'py, PyAny>) = outcome.extract()?;
    if raised.is_none() {
        Ok(Step::Yielded(yielded))
    } else {
        Err(PyErr::from_value(raised))
    }
}

/// Whether `object` is a real instance of `class`: an abstract base class, which
/// Deferred has, makes `isinstance` slow.
fn has_type(object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> bool {
    // SAFETY: attached; both are live type objects.
    unsafe { ffi::PyType_IsSubtype(object.get_type_ptr(), class.as_type_ptr()) != 0 }
}

/// What is wrapped may be wrapped itself, however often.
fn deeper(py: Python<'_>) -> PyResult<Deeper<'_>> {
    Deeper::enter(py, c" in a coroutine that may await Deferreds")
}

fn stop_iteration(value: Bound<'_, PyAny>) -> PyErr {
    // In a tuple: a tuple itself would be taken for several arguments.
    match make::tuple(value.py(), [value]) {
        Ok(args) => PyStopIteration::new_err(args.unbind()),
        Err(error) => error,
    }
}

#[pymethods]
impl Coroutine {
    /// Wraps a coroutine; see the class.
    #[new]
    #[pyo3(signature = (coro, deferreds = None))]
    pub fn new(coro: Py<PyAny>, deferreds: Option<Deferreds>) -> Self {
        Coroutine {
            inner: coro,
            deferreds,
            waits: AtomicBool::new(false),
            waiting: Mutex::new(None),
        }
    }

    /// Run until the next yield, and return what is yielded.
    fn send<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.step(value)? {
            Step::Yielded(object) => Ok(object),
            Step::Returned(object) => Err(stop_iteration(object)),
        }
    }

    /// Raise an exception where the coroutine waits, and run until the next yield.
    #[pyo3(signature = (*args))]
    fn throw<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        hang_rather_than_unwind();
        let py = args.py();
        let _deeper = deeper(py)?;
        self.leave(py)?;
        let inner = self.inner.bind(py);
        self.replace(inner.call_method1(intern!(py, "throw"), args)?)
    }

    /// Raise GeneratorExit where the coroutine waits.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        hang_rather_than_unwind();
        let _deeper = deeper(py)?;
        self.leave(py)?;
        self.inner.call_method0(py, intern!(py, "close"))?;
        Ok(())
    }

    /// This is what a task calls for each step.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.step(py.None().bind(py))? {
            Step::Yielded(object) => Ok(Some(object)),
            Step::Returned(object) if object.is_none() => Ok(None),
            Step::Returned(object) => Err(stop_iteration(object)),
        }
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let _deeper = deeper(name.py())?;
        self.inner.bind(name.py()).getattr(name)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let _deeper = deeper(py)?;
        let inner = self.inner.bind(py).repr()?;
        let inner = inner.to_string_lossy();
        make::text(
            py,
            &format!("<tornado4 {}>", inner.trim_matches(['<', '>'])),
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.inner)?;
        if let Some((deferred, wait)) = &self.deferreds {
            visit.call(deferred)?;
            visit.call(wait)?;
        }
        match try_lock(&self.waiting) {
            Some(waiting) => visit.call(&*waiting),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.waits.store(false, Ordering::Relaxed);
        let waiting = lock(&self.waiting).take();
        drop(waiting);
    }
}
