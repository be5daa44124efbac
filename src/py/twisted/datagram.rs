//! The native half of Twisted's UDP ports: reading and writing datagrams.
//!
//! `udp.Port` stands behind it in the bases, and does what is rare: its own `write`
//! gets whatever isn't a plain datagram to a plain address, and says what is wrong.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::Reactor;
use super::stream::{address, fileno};
use crate::core::lock::{lock, try_lock};
use crate::core::sys::socket;
use crate::py::error;

/// The native half of a UDP port; see Twisted's `udp.Port`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct DatagramTransport {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    socket: Option<Py<PyAny>>,
    /// Who sent last, and its host as a string: mostly the next one too.
    host: Option<(IpAddr, Py<PyString>)>,
}

impl DatagramTransport {
    fn socket(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let socket = state.socket.as_ref();
        socket
            .map(|socket| socket.clone_ref(py))
            .ok_or_else(|| PyAttributeError::new_err("socket"))
    }

    fn fd(&self, py: Python<'_>) -> PyResult<RawFd> {
        fileno(self.socket(py)?.bind(py))
    }

    /// A sender as a tuple of host and port.
    fn sender<'py>(&self, py: Python<'py>, from: &SocketAddr) -> PyResult<Bound<'py, PyAny>> {
        let known = match &lock(&self.state).host {
            Some((ip, host)) if *ip == from.ip() => Some(host.bind(py).clone()),
            _ => None,
        };
        let host = match known {
            Some(host) => host,
            None => {
                let host = address(py, from)?.get_item(0)?.cast_into::<PyString>()?;
                let scoped = matches!(from, SocketAddr::V6(v6) if v6.scope_id() != 0);
                if !scoped {
                    let entry = (from.ip(), host.clone().unbind());
                    let before = lock(&self.state).host.replace(entry);
                    drop(before);
                }
                host
            }
        };
        (host, from.port()).into_pyobject(py).map(Bound::into_any)
    }

    /// Writes a datagram if it and its address are plain; else `None`, and nothing
    /// has been done.
    fn write_plain(
        slf: &Bound<'_, Self>,
        datagram: &Bound<'_, PyAny>,
        addr: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<usize>> {
        let py = slf.py();
        let (Some(addr), Ok(datagram)) = (addr, datagram.cast::<PyBytes>()) else {
            return Ok(None);
        };
        let (Ok(addr), connected) = (
            addr.cast::<PyTuple>(),
            slf.getattr(intern!(py, "_connectedAddr"))?,
        ) else {
            return Ok(None);
        };
        if addr.len() != 2 || connected.is_truthy()? {
            return Ok(None);
        }
        let host = addr.get_item(0)?;
        let ip = host
            .cast::<PyString>()
            .ok()
            .and_then(|host| host.to_str().ok()?.parse::<IpAddr>().ok());
        let (Some(ip), Ok(port)) = (ip, addr.get_item(1)?.extract::<u16>()) else {
            return Ok(None);
        };
        let family: i32 = slf.getattr(intern!(py, "addressFamily"))?.extract()?;
        if ip.is_ipv6() != (family == libc::AF_INET6) {
            return Ok(None);
        }
        let fd = slf.get().fd(py)?;
        let to = SocketAddr::new(ip, port);
        Ok(socket::send_to(fd, datagram.as_bytes(), &to).ok())
    }

    /// Reads the datagrams that are there.
    fn read(slf: &Bound<'_, Self>, core: &Reactor) -> PyResult<()> {
        let (py, mut read) = (slf.py(), 0);
        while read
            < slf
                .getattr(intern!(py, "maxThroughput"))?
                .extract::<i64>()?
        {
            let size = slf.getattr(intern!(py, "maxPacketSize"))?.extract()?;
            let (data, from) = match core.receive_from(py, slf.get().fd(py)?, size) {
                Ok(received) => received,
                Err(error) => return DatagramTransport::refused(slf, error),
            };
            read += i64::try_from(data.as_bytes().len()).unwrap_or(i64::MAX);
            let from = match &from {
                Some(from) => slf.get().sender(py, from)?,
                None => py.None().into_bound(py),
            };
            let received = slf
                .getattr(intern!(py, "protocol"))?
                .call_method1(intern!(py, "datagramReceived"), (data, from));
            if let Err(error) = received {
                core.report(py, "datagram", (error.into_value(py),))?;
            }
        }
        Ok(())
    }

    fn refused(slf: &Bound<'_, Self>, error: io::Error) -> PyResult<()> {
        let py = slf.py();
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(()),
            Some(libc::ECONNREFUSED) => {
                if slf.getattr(intern!(py, "_connectedAddr"))?.is_truthy()? {
                    slf.getattr(intern!(py, "protocol"))?
                        .call_method0(intern!(py, "connectionRefused"))?;
                }
                Ok(())
            }
            _ => Err(error::os_error(error)),
        }
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
        let py = slf.py();
        let core = slf
            .getattr(intern!(py, "reactor"))?
            .getattr(intern!(py, "_core"))?;
        DatagramTransport::read(slf, core.cast::<Reactor>()?.get())
    }

    /// Send a datagram. Follows IUDPTransport; returns the number of bytes sent.
    #[pyo3(signature = (datagram, addr=None))]
    fn write<'py>(
        slf: &Bound<'py, Self>,
        datagram: &Bound<'py, PyAny>,
        addr: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match DatagramTransport::write_plain(slf, datagram, addr)? {
            Some(count) => count
                .into_pyobject(py)
                .map(Bound::into_any)
                .map_err(Into::into),
            None => slf.call_method1(intern!(py, "_writeOther"), (datagram, addr)),
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
            .ok_or_else(|| PyAttributeError::new_err("socket"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match try_lock(&self.state) {
            Some(state) => visit.call(&state.socket),
            None => Ok(()),
        }
    }
}
