//! Driving a coroutine, or what is awaited, without an exception for each return.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

/// Where a coroutine got to.
pub enum Step<'py> {
    Yielded(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
}

/// `coroutine.send(value)`, of an iterator too.
///
/// # Errors
/// Those that the coroutine raises.
pub fn send<'py>(coroutine: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
    let py = coroutine.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: attached; both objects are alive, and `result` is a place for one. It
    // takes any object, whether or not that is a coroutine.
    let status = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), value.as_ptr(), &mut result) };
    // SAFETY: `result` is null, with an exception set, or a new reference.
    let object = unsafe { Bound::from_owned_ptr_or_err(py, result)? };
    if status == ffi::PySendResult::PYGEN_RETURN {
        Ok(Step::Returned(object))
    } else {
        Ok(Step::Yielded(object))
    }
}
