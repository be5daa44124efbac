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

/// Has the protocol end the connection because of an error of OpenSSL's, or another that leaves
/// nobody knowing what was sent.
///
/// # Errors
/// The same, if Twisted's own classes aren't known; those of the protocol.
pub fn finished(protocol: &Bound<'_, PyAny>, error: PyErr) -> PyResult<()> {
    let py = protocol.py();
    let Some(stock) = stock(py)? else {
        return Err(error);
    };
    let is_openssls = error.is_instance(py, stock.error.bind(py));
    let (value, class) = (error.value(py), error.get_type(py));
    let failure = stock
        .failure
        .bind(py)
        .call1((value, class, error.traceback(py)));
    let finish = intern!(py, "_tlsShutdownFinished");
    if is_openssls {
        return protocol.call_method1(finish, (failure?,)).map(drop);
    }
    // It would look for OpenSSL's reasons in any failure, and end nothing if there are none.
    let noted = failure.and_then(|failure| {
        let name = intern!(py, "_reason");
        match protocol.getattr(name)?.is_none() {
            true => protocol.setattr(name, failure),
            false => Ok(()),
        }
    });
    let finished = protocol.call_method1(finish, (py.None(),));
    if finished.is_err() {
        // Memory is short still. Nothing may follow what is missing.
        protocol
            .getattr(intern!(py, "transport"))?
            .call_method0(intern!(py, "abortConnection"))?;
    }
    noted.and(finished.map(drop))
}
