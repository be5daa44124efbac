//! Methods of somebody's own in place of native ones: a subclass's, or an object's.
//!
//! Where there is one that the short way would go past, it is never taken.
#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::{Flag, StreamTransport};
use crate::core::lock::lock;

/// The methods that the short way goes past. (`doRead`, `doWrite` and `logPrefix` are
/// attributes of the transport, which remembers what was set.)
const GONE_PAST: [&str; 7] = [
    "_closeSocket",
    "_dataReceived",
    "_postLoseConnection",
    "fileno",
    "startWriting",
    "stopReading",
    "stopWriting",
];

/// Whether a class leaves to the native transport what the short way goes past.
///
/// # Errors
/// None, unless the class is broken.
pub fn is_native(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    for name in ["doRead", "doWrite", "logPrefix"].iter().chain(&GONE_PAST) {
        if !is_inherited(class, &PyString::intern(py, name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a class sends by a `doWrite` or a `writeSomeData` of its own; see `Stream`.
///
/// # Errors
/// None, unless the class is broken.
pub fn sends_itself(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    if !is_inherited(class, intern!(py, "doWrite"))? {
        return Ok(true);
    }
    match class.getattr_opt(intern!(py, "_sendsItself"))? {
        Some(itself) => itself.is_truthy(),
        None => Ok(false),
    }
}

/// The buffer's size that a class says, if it does.
///
/// # Errors
/// `TypeError` for one that isn't a number.
pub fn buffer_size(class: &Bound<'_, PyType>) -> PyResult<Option<usize>> {
    let name = intern!(class.py(), "bufferSize");
    if is_inherited(class, name)? {
        return Ok(None);
    }
    class.getattr(name)?.extract().map(Some)
}

/// Whether a class has something from the native transport.
fn is_inherited(class: &Bound<'_, PyType>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let native = class.py().get_type::<StreamTransport>();
    Ok(class.getattr(name)?.is(native.getattr(name)?))
}

#[pymethods]
impl StreamTransport {
    /// Set an attribute. One that stands before a native method sees to it that it is used.
    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        set(slf, name, Some(value))?;
        let Some(name) = name.cast::<PyString>()?.to_str().ok() else {
            return Ok(());
        };
        if GONE_PAST.contains(&name) && !is_of_socket(slf, value)? {
            let mut state = lock(&slf.get().state);
            state.set(Flag::Overridden, true);
            state.set(Flag::Native, false);
        } else if name == "writeSomeData" {
            lock(&slf.get().state).set(Flag::OwnWrite, true);
        }
        Ok(())
    }

    /// Delete an attribute; the other half of `__setattr__`.
    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        set(slf, name, None)
    }
}

/// Sets an attribute as every object does, or deletes it if there is no value.
fn set(
    slf: &Bound<'_, StreamTransport>,
    name: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let value = value.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the interpreter is attached, the object and the name are alive, and so is
    // the value unless it is null, which is allowed; a name that is none is refused.
    let outcome = unsafe { ffi::PyObject_GenericSetAttr(slf.as_ptr(), name.as_ptr(), value) };
    if outcome < 0 {
        return Err(PyErr::fetch(slf.py()));
    }
    Ok(())
}

/// Whether this is a method of the transport's socket object: Twisted takes its `fileno`.
fn is_of_socket(slf: &Bound<'_, StreamTransport>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = slf.py();
    let owner = value.getattr_opt(intern!(py, "__self__"))?;
    let state = lock(&slf.get().state);
    let socket = state.socket.as_ref();
    Ok(owner.is_some_and(|owner| socket.is_some_and(|socket| socket.is(&owner))))
}
