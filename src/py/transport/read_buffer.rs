//! What transports read into: one piece of `bytes` for all sockets, one for all pipes.
//!
//! What a read fills, or fills to a good part, is handed over without a copy, and another
//! piece is made. Of a smaller message a copy is handed over: a new large piece for each
//! would cost more than that.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::core::stream::read_budget::{SEGMENT, SEGMENTS};
use crate::core::sys::pipe;
use crate::core::sys::sockets::{self as socket, Ancillary, Peer};
use crate::py::support::guarded::Guarded;
use crate::py::support::make;

/// How much is read at once. Whole segments are cheapest to read, and what is
/// passed on as it came leaves no rest behind them that has to wait for the peer's
/// acknowledgement (Nagle's algorithm): twice the throughput of a round number.
pub const READ_SIZE: usize = SEGMENTS * SEGMENT;

/// From this size on, a message isn't copied.
const LARGE: usize = SEGMENT;

// The `pyo3::ffi` keeps it to itself.
unsafe extern "C" {
    /// Makes `bytes` that nobody else holds larger or smaller. Sets what `bytes` points
    /// to, to null with an exception if it fails; then it returns -1.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, newsize: ffi::Py_ssize_t) -> c_int;
}

/// How much is read at once from what isn't a socket: as much as asyncio reads.
pub const PIPE_SIZE: usize = 256 * 1024;

/// A piece and its size.
struct Spare {
    /// Empty while somebody reads into it.
    piece: Guarded<Option<Py<PyBytes>>>,
    size: usize,
}

impl Spare {
    const fn new(size: usize) -> Spare {
        Spare {
            piece: Guarded::new(None),
            size,
        }
    }
}

static SPARE: Spare = Spare::new(READ_SIZE);

/// For who may read no more: a full one needn't be cut.
static SMALL_SPARE: Spare = Spare::new(SEGMENT);

/// Which piece to read so much into.
fn spare_for(limit: usize) -> &'static Spare {
    if limit <= SEGMENT {
        &SMALL_SPARE
    } else {
        &SPARE
    }
}

static PIPE_SPARE: Spare = Spare::new(PIPE_SIZE);

/// Reads once from a socket, up to `limit` bytes.
///
/// # Errors
/// Those of recv(2).
pub fn receive(py: Python<'_>, fd: RawFd, limit: usize) -> io::Result<Bound<'_, PyBytes>> {
    let receive = |room: &mut [MaybeUninit<u8>]| Ok((socket::receive(fd, room)?, ()));
    read(py, spare_for(limit), limit, receive).map(|(data, ())| data)
}

/// Reads once from a socket, up to `limit` bytes, and hands them to `take` where they are.
/// Says how many, and what `take` says, which may run Python code.
///
/// # Errors
/// Those of recv(2).
pub fn lend<R>(
    py: Python<'_>,
    fd: RawFd,
    limit: usize,
    take: impl FnOnce(&[u8]) -> R,
) -> io::Result<(usize, R)> {
    let kept = SPARE.piece.lock(py).take();
    let piece = match kept {
        Some(piece) => piece.into_bound(py),
        None => new_piece(py, SPARE.size)?,
    };
    // SAFETY: the piece has this size, and nobody else has seen it yet.
    let room = unsafe {
        let data = ffi::PyBytes_AsString(piece.as_ptr()).cast();
        std::slice::from_raw_parts_mut(data, limit.min(SPARE.size))
    };
    let outcome = socket::receive(fd, room).map(|count| {
        // SAFETY: `receive` has initialized so many.
        let filled = unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), count) };
        (count, take(filled))
    });
    let other = SPARE.piece.lock(py).replace(piece.unbind());
    drop(other);
    outcome
}

/// Reads once from a UNIX socket, and what came along.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive_ancillary(
    py: Python<'_>,
    fd: RawFd,
    limit: usize,
) -> io::Result<(Bound<'_, PyBytes>, Vec<Ancillary>)> {
    read(py, &SPARE, limit, |room| {
        socket::receive_ancillary(fd, room)
    })
}

/// Reads one datagram, cut to `size` bytes, and who sent it. `size` is at most
/// `READ_SIZE`.
///
/// # Errors
/// Those of recvfrom(2).
pub fn receive_from(
    py: Python<'_>,
    fd: RawFd,
    size: usize,
) -> io::Result<(Bound<'_, PyBytes>, Peer)> {
    read(py, &SPARE, size, |room| socket::receive_from(fd, room))
}

