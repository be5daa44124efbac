//! What a reactor's core does for its native transports.

use std::io;
use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Reactor;
use crate::core::lock::try_lock;
use crate::core::sys::socket::{self, Peer};

/// How much is read at once. Pages that no message reaches cost nothing.
pub const READ_SIZE: usize = 256 * 1024;

/// Room to read into. One for all of a reactor's transports: `bytes` of the right
/// size are made of it, since a new large one for each read costs more than a copy.
#[derive(Default)]
pub struct ReadBuffer(Mutex<Vec<u8>>);

impl ReadBuffer {
    /// Calls `read` with `size` bytes to read into.
    fn with<R>(&self, size: usize, read: impl FnOnce(&mut [u8]) -> R) -> R {
        match try_lock(&self.0) {
            Some(mut buffer) if size <= READ_SIZE => {
                if buffer.is_empty() {
                    *buffer = vec![0; READ_SIZE];
                }
                read(buffer.get_mut(..size).unwrap_or_default())
            }
            // Another thread reads, or somebody wants larger pieces.
            _ => read(&mut vec![0; size]),
        }
    }
}

impl Reactor {
    /// Whether a protocol's log prefix is just the name of its class.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn names_by_class(&self, protocol: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, name) = (protocol.py(), intern!(protocol.py(), "logPrefix"));
        let stock = self
            .reports(py)
            .getattr(intern!(py, "Protocol"))?
            .getattr(name)?;
        let class = protocol.get_type();
        Ok(class
            .getattr_opt(name)?
            .is_some_and(|method| method.is(&stock)))
    }

    /// Reads once from a socket, up to `limit` bytes.
    ///
    /// # Errors
    /// Those of recv(2).
    pub fn receive<'py>(
        &self,
        py: Python<'py>,
        fd: RawFd,
        limit: Option<usize>,
    ) -> io::Result<Bound<'py, PyBytes>> {
        self.buffer
            .with(limit.unwrap_or(READ_SIZE).min(READ_SIZE), |buffer| {
                receive(py, fd, buffer)
            })
    }

    /// Reads one datagram, cut to `size` bytes, and who sent it. `size` is at most
    /// `READ_SIZE`.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn receive_from<'py>(
        &self,
        py: Python<'py>,
        fd: RawFd,
        size: usize,
    ) -> io::Result<(Bound<'py, PyBytes>, Peer)> {
        self.buffer.with(size, |buffer| {
            let (count, from) = socket::receive_from(fd, buffer)?;
            Ok((bytes(py, buffer, count), from))
        })
    }
}

/// Reads once from a socket by way of `buffer`.
///
/// # Errors
/// Those of recv(2).
pub fn receive<'py>(
    py: Python<'py>,
    fd: RawFd,
    buffer: &mut [u8],
) -> io::Result<Bound<'py, PyBytes>> {
    let count = socket::receive(fd, buffer)?;
    Ok(bytes(py, buffer, count))
}

fn bytes<'py>(py: Python<'py>, buffer: &[u8], count: usize) -> Bound<'py, PyBytes> {
    PyBytes::new(py, buffer.get(..count).unwrap_or_default())
}
