//! Writing datagrams: plain ones to plain addresses.
//!
//! Each function gives `None` if that isn't what it has got, and nothing has been done
//! then; else what came of it.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::DatagramTransport;
use crate::core::lock::lock;
use crate::core::sys::sockets::{self, LocalAddress};
use crate::py::support::error;
use crate::py::support::make;

type Written = PyResult<Option<io::Result<usize>>>;

/// Writes to an Internet address, or to the peer.
///
/// # Errors
/// `AttributeError` without a socket.
pub fn write(
    slf: &Bound<'_, DatagramTransport>,
    datagram: &Bound<'_, PyAny>,
    addr: Option<&Bound<'_, PyAny>>,
) -> Written {
    let py = slf.py();
    let is_connected = slf.getattr(intern!(py, "_connectedAddr"))?.is_truthy()?;
    let addr = match (is_connected, addr) {
        (true, None) => return send(slf, datagram),
        (false, Some(addr)) => addr.cast::<PyTuple>(),
        _ => return Ok(None),
    };
    let (Ok(addr), Ok(datagram)) = (addr, datagram.cast::<PyBytes>()) else {
        return Ok(None);
    };
    let Some(to) = sender(slf, addr).or_else(|| parse(addr)) else {
        return Ok(None);
    };
    let family: i32 = slf.getattr(intern!(py, "addressFamily"))?.extract()?;
    if to.is_ipv6() != (family == libc::AF_INET6) {
        return Ok(None);
    }
    let fd = slf.get().fd(py)?;
    Ok(Some(sockets::send_to(fd, datagram.as_bytes(), &to)))
}

/// The address, if it is the very one that the last datagram came with.
fn sender(slf: &Bound<'_, DatagramTransport>, addr: &Bound<'_, PyTuple>) -> Option<SocketAddr> {
    match &lock(&slf.get().state).sender {
        Some((known, from)) if known.is(addr) => Some(*from),
        _ => None,
    }
}

/// The address that is a tuple of host and port.
fn parse(addr: &Bound<'_, PyTuple>) -> Option<SocketAddr> {
    if addr.len() != 2 {
        return None;
    }
    let host = addr.get_item(0).ok()?;
    let ip = host.cast::<PyString>().ok()?.to_str().ok()?.parse().ok()?;
    let port = addr.get_item(1).ok()?.extract().ok()?;
    Some(SocketAddr::new(ip, port))
}

/// Writes to a UNIX socket.
///
/// # Errors
/// `AttributeError` without a socket.
pub fn write_to_path(
    slf: &Bound<'_, DatagramTransport>,
    datagram: &Bound<'_, PyAny>,
    addr: &Bound<'_, PyAny>,
) -> Written {
    let Ok(datagram) = datagram.cast::<PyBytes>() else {
        return Ok(None);
    };
    let to = if let Ok(path) = addr.cast::<PyBytes>() {
        LocalAddress::new(path.as_bytes())
    } else if let Ok(path) = addr.cast::<PyString>() {
        let path = path.extract::<OsString>().ok();
        path.and_then(|path| LocalAddress::new(path.as_bytes()))
    } else {
        None
    };
    let Some(to) = to else {
        return Ok(None);
    };
    let fd = slf.get().fd(slf.py())?;
    Ok(Some(sockets::send_to_path(fd, datagram.as_bytes(), &to)))
}

/// Writes to the peer.
///
/// # Errors
/// `AttributeError` without a socket.
pub fn send(slf: &Bound<'_, DatagramTransport>, datagram: &Bound<'_, PyAny>) -> Written {
    let Ok(datagram) = datagram.cast::<PyBytes>() else {
        return Ok(None);
    };
    let fd = slf.get().fd(slf.py())?;
    Ok(Some(sockets::send(fd, datagram.as_bytes())))
}

/// What `write` returns: the number of bytes sent, or what Twisted makes of the error.
///
/// # Errors
/// Twisted's for this error.
pub fn finish<'py>(
    slf: &Bound<'py, DatagramTransport>,
    outcome: io::Result<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match outcome {
        Ok(count) => Ok(make::size(py, count)?.into_any()),
        Err(error) => {
            let error = error::value(py, error::os_error(error));
            slf.call_method1(intern!(py, "_writeFailed"), (error,))
        }
    }
}
