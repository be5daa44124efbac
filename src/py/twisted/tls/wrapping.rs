//! What Twisted's client endpoints put between a transport and the protocol: an object
//! that passes on what it is told.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyType};

use super::original::is_original;
use crate::py::support::attributes;
use crate::py::support::class_version::ClassVersion;
use crate::py::support::imports;

struct Wrapping {
    class: Py<PyType>,
    module: Py<PyModule>,
    seen: ClassVersion,
}

/// The class; `None` while nobody has imported it.
fn wrapping(py: Python<'_>) -> PyResult<Option<&'static Wrapping>> {
    static WRAPPING: PyOnceLock<Wrapping> = PyOnceLock::new();
    if let Some(wrapping) = WRAPPING.get(py) {
        return Ok(Some(wrapping));
    }
    if !imports::is_loaded(py, "twisted.internet.endpoints")? {
        return Ok(None);
    }
    let module = py.import(intern!(py, "twisted.internet.endpoints"))?;
    let Some(class) = module.getattr_opt(intern!(py, "_WrappingProtocol"))? else {
        return Ok(None);
    };
    let Ok(class) = class.cast_into::<PyType>() else {
        return Ok(None);
    };
    let found = Wrapping {
        class: class.unbind(),
        module: module.unbind(),
        seen: ClassVersion::default(),
    };
    Ok(Some(WRAPPING.get_or_init(py, || found)))
}

/// What a protocol passes data on to, if it is such an object and does nothing else.
///
/// # Errors
/// None, unless the class is broken.
pub fn wrapped_by<'py>(protocol: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (py, class) = (protocol.py(), protocol.get_type());
    let wrapping = match wrapping(py)? {
        Some(wrapping) if class.is(&wrapping.class) => wrapping,
        _ => return Ok(None),
    };
    let passes_on = wrapping.seen.holds(&class, || {
        let module = wrapping.module.bind(py);
        is_original(
            &class,
            "dataReceived",
            module,
            "_WrappingProtocol.dataReceived",
        )
    })?;
    let own = attributes::dict(protocol)?.cast_into::<PyDict>()?;
    if !passes_on || own.contains(intern!(py, "dataReceived"))? {
        return Ok(None);
    }
    own.get_item(intern!(py, "_wrappedProtocol"))
}
