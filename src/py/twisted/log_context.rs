//! Twisted's log context while a descriptor is served: `system` is its prefix.
//!
//! This is what `twisted.python.log.callWithLogger` does, in place: what the log
//! knows so far is copied, the prefix is put into it, and it is pushed on the
//! thread's context stack. The two dicts for that are kept from one descriptor to
//! the next, unless somebody holds one of them or has put something into it.

use std::thread::{self, ThreadId};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::py::support::guarded::Guarded;
use crate::py::support::make;
use crate::py::support::refcounts::references;

thread_local! {
    /// Kept, since asking for it takes longer than all the rest.
    static THREAD: ThreadId = thread::current().id();
}

/// See the module's documentation.
pub struct LogContext {
    /// `twisted.python.context.theContextTracker`: a stack for each thread.
    tracker: Py<PyAny>,
    /// `twisted.python.log.ILogContext`, the key of the context.
    key: Py<PyAny>,
    kept: Guarded<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The thread that served a descriptor last, and its stack.
    stack: Option<(ThreadId, Py<PyList>)>,
    /// Taken out while in use, since serving may nest.
    layer: Option<Layer>,
}

/// What is pushed on the stack: the context, and the log's part of it.
struct Layer {
    context: Py<PyDict>,
    log_context: Py<PyDict>,
}

impl LogContext {
    /// The context of the given tracker, under the given key.
    pub fn new(tracker: Py<PyAny>, key: Py<PyAny>) -> LogContext {
        LogContext {
            tracker,
            key,
            kept: Guarded::default(),
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
        let (stack, spare) = self.take_kept(py)?;
        let below = self.below(&stack)?;
        let layer = match spare {
            Some(layer) if layer.is_over(py, &below)? => layer,
            _ => self.layer(&below)?,
        };
        let log_context = layer.log_context.bind(py);
        log_context.set_item(intern!(py, "system"), prefix)?;
        stack.append(&layer.context)?;
        let result = body();
        let popped = match stack.len() {
            0 => Ok(()),
            len => stack.del_item(len - 1),
        };
        if layer.is_reusable(py) {
            let before = self.kept.lock(py).layer.replace(layer);
            drop(before);
        }
        let value = result?;
        popped?;
        Ok(value)
    }

    /// This thread's stack of contexts, and the layer that was kept.
    fn take_kept<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyList>, Option<Layer>)> {
        let thread = THREAD.with(|id| *id);
        let layer = {
            let mut kept = self.kept.lock(py);
            let layer = kept.layer.take();
            if let Some((owner, stack)) = &kept.stack
                && *owner == thread
            {
                return Ok((stack.bind(py).clone(), layer));
            }
            layer
        };
        let current = self
            .tracker
            .bind(py)
            .call_method0(intern!(py, "currentContext"))?;
        let stack = current.getattr(intern!(py, "contexts"))?;
        let stack = stack.cast_into::<PyList>()?;
        let mine = (thread, stack.clone().unbind());
        let before = self.kept.lock(py).stack.replace(mine);
        drop(before);
        Ok((stack, layer))
    }

    /// What the log knows so far.
    fn below<'py>(&self, stack: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyDict>> {
        let py = stack.py();
        let top = stack.get_item(stack.len().saturating_sub(1))?;
        let below = match top.cast::<PyDict>()?.get_item(&self.key)? {
            Some(below) => below,
            None => self
                .tracker
                .bind(py)
                .call_method1(intern!(py, "getContext"), (&self.key,))?,
        };
        Ok(below.cast_into::<PyDict>()?)
    }

    fn layer(&self, below: &Bound<'_, PyDict>) -> PyResult<Layer> {
        let log_context = below.copy()?;
        let context = make::dict(below.py())?;
        context.set_item(&self.key, &log_context)?;
        Ok(Layer {
            context: context.unbind(),
            log_context: log_context.unbind(),
        })
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(kept) = self.kept.visit(&visit) {
            if let Some((_, stack)) = &kept.stack {
                visit.call(stack)?;
            }
            if let Some(layer) = &kept.layer {
                visit.call(&layer.context)?;
                visit.call(&layer.log_context)?;
            }
        }
        visit.call(&self.tracker)?;
        visit.call(&self.key)
    }
}

impl Layer {
    /// Whether nobody else holds the dicts, and the context has nothing more in it.
    fn is_reusable(&self, py: Python<'_>) -> bool {
        // GIL: nobody gets at a dict between this count and its next use.
        references(self.context.bind(py)) == 1
            // Held by the context too.
            && references(self.log_context.bind(py)) == 2
            && self.context.bind(py).len() == 1
    }

    /// Whether the log's part is what is below, but for the system.
    fn is_over(&self, py: Python<'_>, below: &Bound<'_, PyDict>) -> PyResult<bool> {
        let log_context = self.log_context.bind(py);
        let system = intern!(py, "system");
        let mut expected = below.len();
        for (key, value) in below {
            if key.is(system) {
                continue;
            }
            if log_context
                .get_item(key)?
                .is_none_or(|mine| !mine.is(&value))
            {
                return Ok(false);
            }
        }
        if !below.contains(system)? {
            expected += 1;
        }
        Ok(log_context.len() == expected)
    }
}
