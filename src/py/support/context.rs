//! contextvars: copying the current context and running in one.
#![allow(unsafe_code)]

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyContext;

/// A copy of the current context, as `contextvars.copy_context()` makes it.
pub fn copy_current(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: the interpreter is attached; the result is a new reference or
    // null with an exception set, which is what the conversion expects.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent())? };
    Ok(context.unbind())
}

/// A copy of a context.
pub fn copy(py: Python<'_>, context: &Py<PyAny>) -> PyResult<Py<PyAny>> {
    // The C function checks the type by an assertion on some versions.
    let context = context.bind(py).cast::<PyContext>()?;
    // SAFETY: attached, and `context` is a live context object; the result is a new
    // reference or null with an exception set.
    let copy = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_Copy(context.as_ptr()))? };
    Ok(copy.unbind())
}

/// A new, empty context.
pub fn empty(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: as in `copy_current`.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New())? };
    Ok(context.unbind())
}

/// Runs `body` in `context`, as `Context.run` does.
///
/// A context that is entered already, because a callback turned the loop
/// again and came back here, is copied: refusing would lose the call.
pub fn run_in<R>(
    py: Python<'_>,
    context: &Py<PyAny>,
    body: impl FnOnce() -> PyResult<R>,
) -> PyResult<R> {
    let copy;
    let context = match enter(py, context) {
        Ok(()) => context,
        Err(error) if error.is_instance_of::<PyRuntimeError>(py) => {
            copy = context.call_method0(py, "copy")?;
            enter(py, &copy)?;
            &copy
        }
        Err(error) => return Err(error),
    };
    let result = body();
    let left = leave(py, context);
    let value = result?;
    left?;
    Ok(value)
}

fn enter(py: Python<'_>, context: &Py<PyAny>) -> PyResult<()> {
    // The C function checks the type by an assertion on some versions.
    let context = context.bind(py).cast::<PyContext>()?;
    // SAFETY: attached, and `context` is a live context object.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(py))
    }
}

fn leave(py: Python<'_>, context: &Py<PyAny>) -> PyResult<()> {
    // SAFETY: attached, and `context` is the live context that was entered;
    // leaving any other one is reported as an error.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(py))
    }
}
