//! Which loop runs in this thread, and the futures that are made for it.
//!
//! `asyncio.Future()` asks asyncio which loop runs. Up to Python 3.11 that takes a system call
//! each time (is this a forked child?), so here it is asked once in a run.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::EventLoop;
use crate::py::support::names::intern;
use crate::py::support::refcounts::references;
use crate::py::support::{imports, make};

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// A run of a loop, or a turn.
struct Run {
    event_loop: Py<EventLoop>,
    /// What asyncio has noted for the thread when it was asked last, and whether that is this
    /// loop.
    noted: Option<(Py<PyAny>, bool)>,
    futures: Option<Futures>,
}

/// Two futures of a loop.
struct Futures {
    /// With the result None.
    done: Py<PyAny>,
    /// Nobody else has had it.
    pending: Py<PyAny>,
}

/// Until this is dropped a loop runs in this thread.
pub struct Current(Option<Run>);

impl Current {
    pub fn begin(event_loop: &Bound<'_, EventLoop>) -> Current {
        let run = Run {
            event_loop: event_loop.clone().unbind(),
            noted: None,
            futures: None,
        };
        Current(RUN.replace(Some(run)))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let ended = RUN.replace(self.0.take());
        drop(ended);
    }
}

/// The loop of ours that asyncio has for the one that runs in this thread. None if it has
/// another one, if this is a forked child, of a guest, and in debug mode, where futures know
/// where they were made.
///
/// # Errors
/// Those of asking asyncio.
pub fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, EventLoop>>> {
    let Some(noted) = noted(py) else {
        return Ok(None);
    };
    let known = RUN.with_borrow(|run| {
        let run = run.as_ref()?;
        let is_this = match &run.noted {
            Some((before, is_this)) if before.is(&noted) => Some(*is_this),
            _ => None,
        };
        Some((run.event_loop.bind(py).clone(), is_this))
    });
    let Some((event_loop, is_this)) = known else {
        return Ok(None);
    };
    let this = event_loop.get();
    // A guest isn't told of a fork: it does as its host does.
    if this.is_debug() || !this.is_here() || this.is_guest.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let is_this = match is_this {
        Some(is_this) => is_this,
        None => {
            let is_this = imports::running_loop(py)?.is_some_and(|it| it.is(&event_loop));
            let new = Some((noted.unbind(), is_this));
            let before = RUN.with_borrow_mut(|run| {
                let run = run.as_mut()?;
                std::mem::replace(&mut run.noted, new)
            });
            drop(before);
            is_this
        }
    };
    Ok(is_this.then_some(event_loop))
}

/// The asyncio loop that runs in this thread, or None: what `asyncio._get_running_loop()` says.
#[pyfunction]
pub fn running_loop(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    if !cfg!(Py_3_12)
        && let Some(event_loop) = current(py)?
    {
        return Ok(Some(event_loop.into_any()));
    }
    imports::running_loop(py)
}

/// What asyncio notes when a loop begins to run in a thread: an object that is made for that.
#[cfg(not(Py_3_12))]
fn noted(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: attached; the dict, if there is one, is borrowed.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyThreadState_GetDict())? };
    let name = intern!(py, "__asyncio_running_event_loop__");
    names.cast_into::<PyDict>().ok()?.get_item(name).ok()?
}

/// What asyncio notes when a loop begins to run in a thread: the loop.
#[cfg(Py_3_12)]
fn noted(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    imports::running_loop(py).ok()?
}

/// Whether it is asyncio's native class.
fn is_native(class: &Bound<'_, PyAny>) -> PyResult<bool> {
    let native = imports::native_future_class(class.py())?;
    Ok(native.is_some_and(|native| native.is(class)))
}

/// Makes a future of the loop that runs, as `class()` does.
///
/// # Errors
/// Those of making one.
pub fn new_future<'py>(class: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    if cfg!(Py_3_12) || !is_native(class)? {
        return class.call0();
    }
    match current(py)? {
        Some(event_loop) => class.call((), Some(&EventLoop::with_loop(&event_loop)?)),
        None => class.call0(),
    }
}

/// A future that is about to be made, of the loop that runs: one that is done or one that waits.
///
/// One that is done, with None, is no different from another one that is, as long as nobody has
/// both. So the same one is given again and again, while nobody else has it or has put anything
/// on it.
pub struct Promise<'a, 'py> {
    class: &'a Bound<'py, PyAny>,
    futures: Option<Futures>,
    /// If none is kept.
    fresh: Option<Bound<'py, PyAny>>,
}

