//! The class of the exception that a panic becomes, made when the module is imported.
//!
//! PyO3 makes it when it takes the first exception, of whatever class. If memory is short then,
//! what the interpreter raises about that is taken while the class is being made, and the thread
//! waits for itself for ever.
#![allow(unsafe_code)]

use std::ptr::null_mut;

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;

/// Makes it.
///
/// # Errors
/// `MemoryError`.
pub fn make_class(py: Python<'_>) -> PyResult<()> {
    // Another one first, past PyO3: whether there is memory for it.
    // SAFETY: attached; the name is what is asked for, and null stands for what is usual.
    let other =
        unsafe { ffi::PyErr_NewException(c"tornado4.Other".as_ptr(), null_mut(), null_mut()) };
    if other.is_null() {
        // SAFETY: attached.
        unsafe { ffi::PyErr_Clear() };
        return Err(PyMemoryError::new_err(()));
    }
    // SAFETY: attached; the reference is owned.
    unsafe { ffi::Py_DECREF(other) };
    let _made = py.get_type::<PanicException>();
    Ok(())
}
