//! A class that was looked into, and whether it is still as it was then.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// See the module's documentation. The interpreter numbers what is in a class and its
/// bases: whenever anything of that changes, the class has another number, or none (0),
/// and no two classes ever have the same one.
pub struct KnownClass {
    class: AtomicPtr<ffi::PyTypeObject>,
    version: AtomicU32,
}

impl KnownClass {
    /// No class.
    pub const fn new() -> KnownClass {
        KnownClass {
            class: AtomicPtr::new(ptr::null_mut()),
            version: AtomicU32::new(0),
        }
    }

    /// Whether it is this class, as it was when it was noted.
    #[inline]
    pub fn is(&self, class: &Bound<'_, PyType>) -> bool {
        let version = version(class);
        version != 0
            && version == self.version.load(Ordering::Relaxed)
            && class.as_type_ptr() == self.class.load(Ordering::Relaxed)
    }

    /// Notes that the class is as it should be at this moment.
    ///
    /// # Errors
    /// None is known to happen.
    pub fn note(&self, class: &Bound<'_, PyType>) -> PyResult<()> {
        // Looking an attribute up has the class numbered.
        class.getattr(intern!(class.py(), "__doc__"))?;
        self.class.store(class.as_type_ptr(), Ordering::Relaxed);
        self.version.store(version(class), Ordering::Relaxed);
        Ok(())
    }
}

fn version(class: &Bound<'_, PyType>) -> u32 {
    // SAFETY: attached, and a type is alive while it is referred to. Whoever changes the
    // field is attached as well.
    unsafe { (*class.as_type_ptr()).tp_version_tag }
}
