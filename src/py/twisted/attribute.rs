//! Setting an attribute as every object does, for a class that wants to know of it.
#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Sets an attribute, or deletes it if there is no value.
///
/// # Errors
/// `AttributeError` for one that can't be set, or isn't there to be deleted.
pub fn set(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let value = value.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the interpreter is attached, the object and the name are alive, and so is
    // the value unless it is null, which is allowed.
    let outcome = unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value) };
    if outcome < 0 {
        return Err(PyErr::fetch(object.py()));
    }
    Ok(())
}
