//! Which of the process's interpreters this is.
#![allow(unsafe_code)]

use crate::py::support::make::Said;
use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Refuses any interpreter but the main one. Classes, names and modules are kept in static
/// variables, and belong to one: another would use objects that aren't its own, and be left
/// with freed ones when that ends.
///
/// # Errors
/// `ImportError`.
pub fn check_main(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached; neither takes anything, and both are only compared.
    let is_main = unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() };
    if is_main {
        return Ok(());
    }
    Err(PyImportError::new_err(Said(
        "tornado4 works in the main interpreter only, not in a subinterpreter",
    )))
}

/// Refuses an interpreter that runs without the GIL. A free-threaded build of Python switches
/// it on when this module is imported, unless it was told not to.
///
/// # Errors
/// `ImportError`.
pub fn check_gil(py: Python<'_>) -> PyResult<()> {
    // Python 3.13 and later have it.
    let Some(is_enabled) = py.import("sys")?.getattr_opt("_is_gil_enabled")? else {
        return Ok(());
    };
    if is_enabled.call0()?.is_truthy()? {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "tornado4 needs the GIL, which PYTHON_GIL=0 or -X gil=0 has switched off: start Python \
         without that, and importing tornado4 switches it on",
    ))
}
