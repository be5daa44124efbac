//! Twisted's log context while a descriptor is served: `system` is its prefix.
//!
//! This is what `twisted.python.log.callWithLogger` does, in place: what the log
//! knows so far is copied, the prefix is put into it, and it is pushed on the
//! thread's context stack. It is made anew each time, because a protocol may put
//! something of its own into it.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// See the module's documentation.
pub struct LogContext {
    /// `twisted.python.context.theContextTracker`: a stack for each thread.
    tracker: Py<PyAny>,
    /// `twisted.python.log.ILogContext`, the key of the context.
    key: Py<PyAny>,
}

impl LogContext {
    /// The context of the given tracker, under the given key.
    pub fn new(tracker: Py<PyAny>, key: Py<PyAny>) -> LogContext {
        LogContext { tracker, key }
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
        let log_context = below.cast::<PyDict>()?.copy()?;
        log_context.set_item(intern!(py, "system"), prefix)?;
        let context = PyDict::new(py);
        context.set_item(&self.key, log_context)?;
        stack.append(context)?;
        let result = body();
        let popped = stack.call_method0(intern!(py, "pop"));
        let value = result?;
        popped?;
        Ok(value)
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tracker)?;
        visit.call(&self.key)
    }
}
