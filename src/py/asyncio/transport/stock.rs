//! asyncio's own classes and functions that a transport needs.

use crate::py::support::make::Said;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::py::support::imports;

fn cached<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let find = || -> PyResult<Py<PyAny>> {
        Ok(py
            .import(make::name(py, module)?)?
            .getattr(make::name(py, name)?)?
            .unbind())
    };
    Ok(cell.get_or_try_init(py, find)?.bind(py))
}

/// asyncio's own class of such a transport.
pub fn socket_transport_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(
        py,
        &CLASS,
        "asyncio.selector_events",
        "_SelectorSocketTransport",
    )
}

/// `asyncio.BufferedProtocol`.
pub fn buffered_protocol_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &CLASS, "asyncio.protocols", "BufferedProtocol")
}

/// Sets a future's result to None, unless it is cancelled.
pub fn set_result(future: &Bound<'_, PyAny>) -> PyResult<()> {
    static SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = future.py();
    let set = cached(py, &SET, "asyncio.futures", "_set_result_unless_cancelled")?;
    set.call1((future, py.None())).map(drop)
}

/// Tells a server of a transport of its own, and from Python 3.13 on of which.
pub fn attach(server: &Bound<'_, PyAny>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
    tell(server, intern!(server.py(), "_attach"), transport)
}

/// Tells a server that one of its transports is no more.
pub fn detach(server: &Bound<'_, PyAny>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
    tell(server, intern!(server.py(), "_detach"), transport)
}

fn tell(
    server: &Bound<'_, PyAny>,
    method: &Bound<'_, PyString>,
    transport: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let told = if cfg!(Py_3_13) {
        server.call_method1(method, (transport,))
    } else {
        server.call_method0(method)
    };
    told.map(drop)
}

/// The socket object of a descriptor, which it owns from then on.
pub fn socket_of<'py>(py: Python<'py>, descriptor: OwnedFd) -> PyResult<Bound<'py, PyAny>> {
    let socket = imports::socket_of(py, descriptor.as_raw_fd())?;
    // The object owns it from here on.
    let _ = descriptor.into_raw_fd();
    socket.call_method1(intern!(py, "settimeout"), (make::Float(0.0),))?;
    Ok(socket)
}

/// Whether a write is refused in the `connection_lost` that follows the last byte sent.
pub fn refuses_last_writes() -> bool {
    cfg!(Py_3_14)
}

/// Refuses to write what isn't bytes-like.
pub fn not_bytes_like(data: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let wanted = if cfg!(Py_3_14) {
        "bytes, bytearray, or memoryview object"
    } else {
        "bytes-like object"
    };
    let class = data.get_type().name()?;
    let message = format!("data argument must be a {wanted}, not '{class}'");
    Ok(PyTypeError::new_err(Said(message)))
}

/// Refuses `writelines` after `write_eof`, and while `sendfile` is in progress. Up to
/// Python 3.11 it is a `write` of everything.
pub fn refused_lines() -> (&'static str, &'static str) {
    if cfg!(Py_3_12) {
        (
            "Cannot call writelines() after write_eof()",
            "unable to writelines; sendfile is in progress",
        )
    } else {
        (
            "Cannot call write() after write_eof()",
            "unable to write; sendfile is in progress",
        )
    }
}
