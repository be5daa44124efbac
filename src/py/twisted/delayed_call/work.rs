//! What a delayed call calls.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A function and its arguments.
pub(super) struct Work {
    pub(super) function: Py<PyAny>,
    /// A tuple, unless somebody has put another sequence in its place.
    pub(super) args: Py<PyAny>,
    /// A dict, unless somebody has put another mapping in its place.
    pub(super) kw: Option<Py<PyAny>>,
}

impl Work {
    /// # Errors
    /// Those of the function, and of arguments that somebody has replaced.
    pub(super) fn call<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let args = match self.args.bind(py).cast::<PyTuple>() {
            Ok(args) => args.clone(),
            Err(_) => py.get_type::<PyTuple>().call1((&self.args,))?.cast_into()?,
        };
        let kw = match self.kw.as_ref().map(|kw| kw.bind(py)) {
            None => None,
            Some(kw) => Some(match kw.cast::<PyDict>() {
                Ok(kw) => kw.clone(),
                Err(_) => py.get_type::<PyDict>().call1((kw,))?.cast_into()?,
            }),
        };
        self.function.bind(py).call(args, kw.as_ref())
    }

    pub(super) fn clone_ref(&self, py: Python<'_>) -> Work {
        Work {
            function: self.function.clone_ref(py),
            args: self.args.clone_ref(py),
            kw: self.kw.as_ref().map(|kw| kw.clone_ref(py)),
        }
    }
}
