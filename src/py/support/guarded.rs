//! What only a thread that is attached to the interpreter touches.
//!
//! Under the GIL that is one thread at a time, so no lock is needed: a pair of atomic
//! operations costs as much as a tenth of scheduling and making a call. Without a GIL it
//! is a lock.
//!
//! As with a lock, a guard is short: never held while Python code may run, which could
//! come here again, or let another thread in.
#![allow(unsafe_code)]

use pyo3::PyVisit;
use pyo3::prelude::*;

#[cfg(not(Py_GIL_DISABLED))]
mod cell {
    pub use std::cell::RefCell as Cell;
    pub use std::cell::RefMut as Guard;
}
#[cfg(Py_GIL_DISABLED)]
mod cell {
    pub use std::sync::Mutex as Cell;
    pub use std::sync::MutexGuard as Guard;
}

/// See the module's documentation.
#[derive(Default)]
pub struct Guarded<T>(cell::Cell<T>);

// GIL: it is the lock. A build without it has one of its own.
//
// SAFETY: the cell is touched only in `lock` and `visit`, by whoever shows that it is
// attached, or is the collector, which an attached thread runs. With a GIL there is one
// such thread at a time, and handing over the GIL orders what they do. A guard can't get
// to another thread, nor outlive the proof; whoever finds one that is held, because its
// holder let go of the GIL, panics.
#[cfg(not(Py_GIL_DISABLED))]
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Guarded(cell::Cell::new(value))
    }

    /// Gives access to it.
    ///
    /// # Panics
    /// If this thread, or one that is detached, holds a guard: where there is a lock, it
    /// waits for itself.
    #[inline]
    pub fn lock<'a>(&'a self, _attached: Python<'a>) -> cell::Guard<'a, T> {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.0.borrow_mut();
        #[cfg(Py_GIL_DISABLED)]
        return crate::core::lock::lock(&self.0);
    }

    /// Gives the collector access, unless somebody holds a guard at this moment.
    pub fn visit<'a>(&'a self, _collector: &'a PyVisit<'_>) -> Option<cell::Guard<'a, T>> {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.0.try_borrow_mut().ok();
        #[cfg(Py_GIL_DISABLED)]
        return crate::core::lock::try_lock(&self.0);
    }
}
