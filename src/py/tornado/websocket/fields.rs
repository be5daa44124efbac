//! An object's attributes, under Tornado's names.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::py::tornado::streams::number;

/// An object's `__dict__`.
pub struct Fields<'py>(pub Bound<'py, PyDict>);

impl<'py> Fields<'py> {
    /// An attribute; `None` if there is none.
    pub fn get(&self, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get_item(name)
    }

    /// An attribute that is neither missing nor None.
    pub fn some(&self, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.get(name)?.filter(|value| !value.is_none()))
    }

    /// An attribute that is a number and no less than zero; `None` if it is anything else.
    pub fn number(&self, name: &Bound<'py, PyString>) -> PyResult<Option<usize>> {
        Ok(self.get(name)?.as_ref().and_then(number))
    }

    /// Whether an attribute is exactly True, or False; `None` if it is neither.
    pub fn flag(&self, name: &Bound<'py, PyString>) -> PyResult<Option<bool>> {
        let value = self.get(name)?;
        Ok(value.and_then(|value| Some(value.cast_exact::<PyBool>().ok()?.is_true())))
    }

    /// Sets an attribute.
    pub fn set(&self, name: &Bound<'py, PyString>, value: impl IntoPyObject<'py>) -> PyResult<()> {
        self.0.set_item(name, value)
    }
}
