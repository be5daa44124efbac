//! Addresses as Python's socket module has them.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::core::sys::sockets::Peer;
use crate::py::support::imports;

/// An address as the socket module has it.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn address<'py>(py: Python<'py>, address: &SocketAddr) -> PyResult<Bound<'py, PyAny>> {
    let (host, port) = (host(py, address)?, address.port());
    match address {
        SocketAddr::V4(_) => (host, port).into_pyobject(py).map(Bound::into_any),
        SocketAddr::V6(v6) => {
            let full = (host, port, v6.flowinfo(), v6.scope_id());
            full.into_pyobject(py).map(Bound::into_any)
        }
    }
}

/// The host of an address as the socket module has it.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn host<'py>(py: Python<'py>, address: &SocketAddr) -> PyResult<Bound<'py, PyString>> {
    let mut host = address.ip().to_string();
    if let SocketAddr::V6(v6) = address
        && v6.scope_id() != 0
    {
        host = imports::scoped_host(py, (host, v6.port(), v6.flowinfo(), v6.scope_id()))?;
    }
    Ok(PyString::new(py, &host))
}

/// An address of any family as the socket module has it.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn peer_name<'py>(py: Python<'py>, peer: &Peer) -> PyResult<Bound<'py, PyAny>> {
    Ok(match peer {
        Peer::Internet(internet) => address(py, internet)?,
        Peer::Path(path) => OsStr::from_bytes(path).into_pyobject(py)?.into_any(),
        Peer::Abstract(name) => PyBytes::new(py, name).into_any(),
        Peer::Nobody => py.None().into_bound(py),
    })
}
