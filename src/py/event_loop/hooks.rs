//! Those for whom a loop does something in its turns that others don't need.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use crate::core::lock::{lock, try_lock};
use crate::py::dispatch::hook::Hook;

/// See the module's documentation.
#[derive(Default)]
pub struct Hooks {
    hooks: Mutex<Vec<Hook>>,
    /// Whether there are any, to know it without the lock.
    any: AtomicBool,
}

impl Hooks {
    /// Whether there are any.
    #[inline]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Adds one, or takes it out.
    pub fn note(&self, hook: Hook, wanted: bool) {
        let dropped = {
            let mut hooks = lock(&self.hooks);
            let at = hooks.iter().position(|other| other.is(&hook));
            let dropped = match at {
                Some(at) if !wanted => Some((hooks.remove(at), hook)),
                None if wanted => {
                    hooks.push(hook);
                    None
                }
                // Dropped when the lock is free again, as the function's argument is.
                _ => return,
            };
            // GIL: the flag and the hooks change together.
            self.any.store(!hooks.is_empty(), Ordering::Relaxed);
            dropped
        };
        drop(dropped);
    }

    /// All of them.
    pub fn all(&self, py: Python<'_>) -> Vec<Hook> {
        let hooks = lock(&self.hooks);
        hooks.iter().map(|hook| hook.clone_ref(py)).collect()
    }

    /// Drops them.
    pub fn clear(&self) {
        self.any.store(false, Ordering::Relaxed);
        let hooks = std::mem::take(&mut *lock(&self.hooks));
        drop(hooks);
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match try_lock(&self.hooks) {
            Some(hooks) => hooks.iter().try_for_each(|hook| hook.traverse(visit)),
            None => Ok(()),
        }
    }
}
