//! A call as `callFromThread` takes it: no handle, no context.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::Reactor;
use crate::py::support::error;

/// See the module's documentation.
pub struct ThreadCall {
    /// Reports exceptions.
    pub reactor: Py<Reactor>,
    /// What is called.
    pub function: Py<PyAny>,
    /// Its positional arguments.
    pub args: Py<PyTuple>,
    /// Its keyword arguments.
    pub kwargs: Option<Py<PyDict>>,
}

impl ThreadCall {
    /// Calls it. An exception is logged, whatever it is, as Twisted does.
    ///
    /// # Errors
    /// None that comes from the call, but for a Ctrl-C that isn't Twisted's.
    pub fn run(&self, py: Python<'_>) -> PyResult<()> {
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        match self.function.bind(py).call(self.args.bind(py), kwargs) {
            Ok(result) => self.reactor.get().look_at_result(&result, "callFromThread"),
            Err(error) if self.reactor.get().ends_the_loop(py, &error) => Err(error),
            Err(error) => self
                .reactor
                .get()
                .report(py, "thread_call", (error::value(py, error),)),
        }
    }

    /// The same call once more.
    pub fn clone_ref(&self, py: Python<'_>) -> ThreadCall {
        ThreadCall {
            reactor: self.reactor.clone_ref(py),
            function: self.function.clone_ref(py),
            args: self.args.clone_ref(py),
            kwargs: self.kwargs.as_ref().map(|kwargs| kwargs.clone_ref(py)),
        }
    }

    /// What a report names.
    pub fn subject(&self, py: Python<'_>) -> Py<PyAny> {
        self.function.clone_ref(py)
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.reactor)?;
        visit.call(&self.function)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)
    }
}
