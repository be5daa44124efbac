//! What a reactor's core does for its native transports.

use std::io;
use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Reactor;
use crate::core::lock::try_lock;
use crate::core::sys::socket;

/// How much is read at once. Pages that no message reaches cost nothing.
pub const READ_SIZE: usize = 256 * 1024;

/// Room to read into. One for all of a reactor's transports: `bytes` of the right
/// size are made of it, since a new large one for each read costs more than a copy.
#[derive(Default)]
pub struct ReadBuffer(Mutex<Vec<u8>>);

impl Reactor {
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
        let size = limit.unwrap_or(READ_SIZE);
        match try_lock(&self.buffer.0) {
            Some(mut buffer) if size <= READ_SIZE => {
                if buffer.is_empty() {
                    *buffer = vec![0; READ_SIZE];
                }
                Reactor::receive_into(py, fd, buffer.get_mut(..size).unwrap_or_default())
            }
            // Another thread reads, or somebody wants larger pieces.
            _ => Reactor::receive_into(py, fd, &mut vec![0; size]),
        }
    }

    /// Reads once from a socket by way of `buffer`.
    ///
    /// # Errors
    /// Those of recv(2).
    pub fn receive_into<'py>(
        py: Python<'py>,
        fd: RawFd,
        buffer: &mut [u8],
    ) -> io::Result<Bound<'py, PyBytes>> {
        let count = socket::receive(fd, buffer)?;
        Ok(PyBytes::new(py, buffer.get(..count).unwrap_or_default()))
    }
}
