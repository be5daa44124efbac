//! A port has accepted a TLS connection; see Twisted's `TLSMemoryBIOProtocol.makeConnection`.
//!
//! That declares one interface of the transport after the other to be all that the protocol
//! provides, and then all of them together, which takes as long as all the rest before the
//! handshake. Here it is done once.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use super::stock::stock;
use crate::py::support::attributes;
use crate::py::support::make;

/// Connects a protocol, if it is Twisted's TLS as it comes. Tells whether it was.
///
/// # Errors
/// Those of the context, and what the application's protocol raises.
#[inline]
pub fn connect(protocol: &Bound<'_, PyAny>, transport: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = protocol.py();
    let stock = match stock(py)? {
        Some(stock) if stock.serves(protocol)? && stock.connects(protocol)? => stock,
        _ => return Ok(false),
    };
    let own = attributes::dict(protocol)?.cast_into::<PyDict>()?;
    let Some(factory) = own.get_item(intern!(py, "factory"))? else {
        return Ok(false);
    };
    let connects = own.get_item(intern!(py, "_connectWrapped"))?;
    if !connects.is_some_and(|connects| connects.is(PyBool::new(py, true)))
        || own.contains(intern!(py, "makeConnection"))?
        || !stock.registers(&factory)?
    {
        return Ok(false);
    }
    let connection = factory.call_method1(intern!(py, "_creatorCallable"), (protocol,))?;
    protocol.setattr(intern!(py, "_tlsConnection"), connection)?;
    protocol.setattr(
        intern!(py, "_appSendBuffer"),
        make::list(py, None::<Bound<'_, PyAny>>)?,
    )?;
    let make = intern!(py, "makeConnection");
    stock
        .protocol
        .bind(py)
        .call_method1(make, (protocol, transport))?;
    factory.call_method1(intern!(py, "registerProtocol"), (protocol,))?;
    stock
        .wrapper
        .bind(py)
        .call_method1(make, (protocol, transport))?;
    protocol.call_method0(intern!(py, "_checkHandshakeStatus"))?;
    Ok(true)
}
