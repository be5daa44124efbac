//! Native code that calls itself, by way of Python or not, to a depth that others decide.
#![allow(unsafe_code)]

use crate::py::support::make::Said;
use std::ffi::CStr;
use std::marker::PhantomData;

use pyo3::exceptions::PyRecursionError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::core::sys::stack;

/// Refuses to go on where the thread's stack ends soon.
///
/// # Errors
/// `RecursionError`.
#[inline]
pub fn check_stack() -> PyResult<()> {
    if stack::is_short() {
        return Err(PyRecursionError::new_err(Said(
            "the thread's stack is too small for so many nested calls",
        )));
    }
    Ok(())
}

/// A call that counts as one of Python's until this is dropped, where no Python code is
/// in between that would.
pub struct Deeper<'py>(PhantomData<Python<'py>>);

impl<'py> Deeper<'py> {
    /// Begins one. `place` is said in the error, such as " in a coroutine".
    ///
    /// # Errors
    /// `RecursionError`.
    #[inline]
    pub fn enter(py: Python<'py>, place: &CStr) -> PyResult<Deeper<'py>> {
        check_stack()?;
        // SAFETY: attached, and the text ends with a zero.
        if unsafe { ffi::Py_EnterRecursiveCall(place.as_ptr()) } != 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(Deeper(PhantomData))
    }
}

impl Drop for Deeper<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: attached; it was entered, once.
        unsafe { ffi::Py_LeaveRecursiveCall() };
    }
}
