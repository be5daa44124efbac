//! Whether a dict has changed.
//!
//! Up to Python 3.12 each change gives a dict another version, one that no dict has had
//! before. Later ones don't tell.
#![allow(unsafe_code)]

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The version of a dict; `None` if this Python doesn't tell.
#[cfg(not(Py_3_13))]
#[inline]
pub fn dict_version(dict: &Bound<'_, PyDict>) -> Option<u64> {
    // GIL: a plain field, to which any change of the dict writes.
    //
    // SAFETY: a bound dict is alive, and the interpreter is attached.
    #[allow(deprecated)]
    Some(unsafe { (*dict.as_ptr().cast::<pyo3::ffi::PyDictObject>()).ma_version_tag })
}

/// The version of a dict; `None` if this Python doesn't tell.
#[cfg(Py_3_13)]
#[inline]
pub fn dict_version(_dict: &Bound<'_, PyDict>) -> Option<u64> {
    None
}
