//! `bytes` that are read without the interpreter, in one word: each connection has room
//! for one of them.
#![allow(unsafe_code)]

use std::ops::Deref;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A reference to `bytes`, which never change and stay where they are.
#[derive(Debug)]
pub struct OwnedBytes(Py<PyBytes>);

impl OwnedBytes {
    /// The object itself.
    pub fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.0.bind(py).clone()
    }
}

impl From<Bound<'_, PyBytes>> for OwnedBytes {
    fn from(bytes: Bound<'_, PyBytes>) -> Self {
        OwnedBytes(bytes.unbind())
    }
}

impl Deref for OwnedBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let object = self.0.as_ptr();
        // SAFETY: the object is `bytes` and lives as long as `self`. What it says of its
        // size and where it is are plain fields, which never change; so are its bytes.
        unsafe {
            let size = usize::try_from(ffi::Py_SIZE(object)).unwrap_or_default();
            std::slice::from_raw_parts(ffi::PyBytes_AS_STRING(object).cast(), size)
        }
    }
}

impl AsRef<[u8]> for OwnedBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}
