//! Twisted's log context while a descriptor is served: `system` is its prefix.
//!
//! `twisted.python.log.callWithLogger` copies two dicts for each event. What it
//! makes depends on the prefix and on the context below only, so the dict is
//! made once for each prefix and pushed again; nobody changes a context in
//! place.

use std::sync::Mutex;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::core::lock::{lock, try_lock};

/// More prefixes than this are forgotten and made again.
const MOST_PREFIXES: usize = 4096;

/// See the module's documentation.
pub struct LogContexts {
    /// `twisted.python.context.theContextTracker`: a stack for each thread.
    tracker: Py<PyAny>,
    /// `twisted.python.log.ILogContext`, the key of the context.
    key: Py<PyAny>,
    cache: Mutex<Option<Cache>>,
}

struct Cache {
    /// The log context that the prepared ones extend.
    below: Py<PyDict>,
    /// {prefix: context}
    prepared: Py<PyDict>,
}

impl LogContexts {
    /// Contexts of the given tracker, under the given key.
    pub fn new(tracker: Py<PyAny>, key: Py<PyAny>) -> LogContexts {
        LogContexts {
            tracker,
            key,
            cache: Mutex::new(None),
        }
    }

    /// Runs `body` with `prefix` as the log's system.
    ///
    /// # Errors
    /// Those of `body`, and those of a broken context stack.
    pub fn run_in<R>(
        &self,
        prefix: &Bound<'_, PyAny>,
        body: impl FnOnce() -> PyResult<R>,
    ) -> PyResult<R> {
        let py = prefix.py();
        let tracker = self.tracker.bind(py);
        let current = tracker.call_method0(intern!(py, "currentContext"))?;
        let stack = current.getattr(intern!(py, "contexts"))?;
        let stack = stack.cast::<PyList>()?;
        let top = stack.get_item(stack.len().saturating_sub(1))?;
        let below = match top.cast::<PyDict>()?.get_item(&self.key)? {
            Some(below) => below,
            None => current.call_method1(intern!(py, "getContext"), (&self.key,))?,
        };
        stack.append(self.prepare(below.cast::<PyDict>()?, prefix)?)?;
        let result = body();
        let popped = stack.call_method0(intern!(py, "pop"));
        let value = result?;
        popped?;
        Ok(value)
    }

    /// The context to push: what the log knows so far, and the prefix.
    fn prepare<'py>(
        &self,
        below: &Bound<'py, PyDict>,
        prefix: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = below.py();
        let prepared = self.prepared(below);
        if let Some(context) = prepared.get_item(prefix)? {
            return Ok(context);
        }
        if prepared.len() >= MOST_PREFIXES {
            prepared.clear();
        }
        let log_context = below.copy()?;
        log_context.set_item(intern!(py, "system"), prefix)?;
        let context = PyDict::new(py);
        context.set_item(&self.key, log_context)?;
        prepared.set_item(prefix, &context)?;
        Ok(context.into_any())
    }

    /// The contexts made so far on top of `below`.
    fn prepared<'py>(&self, below: &Bound<'py, PyDict>) -> Bound<'py, PyDict> {
        let py = below.py();
        if let Some(cache) = lock(&self.cache).as_ref()
            && cache.below.is(below)
        {
            return cache.prepared.clone_ref(py).into_bound(py);
        }
        let prepared = PyDict::new(py);
        let before = lock(&self.cache).replace(Cache {
            below: below.clone().unbind(),
            prepared: prepared.clone().unbind(),
        });
        drop(before);
        prepared
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tracker)?;
        visit.call(&self.key)?;
        if let Some(Some(cache)) = try_lock(&self.cache).as_deref() {
            visit.call(&cache.below)?;
            visit.call(&cache.prepared)?;
        }
        Ok(())
    }
}
