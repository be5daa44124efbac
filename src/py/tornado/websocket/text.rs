//! Text of UTF-8, from and to `str`.
#![allow(unsafe_code)]

use pyo3::exceptions::PyUnicodeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// `data.decode("utf-8")`; `None` if it isn't that.
///
/// # Errors
/// `MemoryError`.
pub fn decoded<'py>(data: &Bound<'py, PyBytes>) -> PyResult<Option<Bound<'py, PyString>>> {
    let (py, bytes) = (data.py(), data.as_bytes());
    // SAFETY: attached; there are so many bytes, and no name of a handler of errors is given. The
    // result is a new reference to a `str`, or null with an exception.
    let made = unsafe {
        let size = bytes.len().cast_signed();
        let object = ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), size, std::ptr::null());
        Bound::from_owned_ptr_or_err(py, object)
    };
    match made {
        Ok(text) => Ok(Some(text.cast_into()?)),
        Err(error) if error.is_instance_of::<PyUnicodeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `text.encode("utf-8")`; `None` if it can't be.
///
/// # Errors
/// `MemoryError`.
pub fn encoded<'py>(text: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = text.py();
    // SAFETY: attached; it is a `str`. The result is a new reference to `bytes`, or null with an
    // exception.
    let made = unsafe {
        let object = ffi::PyUnicode_AsUTF8String(text.as_ptr());
        Bound::from_owned_ptr_or_err(py, object)
    };
    match made {
        Ok(bytes) => Ok(Some(bytes.cast_into()?)),
        Err(error) if error.is_instance_of::<PyUnicodeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}