/// Reads once from a descriptor of any kind, up to `limit` bytes and `PIPE_SIZE`.
///
/// # Errors
/// Those of read(2).
pub fn read_pipe(py: Python<'_>, fd: RawFd, limit: usize) -> io::Result<Bound<'_, PyBytes>> {
    let read_once = |room: &mut [MaybeUninit<u8>]| Ok((pipe::read(fd, room)?, ()));
    read(py, &PIPE_SPARE, limit, read_once).map(|(data, ())| data)
}

/// Fills up to `limit` bytes by `fill`, which says how many it has, and what else there is
/// to say. It may run Python code.
///
/// # Errors
/// `OutOfMemory`.
///
/// # Safety
/// `fill` has initialized so many bytes from the start on.
pub unsafe fn fill<R>(
    py: Python<'_>,
    limit: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> (usize, R),
) -> io::Result<(Bound<'_, PyBytes>, R)> {
    read(py, &SPARE, limit, |room| Ok(fill(room)))
}

/// `fill`, of `bytes` of their own, where much is expected.
///
/// # Errors
/// `OutOfMemory`.
///
/// # Safety
/// `fill` has initialized so many bytes from the start on.
pub unsafe fn fill_new<R>(
    py: Python<'_>,
    size: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> (usize, R),
) -> io::Result<(Bound<'_, PyBytes>, R)> {
    let piece = new_piece(py, size)?;
    // SAFETY: the piece has this size, and nobody else has seen it yet.
    let room = unsafe {
        let data = ffi::PyBytes_AsString(piece.as_ptr()).cast();
        std::slice::from_raw_parts_mut(data, size)
    };
    let (count, rest) = fill(room);
    Ok((shortened(piece, size, count)?, rest))
}

/// Reads by `read`, which is given room for `size` bytes (at most the spare piece's), and
/// says how many came and what else there is to say.
///
/// # Errors
/// Those of `read`; `OutOfMemory`.
fn read<'py, R>(
    py: Python<'py>,
    spare: &Spare,
    size: usize,
    read: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<(usize, R)>,
) -> io::Result<(Bound<'py, PyBytes>, R)> {
    let kept = spare.piece.lock(py).take();
    let piece = match kept {
        Some(piece) => piece.into_bound(py),
        None => new_piece(py, spare.size)?,
    };
    // SAFETY: the piece has this size, and nobody else has seen it yet.
    let room = unsafe {
        let data = ffi::PyBytes_AsString(piece.as_ptr()).cast();
        std::slice::from_raw_parts_mut(data, size.min(spare.size))
    };
    let outcome = match read(room) {
        Ok((count, rest)) if count >= LARGE => {
            return Ok((shortened(piece, spare.size, count)?, rest));
        }
        Ok((count, rest)) => {
            // SAFETY: `read` has initialized so many.
            let filled = unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), count) };
            match make::bytes(py, filled) {
                Ok(data) => Ok((data, rest)),
                // It must not be lost: it is handed over where it is.
                Err(_) => return Ok((shortened(piece, spare.size, count)?, rest)),
            }
        }
        Err(error) => Err(error),
    };
    let other = spare.piece.lock(py).replace(piece.unbind());
    drop(other);
    outcome
}

/// Makes `bytes` of this size that aren't initialized.
fn new_piece(py: Python<'_>, size: usize) -> io::Result<Bound<'_, PyBytes>> {
    // SAFETY: the interpreter is attached; a null pointer asks for just that.
    let made = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), size.cast_signed());
        Bound::from_owned_ptr_or_err(py, object)
    };
    made.and_then(|made| Ok(made.cast_into()?))
        .map_err(out_of_memory)
}

/// Cuts `bytes` of this size, which nobody else has seen yet, to what is initialized.
fn shortened(
    piece: Bound<'_, PyBytes>,
    size: usize,
    count: usize,
) -> io::Result<Bound<'_, PyBytes>> {
    if count >= size {
        return Ok(piece);
    }
    let py = piece.py();
    let mut object = piece.into_ptr();
    // SAFETY: the only reference is given, and the same or another one comes back.
    let resized = unsafe {
        if _PyBytes_Resize(&raw mut object, count.cast_signed()) < 0 {
            Err(PyErr::fetch(py))
        } else {
            Bound::from_owned_ptr_or_err(py, object)
        }
    };
    resized
        .and_then(|resized| Ok(resized.cast_into()?))
        .map_err(out_of_memory)
}

fn out_of_memory(_error: PyErr) -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}
