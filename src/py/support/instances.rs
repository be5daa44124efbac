//! Making an instance of a class without initializing it.
#![allow(unsafe_code)]

use crate::py::support::make::Said;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

/// What `class.__new__(class)` returns, for less than calling that.
///
/// # Errors
/// `TypeError` for a class that can't be instantiated; what its `__new__` raises.
pub fn uninitialized<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let arguments = PyTuple::empty(py);
    let class = class.as_type_ptr();
    // SAFETY: attached; class and arguments are alive. The result is a new reference, or
    // null with an exception.
    unsafe {
        let Some(new) = (*class).tp_new else {
            return Err(PyTypeError::new_err(Said(
                "the class can't be instantiated",
            )));
        };
        let made: *mut ffi::PyObject = new(class, arguments.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, made)
    }
}
