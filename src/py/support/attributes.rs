//! Setting attributes as Python does by default, for classes that look at what is set.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Sets an attribute, or deletes it if there is no value, as `object` does.
///
/// # Errors
/// `AttributeError`, and those of a descriptor.
pub fn set(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let value = value.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: attached; the object and the name are alive, and so is the value, if it
    // isn't null, which means deletion.
    let outcome = unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(object.py()))
    }
}
