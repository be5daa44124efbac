//! Whether a class has changed.
//!
//! CPython gives a class another version with each change of its attributes or of its
//! bases', so that one comparison tells that what was found once still holds.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// The version in which something was found of a class. No two classes ever have the same.
#[derive(Default)]
pub struct ClassVersion(AtomicU32);

impl ClassVersion {
    /// Nothing is found yet.
    pub const fn new() -> ClassVersion {
        ClassVersion(AtomicU32::new(0))
    }

    /// Whether what `check` finds holds for a class, of which it isn't asked again before
    /// the class changes.
    ///
    /// # Errors
    /// Those of `check`.
    #[inline]
    pub fn holds(
        &self,
        class: &Bound<'_, PyType>,
        check: impl FnOnce() -> PyResult<bool>,
    ) -> PyResult<bool> {
        // GIL: nobody changes the class between this look and what is done by it.
        let known = self.0.load(Ordering::Relaxed);
        if known != 0 && known == version(class) {
            return Ok(true);
        }
        self.0.store(0, Ordering::Relaxed);
        let holds = check()?;
        if holds {
            // A class without a version gets one when an attribute is looked up in it, which
            // one isn't that its own class answers for, such as `__doc__`.
            class.getattr(intern!(class.py(), "__init__"))?;
            self.0.store(version(class), Ordering::Relaxed);
        }
        Ok(holds)
    }
}

/// The version of a class; 0: it has none at the moment.
#[inline]
fn version(class: &Bound<'_, PyType>) -> u32 {
    // GIL: a plain field, to which any change of the class writes.
    //
    // SAFETY: a bound class is alive, and the interpreter is attached.
    unsafe { (*class.as_type_ptr()).tp_version_tag }
}
