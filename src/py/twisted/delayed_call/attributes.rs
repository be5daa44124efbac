//! A delayed call's attributes: what is called, what Twisted's class has beside that,
//! and what somebody has set.

use crate::py::support::make::Said;
use std::sync::Mutex;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::{DelayedCall, Rare, Stage, State, Work};
use crate::core::lock::lock;
use crate::py::support::attributes;

impl DelayedCall {
    /// Looks at a part of the work. A call that was cancelled has none, as Twisted's, but
    /// what was set since.
    ///
    /// # Errors
    /// `AttributeError` if there is nothing.
    fn part<'py>(
        &self,
        name: &Bound<'py, PyString>,
        look: impl FnOnce(&mut Work) -> Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        if let Some(part) = lock(&self.state).work.as_mut().map(look) {
            return Ok(part.into_bound(py));
        }
        let noted = match self.notes(py) {
            Some(notes) => notes.get_item(name)?,
            None => None,
        };
        noted.ok_or_else(|| missing(name))
    }

    /// Replaces a part of the work; `put` hands back what was there.
    fn put(
        &self,
        name: &Bound<'_, PyString>,
        part: Py<PyAny>,
        put: impl FnOnce(&mut Work, Py<PyAny>) -> Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let mut state = lock(&self.state);
        let Some(work) = state.work.as_mut() else {
            drop(state);
            return self.place(name.py())?.set_item(name, part);
        };
        let before = put(work, part);
        drop(state);
        drop(before);
        Ok(())
    }

    fn notes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        let state = lock(&self.state);
        let notes = state.rare.as_ref()?.notes.as_ref()?;
        Some(notes.bind(py).clone())
    }

    /// The attributes that somebody has set, with a place for more.
    fn place<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let new = make::dict(py)?;
        let mut state = lock(&self.state);
        let rare = state.rare.get_or_insert_default();
        let notes = rare.notes.get_or_insert_with(|| new.clone().unbind());
        Ok(notes.bind(py).clone())
    }
}

fn missing(name: impl std::fmt::Display) -> PyErr {
    PyAttributeError::new_err(Said(format!(
        "'DelayedCall' object has no attribute '{name}'"
    )))
}

/// Whether it is a name that Python itself looks up in classes.
fn is_special(name: &Bound<'_, PyString>) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("__") && name.ends_with("__")
}

/// A name that somebody has set on some delayed call. It is added to the class then, and
/// finds what was set on a call. With a dict in each call, or a `__getattr__`, looking up
/// every method would be slower, or making a call.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Note(Py<PyString>);

#[pymethods]
impl Note {
    fn __get__<'py>(
        slf: Bound<'py, Self>,
        call: &Bound<'py, PyAny>,
        _class: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Ok(call) = call.cast::<DelayedCall>() else {
            return Ok(slf.into_any());
        };
        let name = slf.get().0.bind(slf.py());
        let found = match call.get().notes(slf.py()) {
            Some(notes) => notes.get_item(name)?,
            None => None,
        };
        found.ok_or_else(|| missing(name))
    }
}

#[pymethods]
impl DelayedCall {
    /// Twisted's own class, for `isinstance`.
    #[getter]
    fn __class__(&self, py: Python<'_>) -> Py<PyAny> {
        self.reactor.get().delayed_call_class(py)
    }

    /// The attributes that somebody has set.
    #[getter]
    fn __dict__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.place(py)
    }

    /// What is called.
    #[getter]
    fn func<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(intern!(py, "func"), |work| work.function.clone_ref(py))
    }

    #[setter]
    fn set_func(&self, py: Python<'_>, func: Py<PyAny>) -> PyResult<()> {
        self.put(intern!(py, "func"), func, |work, func| {
            Some(std::mem::replace(&mut work.function, func))
        })
    }

    /// Its positional arguments.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(intern!(py, "args"), |work| work.args.clone_ref(py))
    }

    #[setter]
    fn set_args(&self, py: Python<'_>, args: Py<PyAny>) -> PyResult<()> {
        self.put(intern!(py, "args"), args, |work, args| {
            Some(std::mem::replace(&mut work.args, args))
        })
    }

    /// Its keyword arguments.
    #[getter]
    fn kw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let new = make::dict(py)?;
        self.part(intern!(py, "kw"), |work| {
            let kw = work
                .kw
                .get_or_insert_with(|| new.clone().into_any().unbind());
            kw.clone_ref(py)
        })
    }

    #[setter]
    fn set_kw(&self, py: Python<'_>, kw: Py<PyAny>) -> PyResult<()> {
        self.put(intern!(py, "kw"), kw, |work, kw| work.kw.replace(kw))
    }

    /// By how much the call was moved since its time was set: that is done at once here.
    #[getter]
    #[allow(clippy::unused_self)]
    fn delayed_time(&self) -> make::Float {
        make::Float(0.0)
    }

    /// Twisted's switch for the debug mode of delayed calls.
    #[getter]
    fn debug(&self, py: Python<'_>) -> PyResult<bool> {
        self.reactor.get().is_debug(py)
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let class = slf.get_type();
        match class.getattr_opt(name)? {
            Some(known) if !known.is_instance_of::<Note>() => {
                return attributes::set(slf.as_any(), name, Some(value));
            }
            Some(_) => {}
            // On the class it would change what all delayed calls can do.
            None if is_special(name) => return Err(missing(name)),
            None => class.setattr(name, Note(name.clone().unbind()))?,
        }
        slf.get().place(slf.py())?.set_item(name, value)
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        match slf.get_type().getattr_opt(name)? {
            Some(known) if !known.is_instance_of::<Note>() => {
                attributes::set(slf.as_any(), name, None)
            }
            _ => {
                let notes = slf.get().place(slf.py())?;
                if !notes.contains(name)? {
                    return Err(missing(name));
                }
                notes.del_item(name)
            }
        }
    }

    /// A copy with the same attributes. It isn't scheduled, as Twisted's isn't.
    fn __copy__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let (this, py) = (slf.get(), slf.py());
        let notes = match this.notes(py) {
            Some(notes) => Some(notes.copy()?.unbind()),
            None => None,
        };
        let state = {
            let state = lock(&this.state);
            let stage = match state.stage {
                Stage::New | Stage::Scheduled(_) | Stage::Due | Stage::Copy => Stage::Copy,
                stage @ (Stage::Called | Stage::Cancelled) => stage,
            };
            State {
                work: state.work.as_ref().map(|work| work.clone_ref(py)),
                time: state.time,
                deadline: state.deadline,
                stage,
                turn: state.turn,
                rare: state.rare.as_ref().map(|rare| {
                    Box::new(Rare {
                        creator: rare.creator.as_ref().map(|it| it.clone_ref(py)),
                        repr: rare.repr.as_ref().map(|it| it.clone_ref(py)),
                        notes,
                    })
                }),
            }
        };
        let copy = DelayedCall {
            reactor: this.reactor.clone_ref(py),
            state: Mutex::new(state),
        };
        Bound::new(py, copy)
    }
}
