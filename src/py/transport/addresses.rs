//! Addresses as Python's socket module has them, and with the scope in the host.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::core::dotted;
use crate::core::sys::sockets::Peer;
use crate::py::support::imports;
use crate::py::support::make;

/// An Internet address as the socket module has it, which leaves the scope out of the host.
/// `host` is that if it is known already.
///
/// # Errors
/// Those of `inet_ntop`; none is known to happen.
pub fn without_scope<'py>(
    py: Python<'py>,
    address: &SocketAddr,
    host: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let host = host.map_or_else(|| numeric(py, address.ip()), Ok)?;
    match address {
        SocketAddr::V4(v4) => make::tuple(py, [host, number(py, v4.port())?]),
        SocketAddr::V6(v6) => {
            let flow = u32::from_be(v6.flowinfo());
            v6_tuple(host, v6, flow)
        }
    }
}

/// As inet_ntop(3) writes it; addresses that hold an old one otherwise than Rust does.
fn numeric(py: Python<'_>, ip: IpAddr) -> PyResult<Bound<'_, PyAny>> {
    match ip {
        IpAddr::V6(v6) if v6.segments().iter().take(6).all(|part| *part == 0) => {
            imports::inet_ntop(py, libc::AF_INET6, &v6.octets())
        }
        ip => Ok(make::text(py, &dotted::text(ip))?.into_any()),
    }
}

/// An Internet address as the socket module has it, but with the scope in the host.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn address<'py>(py: Python<'py>, address: &SocketAddr) -> PyResult<Bound<'py, PyTuple>> {
    let host = host(py, address)?.into_any();
    match address {
        SocketAddr::V4(v4) => make::tuple(py, [host, number(py, v4.port())?]),
        SocketAddr::V6(v6) => v6_tuple(host, v6, v6.flowinfo()),
    }
}

fn number<'py>(py: Python<'py>, number: impl Into<u64>) -> PyResult<Bound<'py, PyAny>> {
    Ok(make::unsigned(py, number)?.into_any())
}

fn v6_tuple<'py>(
    host: Bound<'py, PyAny>,
    v6: &SocketAddrV6,
    flow: u32,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = host.py();
    let (port, flow) = (number(py, v6.port())?, number(py, flow)?);
    make::tuple(py, [host, port, flow, number(py, v6.scope_id())?])
}

/// The host of an address, with its scope.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn host<'py>(py: Python<'py>, address: &SocketAddr) -> PyResult<Bound<'py, PyString>> {
    make::text(py, &host_text(py, address)?)
}

/// The same, not as an object.
///
/// # Errors
/// As `host`.
pub fn host_text(py: Python<'_>, address: &SocketAddr) -> PyResult<String> {
    let host = dotted::text(address.ip());
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            imports::scoped_host(py, (host, v6.port(), v6.flowinfo(), v6.scope_id()))
        }
        _ => Ok(host),
    }
}

/// An address of any family as the socket module has it, but with the scope in the host.
///
/// # Errors
/// Those of `getnameinfo`, for an address with a scope.
pub fn peer_name<'py>(py: Python<'py>, peer: &Peer) -> PyResult<Bound<'py, PyAny>> {
    Ok(match peer {
        Peer::Internet(internet) => address(py, internet)?.into_any(),
        Peer::Path(path) => match std::str::from_utf8(path) {
            Ok(path) => make::text(py, path)?.into_any(),
            // By the system's own encoding of names.
            Err(_) => OsStr::from_bytes(path).into_pyobject(py)?.into_any(),
        },
        Peer::Abstract(name) => make::bytes(py, name)?.into_any(),
        Peer::Nobody => py.None().into_bound(py),
    })
}
