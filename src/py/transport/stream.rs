//! A connected stream socket: its descriptor, its socket object if there is one, what
//! waits to be sent, and who is told of what comes.
//!
//! A face's transport holds one under its lock, and says by `Face` what is its
//! framework's own. Those are static functions, so that the layer costs nothing.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::PyClass;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;

use super::owned_bytes::OwnedBytes;
use super::reading::{Event, Reader, Received};
use crate::core::fifo::Fifo;
use crate::core::stream::write_buffer::{Sent, WriteBuffer};
use crate::core::sys::sockets::{self, CompactAddress};
use crate::py::support::imports;
use crate::py::support::refcounts::references;

/// See the module's documentation.
pub struct Stream {
    /// -1: closed, or not open yet.
    pub fd: RawFd,
    /// The socket object; once there is one it owns the descriptor.
    pub socket: Option<Py<PyAny>>,
    /// Whether somebody else may have the socket object, and close it.
    shared: bool,
    /// Where the connection comes from, if it was accepted.
    pub peer: CompactAddress,
    /// Who is told of what comes.
    pub protocol: Option<Py<PyAny>>,
    /// What waits to be sent.
    pub buffer: WriteBuffer<OwnedBytes>,
}

/// What is a framework's own about its transport of a stream.
pub trait Face: PyClass<Frozen = True> + Sync {
    /// Why reading has ended the connection.
    type End<'py>;

    /// Looks at the stream, which is locked meanwhile: `look` runs no Python code.
    fn stream<R>(slf: &Bound<'_, Self>, look: impl FnOnce(&mut Stream) -> R) -> R;

    /// Who reads at this moment; `None`: nobody, for now or any more.
    ///
    /// # Errors
    /// Those of the socket object.
    fn reader<'py>(slf: &Bound<'py, Self>, event: &Event<'_, 'py>)
    -> PyResult<Option<Reader<'py>>>;

    /// Takes what came for a reader whose room is `Lent`.
    ///
    /// # Errors
    /// It can't be taken.
    fn take(_slf: &Bound<'_, Self>, _data: &[u8]) -> PyResult<()> {
        Ok(())
    }

    /// Hands over what came, or does what its end or a failure is for.
    ///
    /// # Errors
    /// What is left of what the protocol raises.
    fn received<'py>(
        slf: &Bound<'py, Self>,
        reader: &Reader<'py>,
        received: Received<'py>,
    ) -> PyResult<Option<Self::End<'py>>>;
}

impl Default for Stream {
    fn default() -> Self {
        Stream {
            fd: -1,
            socket: None,
            shared: false,
            peer: CompactAddress::default(),
            protocol: None,
            buffer: WriteBuffer::default(),
        }
    }
}

impl Stream {
    /// Opens it with a descriptor that it owns, or one that its socket object owns.
    pub fn open(&mut self, fd: RawFd, socket: Option<Py<PyAny>>) {
        self.shared = socket.is_some();
        (self.fd, self.socket) = (fd, socket);
    }

    /// Whether there is a descriptor.
    pub fn is_open(&self) -> bool {
        self.fd >= 0
    }

    /// Whether somebody else may have the socket object.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Notes that somebody else may have the socket object.
    pub fn share(&mut self) {
        self.shared = true;
    }

    /// Takes out descriptor and socket object, which the caller closes.
    pub fn take(&mut self) -> Owned {
        Owned {
            fd: std::mem::replace(&mut self.fd, -1),
            socket: self.socket.take(),
        }
    }

    /// Shows the collector what is held.
    ///
    /// # Errors
    /// Those of the collector.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.socket)?;
        visit.call(&self.protocol)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.fd >= 0 && self.socket.is_none() {
            sockets::close(self.fd);
        }
    }
}

/// A descriptor that was taken out of a stream, and the socket object that owns it.
pub struct Owned {
    fd: RawFd,
    socket: Option<Py<PyAny>>,
}

impl Owned {
    /// Closes it.
    ///
    /// # Errors
    /// Those of the socket object.
    pub fn close(self, py: Python<'_>) -> PyResult<()> {
        match self.socket {
            Some(socket) => socket.call_method0(py, intern!(py, "close")).map(drop),
            None => {
                if self.fd >= 0 {
                    sockets::close(self.fd);
                }
                Ok(())
            }
        }
    }
}

/// The descriptor, -1 if there is none. A socket object that somebody else has may have
/// been closed, and its number be another's by now, so it is asked.
///
/// # Errors
/// Those of the socket object.
#[inline]
pub fn fd<F: Face>(slf: &Bound<'_, F>) -> PyResult<RawFd> {
    let (fd, socket) = F::stream(slf, |stream| {
        if !stream.shared {
            return (stream.fd, None);
        }
        let socket = stream.socket.as_ref().map(|socket| socket.bind(slf.py()));
        // GIL: nobody gets at the socket between this count and the use of its descriptor.
        let shared = socket.filter(|socket| references(socket) > 1).cloned();
        stream.shared = shared.is_some();
        (stream.fd, shared)
    });
    match socket {
        Some(socket) => imports::descriptor_of(&socket),
        None => Ok(fd),
    }
}

/// The socket object, which is made unless there is one; `None` if there is no descriptor.
/// From then on it owns that.
///
/// # Errors
/// Those of the socket class.
pub fn socket<'py, F: Face>(slf: &Bound<'py, F>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = slf.py();
    let (fd, known) = F::stream(slf, |stream| {
        (
            stream.fd,
            stream.socket.as_ref().map(|it| it.bind(py).clone()),
        )
    });
    if known.is_some() || fd < 0 {
        return Ok(known);
    }
    let socket = imports::socket_of(py, fd)?;
    // It is non-blocking, which a default time-out would make the object forget.
    let outcome = socket.call_method1(intern!(py, "settimeout"), (make::Float(0.0),));
    let other = F::stream(slf, |stream| {
        if outcome.is_ok() && stream.socket.is_none() && stream.fd == fd {
            stream.socket = Some(socket.clone().unbind());
        }
        stream.socket.as_ref().map(|other| other.bind(py).clone())
    });
    if !other.as_ref().is_some_and(|other| other.is(&socket)) {
        // Meanwhile somebody else has made one, or closed the connection: this one must
        // not close the descriptor.
        socket.call_method0(intern!(py, "detach"))?;
    }
    outcome?;
    Ok(other)
}

/// Sends what the socket takes of what waits.
///
/// # Errors
/// Those of the socket object.
#[inline]
pub fn send<F: Face>(slf: &Bound<'_, F>) -> PyResult<Sent> {
    let fd = fd(slf)?;
    let mut sent = Fifo::default();
    let outcome = F::stream(slf, |stream| stream.buffer.send(fd, &mut sent));
    // Objects of Python's, so with no lock held.
    drop(sent);
    Ok(outcome)
}

/// The address of the own end, if it is an Internet one.
///
/// # Errors
/// Those of getsockname(2).
pub fn local_address(stream: &Stream) -> io::Result<Option<SocketAddr>> {
    sockets::local_address(stream.fd)
}
