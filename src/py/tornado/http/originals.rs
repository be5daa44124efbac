//! Whether what the native code leaves out is what it was made from.
//!
//! A class or a module's names may be changed by anybody, at any time. What was found of them
//! is remembered with their version, so that as long as nothing changes it takes comparing
//! two numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::HttpFunction;
use crate::py::support::class_version::ClassVersion;
use crate::py::support::dict_version::dict_version;

/// Whose names they are.
enum Owner {
    Class(Py<PyType>, ClassVersion),
    /// A module's names.
    Module(Py<PyDict>, AtomicU64),
}

/// Names of a class or a module, and what each may be; nothing: there may be none.
struct Watched {
    owner: Owner,
    names: Vec<(Py<PyString>, Vec<Py<PyAny>>)>,
}

/// Names of several.
pub struct Originals(Vec<Watched>);

impl Originals {
    /// Takes a list of `(owner, {name: (what it may be, ...)})`.
    pub fn new(list: &Bound<'_, PyAny>) -> PyResult<Originals> {
        let mut originals = Vec::new();
        for item in list.try_iter()? {
            let (owner, expected): (Bound<'_, PyAny>, Bound<'_, PyDict>) = item?.extract()?;
            let owner = match owner.cast_into::<PyType>() {
                Ok(class) => Owner::Class(class.unbind(), ClassVersion::new()),
                Err(other) => {
                    let names = other.into_inner().cast_into::<PyDict>()?;
                    Owner::Module(names.unbind(), AtomicU64::new(0))
                }
            };
            let mut names = Vec::new();
            for (name, values) in expected {
                let values = values.extract::<Vec<Py<PyAny>>>()?;
                names.push((name.cast_into::<PyString>()?.unbind(), values));
            }
            originals.push(Watched { owner, names });
        }
        Ok(Originals(originals))
    }

    /// Whether all of them are.
    #[inline]
    pub fn hold(&self, py: Python<'_>) -> PyResult<bool> {
        for watched in &self.0 {
            if !watched.holds(py)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for watched in &self.0 {
            match &watched.owner {
                Owner::Class(class, _) => visit.call(class)?,
                Owner::Module(names, _) => visit.call(names)?,
            }
            for value in watched.names.iter().flat_map(|(_, values)| values) {
                visit.call(value)?;
            }
        }
        Ok(())
    }
}

impl Watched {
    #[inline]
    fn holds(&self, py: Python<'_>) -> PyResult<bool> {
        match &self.owner {
            Owner::Class(class, version) => {
                let class = class.bind(py);
                version.holds(class, || self.all(py, |name| in_class(class, name)))
            }
            Owner::Module(names, known) => {
                let names = names.bind(py);
                let version = dict_version(names);
                if version.is_some_and(|version| version == known.load(Ordering::Relaxed)) {
                    return Ok(true);
                }
                let holds = self.all(py, |name| names.get_item(name))?;
                if let Some(version) = version {
                    known.store(if holds { version } else { 0 }, Ordering::Relaxed);
                }
                Ok(holds)
            }
        }
    }

    fn all<'py>(
        &self,
        py: Python<'py>,
        find: impl Fn(&Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>>,
    ) -> PyResult<bool> {
        for (name, values) in &self.names {
            let Some(found) = find(name.bind(py))? else {
                // Where nothing may be.
                if values.is_empty() {
                    continue;
                }
                return Ok(false);
            };
            // One that stands in for it does all that it does.
            let stock = found.cast::<HttpFunction>().ok();
            let is = |value: &Py<PyAny>| match &stock {
                Some(native) => native.get().stands_for(value),
                None => found.is(value),
            };
            if !values.iter().any(is) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a class has under a name, as it is in its own dict or that of a base.
fn in_class<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = class.py();
    let bases = class.getattr(intern!(py, "__mro__"))?;
    for base in bases.cast_into::<PyTuple>()? {
        let names = base.getattr(intern!(py, "__dict__"))?;
        if names.contains(name)? {
            return names.get_item(name).map(Some);
        }
    }
    Ok(None)
}
