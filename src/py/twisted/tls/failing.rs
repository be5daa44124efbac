//! What pyOpenSSL raises.

use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::stock::stock;

/// Has the protocol end the connection because of an error of OpenSSL's.
///
/// # Errors
/// The same, if it is another.
pub fn failed(protocol: &Bound<'_, PyAny>, error: PyErr) -> PyResult<()> {
    let py = protocol.py();
    match stock(py)? {
        Some(stock) if error.is_instance(py, stock.error.bind(py)) => finished(protocol, error),
        _ => Err(error),
    }
}

/// Has the protocol end the connection because of an error of any kind.
///
/// # Errors
/// The same, if Twisted's own classes aren't known; those of the protocol.
pub fn finished(protocol: &Bound<'_, PyAny>, error: PyErr) -> PyResult<()> {
    let py = protocol.py();
    let Some(stock) = stock(py)? else {
        return Err(error);
    };
    let (value, class) = (error.value(py), error.get_type(py));
    let failure = stock
        .failure
        .bind(py)
        .call1((value, class, error.traceback(py)))?;
    protocol.call_method1(intern!(py, "_tlsShutdownFinished"), (failure,))?;
    Ok(())
}
