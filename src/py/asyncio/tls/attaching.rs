//! The beginning: a transport has asyncio's protocol for TLS.

use std::sync::atomic::AtomicUsize;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyMemoryView, PyWeakrefReference};

use super::{Tls, stock};
use crate::py::support::guarded::Guarded;
use crate::py::transport::tls::Engine;

/// The native half of a protocol, if it is one of asyncio's for TLS, and nobody has changed
/// what is done natively.
///
/// # Errors
/// Those of importing asyncio's module.
pub fn attach<'py>(protocol: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, Tls>>> {
    // Older Pythons have another protocol under this name.
    if !cfg!(Py_3_11) || !stock::is_protocol(protocol)? {
        return Ok(None);
    }
    let py = protocol.py();
    let attributes = protocol.getattr(intern!(py, "__dict__"))?;
    let attributes = attributes.cast_into::<PyDict>()?;
    if !stock::is_unchanged(py)? || stock::has_own(&attributes)? {
        return Ok(None);
    }
    let get = |name| attributes.get_item(name);
    let (Some(sslobj), Some(incoming), Some(outgoing), Some(transport)) = (
        get(intern!(py, "_sslobj"))?,
        get(intern!(py, "_incoming"))?,
        get(intern!(py, "_outgoing"))?,
        get(intern!(py, "_app_transport"))?,
    ) else {
        return Ok(None);
    };
    if !stock::is_transport(&transport)? {
        return Ok(None);
    }
    let Some(engine) = Engine::of_ssl_object(&sslobj, &incoming, &outgoing)? else {
        return Ok(None);
    };
    let object_attributes = sslobj.getattr(intern!(py, "__dict__"))?;
    let tls = Tls {
        protocol: protocol.clone().unbind(),
        known: AtomicUsize::new(attributes.len()),
        seen: Guarded::default(),
        attributes: attributes.clone().unbind(),
        transport: PyWeakrefReference::new(&transport)?.unbind(),
        sslobj: sslobj.unbind(),
        object_attributes: object_attributes.cast_into::<PyDict>()?.unbind(),
        incoming: incoming.unbind(),
        outgoing: outgoing.unbind(),
        engine,
    };
    let tls = Bound::new(py, tls)?;
    write_natively(&tls, &transport)?;
    release_buffer(&attributes)?;
    Ok(Some(tls))
}

/// Puts native methods before those of the transport's class, unless somebody else's are
/// there.
fn write_natively(tls: &Bound<'_, Tls>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
    let attributes = transport.getattr(intern!(tls.py(), "__dict__"))?;
    let attributes = attributes.cast_into::<PyDict>()?;
    for name in stock::TRANSPORT_METHODS {
        if !attributes.contains(name)? {
            attributes.set_item(name, tls.getattr(name)?)?;
        }
    }
    Ok(())
}

/// Releases the memory that asyncio would read into: it isn't needed. `get_buffer` makes
/// another one if somebody calls it.
fn release_buffer(attributes: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = attributes.py();
    let buffer = PyByteArray::new_with(py, 0, |_| Ok(()))?;
    let view = PyMemoryView::from(buffer.as_any())?;
    attributes.set_item(intern!(py, "_ssl_buffer"), buffer)?;
    attributes.set_item(intern!(py, "_ssl_buffer_view"), view)
}
