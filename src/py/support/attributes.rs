//! Attributes as Python has them by default, for classes that look at what is set.
#![allow(unsafe_code)]

use super::make::Said;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// An object's dict, as `object` has it under `__dict__`.
///
/// # Errors
/// `AttributeError` if it has none.
pub fn dict<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: attached; the object is alive. The result is a new reference, or null with
    // an exception.
    unsafe {
        let dict = ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(object.py(), dict)
    }
}

/// What a descriptor of a class (in Python's sense) says of an instance.
///
/// # Errors
/// Those of the descriptor; `TypeError` if it is none.
pub fn of_descriptor<'py>(
    descriptor: &Bound<'py, PyAny>,
    instance: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = instance.py();
    // SAFETY: attached; all are alive. The result is a new reference, or null with an exception.
    unsafe {
        let Some(get) = (*ffi::Py_TYPE(descriptor.as_ptr())).tp_descr_get else {
            return Err(PyTypeError::new_err(Said("not a descriptor")));
        };
        let class = ffi::Py_TYPE(instance.as_ptr()).cast();
        let value = get(descriptor.as_ptr(), instance.as_ptr(), class);
        Bound::from_owned_ptr_or_err(py, value)
    }
}

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
