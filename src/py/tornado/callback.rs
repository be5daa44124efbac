//! A callback as Tornado's `add_callback` takes it: with keyword arguments,
//! in a context, and without a handle.

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::IOLoop;
use crate::py::support::{context, error};

/// See the module's documentation.
pub struct Callback {
    /// Reports exceptions, and takes what the callback returns.
    pub io_loop: Py<IOLoop>,
    /// What is called.
    pub callback: Py<PyAny>,
    /// Its positional arguments.
    pub args: Py<PyTuple>,
    /// Its keyword arguments.
    pub kwargs: Option<Py<PyDict>>,
    /// Where it runs.
    pub context: Py<PyAny>,
}

impl Callback {
    /// Calls it. A result that can be yielded is waited for, as Tornado does;
    /// an exception is logged.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn run(&self, py: Python<'_>) -> PyResult<()> {
        if self.io_loop.get().drops_calls() {
            return Ok(());
        }
        let io_loop = self.io_loop.bind(py);
        let outcome = context::run_in(py, &self.context, || {
            let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
            let result = self.callback.call(py, self.args.bind(py), kwargs)?;
            if !result.is_none(py) {
                io_loop.call_method1(intern!(py, "_callback_returned"), (result,))?;
            }
            Ok(())
        });
        match outcome {
            Err(error) if !error::ends_the_loop(py, &error) => {
                let call = (&self.callback, &self.args, &self.kwargs);
                let report = intern!(py, "_callback_failed");
                io_loop.call_method1(report, (call, error::value(py, error)))?;
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// What a report names.
    pub fn subject(&self, py: Python<'_>) -> Py<PyAny> {
        self.callback.clone_ref(py)
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.io_loop)?;
        visit.call(&self.callback)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)?;
        visit.call(&self.context)
    }
}
