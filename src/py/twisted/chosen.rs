//! Reactors for which a loop does something that others don't need.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::Reactor;
use crate::core::lock::{lock, try_lock};

/// See the module's documentation.
#[derive(Default)]
pub struct Chosen {
    reactors: Mutex<Vec<Py<Reactor>>>,
    /// Whether there are any, to know it without the lock.
    any: AtomicBool,
}

impl Chosen {
    /// Whether there are any.
    #[inline]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Adds a reactor, or takes it out.
    pub fn note(&self, reactor: &Bound<'_, Reactor>, chosen: bool) {
        let removed = {
            let mut reactors = lock(&self.reactors);
            let at = reactors.iter().position(|other| other.is(reactor));
            let removed = match at {
                Some(at) if !chosen => Some(reactors.remove(at)),
                None if chosen => {
                    reactors.push(reactor.clone().unbind());
                    None
                }
                _ => None,
            };
            self.any.store(!reactors.is_empty(), Ordering::Relaxed);
            removed
        };
        drop(removed);
    }

    /// The reactors.
    pub fn all<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, Reactor>> {
        let bind = |reactor: &Py<Reactor>| reactor.bind(py).clone();
        lock(&self.reactors).iter().map(bind).collect()
    }

    /// Lets go of them.
    pub fn clear(&self) {
        self.any.store(false, Ordering::Relaxed);
        let reactors = std::mem::take(&mut *lock(&self.reactors));
        drop(reactors);
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match try_lock(&self.reactors) {
            Some(reactors) => reactors.iter().try_for_each(|reactor| visit.call(reactor)),
            None => Ok(()),
        }
    }
}
