//! How many references there are to an object.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

/// Says it; immortal objects have very many.
pub fn references<T>(object: &Bound<'_, T>) -> isize {
    // GIL: as long as it is held, nobody else's reference comes to be, or goes.
    //
    // SAFETY: a bound object is alive, and the interpreter is attached.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}
