//! Reading datagrams, and what the protocol makes of them.

use std::io;
use std::net::SocketAddr;

use crate::py::support::names::intern;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::DatagramTransport;
use crate::core::lock::lock;
use crate::core::sys::sockets::Peer;
use crate::py::support::error;
use crate::py::support::make;
use crate::py::transport::addresses::{host, peer_name};
use crate::py::transport::read_buffer::{self, READ_SIZE};
use crate::py::twisted::Reactor;

/// A datagram, and its sender as Twisted has it.
type Datagram<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Why nothing has been read.
enum Trouble {
    System(io::Error),
    Python(PyErr),
}

impl Trouble {
    fn errno(&self, py: Python<'_>) -> Option<i32> {
        match self {
            Trouble::System(error) => error.raw_os_error(),
            Trouble::Python(error) => errno(py, error),
        }
    }
}

impl From<PyErr> for Trouble {
    fn from(error: PyErr) -> Self {
        Trouble::Python(error)
    }
}

impl From<Trouble> for PyErr {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::System(error) => error::os_error(error),
            Trouble::Python(error) => error,
        }
    }
}

/// What Twisted goes by: an `OSError`'s first argument.
fn errno(py: Python<'_>, error: &PyErr) -> Option<i32> {
    if !error.is_instance_of::<PyOSError>(py) {
        return None;
    }
    let args = error.value(py).getattr(intern!(py, "args")).ok()?;
    args.get_item(0).ok()?.extract().ok()
}

/// Reads the datagrams that are there.
///
/// # Errors
/// Those of recvfrom(2); those of the protocol are logged.
pub fn read(slf: &Bound<'_, DatagramTransport>, reactor: &Reactor) -> PyResult<()> {
    let (py, mut read) = (slf.py(), 0);
    while may_read(slf, reactor, read)? {
        let (data, from) = match receive(slf) {
            Ok(received) => received,
            Err(trouble) => return refused(slf, trouble),
        };
        read += data.len()?;
        let received = protocol(slf).and_then(|protocol| {
            protocol.call_method1(intern!(py, "datagramReceived"), (data, from))
        });
        if let Err(error) = received {
            reactor.report(py, "datagram", (error::value(py, error),))?;
        }
    }
    Ok(())
}

fn refused(slf: &Bound<'_, DatagramTransport>, trouble: Trouble) -> PyResult<()> {
    let py = slf.py();
    match trouble.errno(py) {
        Some(libc::EAGAIN | libc::EINTR) => Ok(()),
        Some(libc::ECONNREFUSED) => {
            if slf.getattr(intern!(py, "_connectedAddr"))?.is_truthy()? {
                protocol(slf)?.call_method0(intern!(py, "connectionRefused"))?;
            }
            Ok(())
        }
        _ => Err(trouble.into()),
    }
}

/// Reads the datagrams that have come from the peer.
///
/// # Errors
/// Those of recvfrom(2), and `OSError` of the protocol, which Twisted takes for one
/// of those; what else the protocol raises is logged.
pub fn read_connected(slf: &Bound<'_, DatagramTransport>, reactor: &Reactor) -> PyResult<()> {
    let (py, mut read) = (slf.py(), 0);
    while may_read(slf, reactor, read)? {
        let trouble = match receive(slf) {
            Ok((data, _)) => {
                read += data.len()?;
                let received = protocol(slf).and_then(|protocol| {
                    protocol.call_method1(intern!(py, "datagramReceived"), (data,))
                });
                match received {
                    Ok(_) => continue,
                    Err(error) if !error.is_instance_of::<PyOSError>(py) => {
                        reactor.report(py, "datagram", (error::value(py, error),))?;
                        continue;
                    }
                    Err(error) => Trouble::Python(error),
                }
            }
            Err(trouble) => trouble,
        };
        match trouble.errno(py) {
            Some(libc::EAGAIN | libc::EINTR) => return Ok(()),
            Some(libc::ECONNREFUSED) => {
                protocol(slf)?.call_method0(intern!(py, "connectionRefused"))?;
            }
            _ => return Err(trouble.into()),
        }
    }
    Ok(())
}

/// Whether there may be more after so many bytes in one turn.
fn may_read(slf: &Bound<'_, DatagramTransport>, reactor: &Reactor, read: usize) -> PyResult<bool> {
    if reactor.event_loop().is_parents() {
        // In a forked child: the parent reads on.
        return Ok(false);
    }
    let limit = slf.getattr(intern!(slf.py(), "maxThroughput"))?;
    match limit.extract::<i64>() {
        Ok(limit) => Ok(i64::try_from(read).unwrap_or(i64::MAX) < limit),
        Err(_) => limit.gt(read),
    }
}

fn protocol<'py>(slf: &Bound<'py, DatagramTransport>) -> PyResult<Bound<'py, PyAny>> {
    slf.getattr(intern!(slf.py(), "protocol"))
}

/// Reads one datagram. What isn't a sensible size is Python's to judge.
fn receive<'py>(slf: &Bound<'py, DatagramTransport>) -> Result<Datagram<'py>, Trouble> {
    let py = slf.py();
    let size = slf.getattr(intern!(py, "maxPacketSize"))?;
    match size.extract::<usize>() {
        Ok(size) if size <= READ_SIZE => {
            let fd = slf.get().fd(py)?;
            let (data, from) = read_buffer::receive_from(py, fd, size).map_err(Trouble::System)?;
            Ok((data.into_any(), sender(slf.get(), py, from)?))
        }
        _ => {
            let socket = slf.get().socket(py)?.into_bound(py);
            let received = socket.call_method1(intern!(py, "recvfrom"), (size,))?;
            let (data, from): Datagram<'py> = received.extract()?;
            let family: i32 = slf.getattr(intern!(py, "addressFamily"))?.extract()?;
            if family != libc::AF_INET6 {
                return Ok((data, from));
            }
            let pair = make::tuple(py, [from.get_item(0)?, from.get_item(1)?])?;
            Ok((data, pair.into_any()))
        }
    }
}

/// A sender as Twisted has it: a tuple of host and port, or what the socket module
/// makes of the address of a UNIX socket.
fn sender<'py>(
    this: &DatagramTransport,
    py: Python<'py>,
    from: Peer,
) -> PyResult<Bound<'py, PyAny>> {
    match from {
        Peer::Internet(from) => internet(this, py, &from),
        other => peer_name(py, &other),
    }
}

fn internet<'py>(
    this: &DatagramTransport,
    py: Python<'py>,
    from: &SocketAddr,
) -> PyResult<Bound<'py, PyAny>> {
    let scoped = matches!(from, SocketAddr::V6(v6) if v6.scope_id() != 0);
    let known = match &lock(&this.state).sender {
        Some((pair, last)) if last.ip() == from.ip() && !scoped => Some(pair.bind(py).clone()),
        _ => None,
    };
    let host = match known {
        Some(pair) => pair.get_item(0)?,
        None => host(py, from)?.into_any(),
    };
    let port = make::unsigned(py, from.port())?.into_any();
    let pair = make::tuple(py, [host, port])?;
    if !scoped {
        let entry = (pair.clone().unbind(), *from);
        let before = lock(&this.state).sender.replace(entry);
        drop(before);
    }
    Ok(pair.into_any())
}