impl<'a, 'py> Promise<'a, 'py> {
    /// Of a future of this class, as `class()` makes it.
    ///
    /// # Errors
    /// Those of making one.
    pub fn of(class: &'a Bound<'py, PyAny>) -> PyResult<Promise<'a, 'py>> {
        let futures = Futures::of(class)?;
        let fresh = match futures {
            Some(_) => None,
            None => Some(new_future(class)?),
        };
        Ok(Promise {
            class,
            futures,
            fresh,
        })
    }

    /// One that is done, with None.
    ///
    /// # Errors
    /// Those of `set_result`.
    pub fn done(mut self) -> PyResult<Bound<'py, PyAny>> {
        let py = self.class.py();
        if let Some(futures) = &self.futures {
            return Ok(futures.done.bind(py).clone());
        }
        let fresh = self.waiting()?;
        fresh.call_method1(intern!(py, "set_result"), (py.None(),))?;
        Ok(fresh)
    }

    /// One that waits for its result.
    ///
    /// # Errors
    /// None.
    pub fn pending(mut self) -> PyResult<Bound<'py, PyAny>> {
        self.waiting()
    }

    fn waiting(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let py = self.class.py();
        let futures = self.futures.take();
        let pending = futures.map(|futures| futures.pending.into_bound(py));
        match pending.or_else(|| self.fresh.take()) {
            Some(future) => Ok(future),
            None => new_future(self.class),
        }
    }
}

impl Drop for Promise<'_, '_> {
    fn drop(&mut self) {
        if self.futures.is_some() {
            // What comes back is dropped when nobody looks at `RUN`.
            RUN.with_borrow_mut(|run| {
                if let Some(run) = run {
                    std::mem::swap(&mut run.futures, &mut self.futures);
                }
            });
        }
    }
}

impl Futures {
    /// Those of the loop that runs, of this class. None if the class's instances can't be looked
    /// at as is wanted here.
    fn of(class: &Bound<'_, PyAny>) -> PyResult<Option<Futures>> {
        let py = class.py();
        // Later ones keep attributes elsewhere.
        if cfg!(Py_3_13) || !is_native(class)? {
            return Ok(None);
        }
        let Some(event_loop) = current(py)? else {
            return Ok(None);
        };
        let kept = RUN.with_borrow_mut(|run| run.as_mut()?.futures.take());
        let pending = match kept {
            Some(Futures { done, pending }) => {
                if references(done.bind(py)) == 1 && is_bare(done.bind(py)) {
                    return Ok(Some(Futures { done, pending }));
                }
                Some(pending)
            }
            None => None,
        };
        let with_loop = EventLoop::with_loop(&event_loop)?;
        let done = class.call((), Some(&with_loop))?;
        if !is_bare(&done) {
            return Ok(None);
        }
        done.call_method1(intern!(py, "set_result"), (py.None(),))?;
        let pending = match pending {
            Some(pending) => pending,
            None => class.call((), Some(&with_loop))?.unbind(),
        };
        Ok(Some(Futures {
            done: done.unbind(),
            pending,
        }))
    }
}

/// Whether an object has neither attributes of somebody's own nor weak references to it. False
/// if that can't be seen.
fn is_bare(object: &Bound<'_, PyAny>) -> bool {
    let object = object.as_ptr();
    // SAFETY: attached; the object is alive. Where its class says that it has them, at a place
    // that is neither negative nor 0, there is a pointer to its dict, and to its list of weak
    // references.
    unsafe {
        let class = ffi::Py_TYPE(object);
        [(*class).tp_dictoffset, (*class).tp_weaklistoffset]
            .into_iter()
            .all(|at| {
                at > 0
                    && object
                        .cast::<u8>()
                        .offset(at)
                        .cast::<*mut ffi::PyObject>()
                        .read()
                        .is_null()
            })
    }
}

impl EventLoop {
    /// `{"loop": loop}`, which futures and tasks are made with: kept, since making it anew
    /// takes as long as everything else here. None may change it.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn with_loop<'py>(slf: &Bound<'py, EventLoop>) -> PyResult<Bound<'py, PyDict>> {
        let (this, py) = (slf.get(), slf.py());
        if let Some(kept) = &*this.with_loop.lock(py) {
            return Ok(kept.bind(py).clone());
        }
        let made = make::dict(py)?;
        made.set_item(intern!(py, "loop"), slf)?;
        // It holds the loop, which drops it when it is closed.
        if !this.is_closed() {
            let before = this.with_loop.lock(py).replace(made.clone().unbind());
            drop(before);
        }
        Ok(made)
    }
}
