//! Bound methods.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

// The `pyo3::ffi` keeps them to itself.
unsafe extern "C" {
    static mut PyMethod_Type: ffi::PyTypeObject;
    fn PyMethod_New(
        function: *mut ffi::PyObject,
        instance: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
    fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn PyMethod_Self(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// Binds a callable to an object, as a function's `__get__` does.
///
/// # Errors
/// `MemoryError`.
pub fn bind<'py>(
    callable: &Bound<'py, PyAny>,
    instance: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: attached; both are alive. The result is a new reference, or null with an
    // exception.
    unsafe {
        let method = PyMethod_New(callable.as_ptr(), instance.as_ptr());
        Bound::from_owned_ptr_or_err(callable.py(), method)
    }
}

/// What this function is bound to, if `method` is that.
pub fn bound_to<'py>(
    method: &Bound<'py, PyAny>,
    function: &Py<PyAny>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: attached; the object is alive, and is a method where it is asked for its
    // function and its object, which are borrowed.
    unsafe {
        let is_it = ffi::Py_TYPE(method.as_ptr()) == &raw mut PyMethod_Type
            && PyMethod_Function(method.as_ptr()) == function.as_ptr();
        is_it.then(|| Bound::from_borrowed_ptr(method.py(), PyMethod_Self(method.as_ptr())))
    }
}

/// Whether an object's method is this function, bound to it.
///
/// # Errors
/// Those of looking the method up.
pub fn is_method(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    function: &Py<PyAny>,
) -> PyResult<bool> {
    let bound = bound_to(&object.getattr(name)?, function);
    Ok(bound.is_some_and(|bound| bound.is(object)))
}
