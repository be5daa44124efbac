//! The native half of Twisted's datagram ports: reading and writing datagrams.
//!
//! `udp.Port` stands behind it in the bases, or one of `unix`, and does what is rare:
//! its own `write` gets whatever isn't a plain datagram to a plain address, and says
//! what is wrong.

mod reading;
mod writing;

use crate::py::support::make::Said;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Mutex;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::Reactor;
use super::stream::fileno;
use crate::core::lock::{lock, try_lock};

/// The native half of a datagram port; see Twisted's `udp.Port`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct DatagramTransport {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    socket: Option<Py<PyAny>>,
    /// Who sent last, and the tuple that was made of its address: mostly the next one's
    /// host too, and what is written to next.
    sender: Option<(Py<PyTuple>, SocketAddr)>,
}

impl DatagramTransport {
    fn socket(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let socket = state.socket.as_ref();
        socket
            .map(|socket| socket.clone_ref(py))
            .ok_or_else(|| PyAttributeError::new_err(Said("socket")))
    }

    fn fd(&self, py: Python<'_>) -> PyResult<RawFd> {
        fileno(self.socket(py)?.bind(py))
    }
}

#[pymethods]
#[allow(non_snake_case)]
impl DatagramTransport {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        DatagramTransport {
            state: Mutex::default(),
        }
    }

    /// Read the datagrams that are there and hand them to the protocol.
    fn doRead(slf: &Bound<'_, Self>) -> PyResult<()> {
        reading::read(slf, native(slf)?.get())
    }

    /// Read the datagrams that are there and hand them, without their senders, to
    /// the protocol. Follows Twisted's `unix.ConnectedDatagramPort.doRead`.
    fn doReadConnected(slf: &Bound<'_, Self>) -> PyResult<()> {
        reading::read_connected(slf, native(slf)?.get())
    }

    /// Send a datagram. Follows IUDPTransport; returns the number of bytes sent.
    #[pyo3(signature = (datagram, addr=None))]
    fn write<'py>(
        slf: &Bound<'py, Self>,
        datagram: &Bound<'py, PyAny>,
        addr: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match writing::write(slf, datagram, addr)? {
            Some(outcome) => writing::finish(slf, outcome),
            None => slf.call_method1(intern!(slf.py(), "_writeOther"), (datagram, addr)),
        }
    }

    /// Send a datagram to a path. Follows IUNIXDatagramTransport; returns the number
    /// of bytes sent.
    fn writeToPath<'py>(
        slf: &Bound<'py, Self>,
        datagram: &Bound<'py, PyAny>,
        address: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match writing::write_to_path(slf, datagram, address)? {
            Some(outcome) => writing::finish(slf, outcome),
            None => slf.call_method1(intern!(slf.py(), "_writeOther"), (datagram, address)),
        }
    }

    /// Send a datagram to the peer. Follows IUNIXDatagramConnectedTransport; returns
    /// the number of bytes sent.
    fn writeConnected<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match writing::send(slf, data)? {
            Some(outcome) => writing::finish(slf, outcome),
            None => slf.call_method1(intern!(slf.py(), "_writeOther"), (data,)),
        }
    }

    #[getter]
    fn get_socket(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.socket(py)
    }

    #[setter]
    fn set_socket(&self, socket: Py<PyAny>) {
        let before = lock(&self.state).socket.replace(socket);
        drop(before);
    }

    #[deleter]
    fn delete_socket(&self) -> PyResult<()> {
        let socket = lock(&self.state).socket.take();
        socket
            .map(drop)
            .ok_or_else(|| PyAttributeError::new_err(Said("socket")))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match try_lock(&self.state) {
            Some(state) => visit.call(&state.socket),
            None => Ok(()),
        }
    }
}

/// The native half of the port's reactor.
fn native<'py>(slf: &Bound<'py, DatagramTransport>) -> PyResult<Bound<'py, Reactor>> {
    let py = slf.py();
    let reactor = slf
        .getattr(intern!(py, "reactor"))?
        .getattr(intern!(py, "_core"))?;
    Ok(reactor.cast_into::<Reactor>()?)
}
