//! Ciphertext has come; see Twisted's `TLSMemoryBIOProtocol.dataReceived`.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::TLSLayer;
use super::established::Established;
use super::failing::failed;
use super::wrapping::wrapped_by;
use crate::py::transport::tls::Read;

/// How much Twisted takes from a connection at once. It gets one record, which is less; so
/// that data is handed over in the same pieces here.
const SIZE: usize = 1 << 15;

/// Decrypts what has come, and hands it to the application's protocol. Tells whether it
/// could: otherwise the protocol's own `dataReceived` has to.
///
/// # Errors
/// What the application's protocol raises.
pub fn received<'py>(
    layer: &Bound<'py, TLSLayer>,
    protocol: &Bound<'py, PyAny>,
    data: &Bound<'py, PyBytes>,
) -> PyResult<bool> {
    let py = protocol.py();
    let inner = {
        let state = layer.get().state.lock(py);
        state.protocol.as_ref().map(|inner| inner.bind(py).clone())
    };
    let Some(inner) = inner else {
        return Ok(false);
    };
    if !inner.is(protocol) && !wrapped_by(protocol)?.is_some_and(|it| it.is(&inner)) {
        return Ok(false);
    }
    let Some(established) = Established::of(layer, &inner)? else {
        return Ok(false);
    };
    established.engine.feed(py, data)?;
    deliver(layer, &established)?;
    Ok(true)
}

/// See `_flushReceiveBIO`.
fn deliver(layer: &Bound<'_, TLSLayer>, established: &Established<'_>) -> PyResult<()> {
    let protocol = &established.protocol;
    let py = protocol.py();
    loop {
        match established.engine.read_record(py, SIZE) {
            // A callback of the context's may have aborted meanwhile.
            Read::Data(_) if established.is_aborted()? => {}
            Read::Data(data) => {
                let wrapped = established.get(intern!(py, "wrappedProtocol"))?;
                wrapped.call_method1(intern!(py, "dataReceived"), (data,))?;
            }
            Read::Empty => return established.send(),
            Read::Closed => {
                protocol.call_method0(intern!(py, "_shutdownTLS"))?;
                protocol.call_method1(intern!(py, "_tlsShutdownFinished"), (py.None(),))?;
            }
            Read::Failed(error) => failed(protocol, error)?,
        }
        if !established.stays()? {
            protocol.call_method0(intern!(py, "_flushReceiveBIO"))?;
            return Ok(());
        }
        if layer.get().is_parents(py) {
            // In a child that the callback has forked: the parent hands over the rest.
            return Ok(());
        }
        if established.engine.is_drained(py) {
            return established.send();
        }
    }
}
