//! A function or method that stands in for one of Tornado's HTTP/1 or WebSocket.
//!
//! It is no function in Python, so it has no frame: tracebacks, and where a warning points to,
//! are what they are without it. What it hasn't itself it has of Tornado's function.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::super::websocket::{self, WebSocket};
use super::{Http, Step};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::make;
use crate::py::support::methods;
use crate::py::support::names::intern;

/// See the module's documentation.
#[pyclass(frozen, module = "tornado4._core")]
pub struct HttpFunction {
    does: Does,
    stock: Py<PyAny>,
}

/// Who does what it does.
enum Does {
    Http(Py<Http>, Step),
    WebSocket(Py<WebSocket>, websocket::Step),
}

impl HttpFunction {
    /// Whether it stands in for that.
    pub(super) fn stands_for(&self, function: &Py<PyAny>) -> bool {
        self.stock.is(function)
    }
}

#[pymethods]
impl HttpFunction {
    #[new]
    fn new(native: &Bound<'_, PyAny>, step: &str, stock: Py<PyAny>) -> PyResult<HttpFunction> {
        let does = match native.cast::<WebSocket>() {
            Ok(native) => websocket::Step::named(step)
                .map(|step| Does::WebSocket(native.clone().unbind(), step)),
            Err(_) => {
                let native = native.cast::<Http>()?.clone().unbind();
                Step::named(step).map(|step| Does::Http(native, step))
            }
        };
        let does = does.ok_or_else(|| PyValueError::new_err("no such step"))?;
        Ok(HttpFunction { does, stock })
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        hang_rather_than_unwind();
        let py = args.py();
        let done = match &self.does {
            Does::Http(http, step) => http.bind(py).get().take(*step, args, kwargs)?,
            Does::WebSocket(websocket, step) => {
                WebSocket::take(websocket.bind(py), *step, &self.stock, args, kwargs)?
            }
        };
        match done {
            Some(result) => Ok(result),
            None => self.stock.bind(py).call(args, kwargs),
        }
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if instance.is_none() {
            return Ok(slf.clone().into_any());
        }
        methods::bind(slf.as_any(), instance)
    }

    /// Tornado's own function.
    #[getter]
    fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
        self.stock.clone_ref(py)
    }

    #[getter]
    fn __module__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.stock.bind(py).getattr(intern!(py, "__module__"))
    }

    /// Pickled by name, like functions.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.stock.bind(py).getattr(intern!(py, "__qualname__"))
    }

    /// A function's, so that it is taken for one by whoever asks what it is.
    #[getter]
    fn __class__<'py>(&self, py: Python<'py>) -> Bound<'py, PyType> {
        self.stock.bind(py).get_type()
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.stock.bind(name.py()).getattr(name)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let name = self.stock.bind(py).getattr(intern!(py, "__qualname__"))?;
        make::text(py, &format!("<native {name} of Tornado>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.does {
            Does::Http(http, _) => visit.call(http)?,
            Does::WebSocket(websocket, _) => visit.call(websocket)?,
        }
        visit.call(&self.stock)
    }
}
