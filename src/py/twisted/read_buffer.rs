//! What a reactor's transports read into: one piece of `bytes` for all of them.
//!
//! What a read fills is handed over as it is, and another piece is made. Of what a
//! read fills in part only, a copy of the right size is handed over: a new large piece
//! for each message would cost more than that.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::core::lock::lock;
use crate::core::sys::socket::{self, Peer};

/// How much is read at once: three of the largest segments that the loopback interface
/// carries (65,535 less the headers). Whole segments are cheapest to read, and what is
/// passed on as it came leaves no rest behind them that has to wait for the peer's
/// acknowledgement (Nagle's algorithm): twice the throughput of a round number.
pub const READ_SIZE: usize = 3 * 65_483;

/// See the module's documentation. Empty while somebody reads into it.
#[derive(Default)]
pub struct ReadBuffer(Mutex<Option<Py<PyBytes>>>);

impl ReadBuffer {
    /// Reads once from a socket, up to `limit` bytes.
    ///
    /// # Errors
    /// Those of recv(2).
    pub fn receive<'py>(
        &self,
        py: Python<'py>,
        fd: RawFd,
        limit: usize,
    ) -> io::Result<Bound<'py, PyBytes>> {
        let receive = |room: &mut [u8]| Ok((socket::receive(fd, room)?, ()));
        self.read(py, limit, receive).map(|(data, ())| data)
    }

    /// Reads once from a UNIX socket, and the descriptors that came along, which the
    /// caller owns from here on.
    ///
    /// # Errors
    /// Those of recvmsg(2).
    pub fn receive_descriptors<'py>(
        &self,
        py: Python<'py>,
        fd: RawFd,
        limit: usize,
    ) -> io::Result<(Bound<'py, PyBytes>, Vec<RawFd>)> {
        let receive = |room: &mut [u8]| socket::receive_descriptors(fd, room);
        self.read(py, limit, receive)
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
        let receive = |room: &mut [u8]| socket::receive_from(fd, room);
        self.read(py, size, receive)
    }

    /// Reads by `read`, which is given room for `size` bytes (at most `READ_SIZE`), and
    /// says how many came and what else there is to say.
    ///
    /// # Errors
    /// Those of `read`; `OutOfMemory`.
    fn read<'py, R>(
        &self,
        py: Python<'py>,
        size: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<(usize, R)>,
    ) -> io::Result<(Bound<'py, PyBytes>, R)> {
        let spare = lock(&self.0).take();
        let piece = match spare {
            Some(piece) => piece.into_bound(py),
            None => PyBytes::new_with(py, READ_SIZE, |_| Ok(()))
                .map_err(|_| io::ErrorKind::OutOfMemory)?,
        };
        // SAFETY: the piece has this size, and nobody else has seen it yet.
        let room = unsafe {
            let data = ffi::PyBytes_AsString(piece.as_ptr()).cast::<u8>();
            std::slice::from_raw_parts_mut(data, size.min(READ_SIZE))
        };
        let outcome = read(room);
        if let Ok((READ_SIZE, rest)) = outcome {
            return Ok((piece, rest));
        }
        let copied = outcome.map(|(count, rest)| {
            let filled = piece.as_bytes().get(..count).unwrap_or_default();
            (PyBytes::new(py, filled), rest)
        });
        *lock(&self.0) = Some(piece.unbind());
        copied
    }
}
