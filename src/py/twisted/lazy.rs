//! Attributes of transports that are rarely asked for, and made then.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::py::support::attributes;

/// An attribute that is rarely asked for, and made then: not for each connection.
///
/// `Lazy(name, make)`: `make` names the method that makes it. (A `__getattr__` would make
/// every look at an attribute slower.) It can be set and deleted.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Lazy {
    name: Py<PyString>,
    make: Py<PyString>,
}

#[pymethods]
impl Lazy {
    #[new]
    fn new(name: Py<PyString>, make: Py<PyString>) -> Self {
        Lazy { name, make }
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        transport: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let Some(transport) = transport else {
            return Ok(slf.clone().into_any());
        };
        let known = attributes_of(transport)?.get_item(&this.name)?;
        let value = match known {
            Some(known) => known,
            None => {
                let made = transport.call_method0(&this.make)?;
                attributes_of(transport)?.set_item(&this.name, &made)?;
                made
            }
        };
        if value.is(slf) {
            return Err(PyAttributeError::new_err(this.name.clone_ref(py)));
        }
        Ok(value)
    }

    fn __set__(&self, transport: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        attributes_of(transport)?.set_item(&self.name, value)
    }

    /// In its place stands this, or it would be made again.
    fn __delete__(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        Lazy::__get__(slf, Some(transport), None)?;
        attributes_of(transport)?.set_item(&slf.get().name, slf)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.name)?;
        visit.call(&self.make)
    }
}

/// The attributes that aren't native.
fn attributes_of<'py>(transport: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    Ok(attributes::dict(transport)?.cast_into()?)
}
