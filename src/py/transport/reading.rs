//! Reading from a stream that is reported once for what comes: to its end, or as much as
//! one iteration allows.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use mio::Token;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::buffers::View;
use super::read_buffer::{self, READ_SIZE};
use super::stream::{self, Face};
use crate::core::interest::Readiness;
use crate::core::stream::read_budget::{Extent, ReadBudget};
use crate::core::sys::sockets::{self, Ancillary};
use crate::py::dispatch::call::Call;
use crate::py::event_loop::EventLoop;

/// One event of a stream's descriptor.
pub struct Event<'a, 'py> {
    /// The loop.
    pub event_loop: &'a Bound<'py, EventLoop>,
    /// Names the descriptor.
    pub token: Token,
    /// What it is ready for.
    pub readiness: Readiness,
}

impl Event<'_, '_> {
    /// Sees to it that the rest is read in the next iteration, unless the poll reports it
    /// anyway.
    pub fn defer(&self) {
        let event_loop = self.event_loop.get();
        let readiness = self.readiness.without_writable();
        let py = self.event_loop.py();
        if event_loop.with_registrations(|all| all.defer_read(self.token, readiness))
            && event_loop.defer(py, Call::ReadOn(self.token)).is_err()
        {
            // No memory for that: the poll shall report it.
            let _deferred = event_loop.with_registrations(|all| all.take_deferred(self.token));
            event_loop.make_level_triggered(self.token);
        }
    }
}

/// Who reads from a stream, and into what.
pub struct Reader<'py> {
    /// Told of what comes.
    pub protocol: Bound<'py, PyAny>,
    /// The descriptor.
    pub fd: RawFd,
    /// Where to.
    pub room: Room<'py>,
    /// Whether one read is all for an iteration: others may read from the socket as well,
    /// or the reader counts the reads.
    pub once: bool,
}

/// What is read into.
pub enum Room<'py> {
    /// New `bytes`, so many at most.
    Bytes(usize),
    /// The same, from a UNIX socket, with what may come along.
    BytesAndMore(usize),
    /// The memory of a writable object.
    Memory(Bound<'py, PyAny>),
    /// Memory of the transports' own, out of which the face takes it at once.
    Lent,
}

/// What a read has given.
pub enum Received<'py> {
    /// New `bytes`.
    Data(Bound<'py, PyBytes>),
    /// Descriptors or the like, and the data that they came with.
    Ancillary(Vec<Ancillary>, Bound<'py, PyBytes>),
    /// So many bytes in the reader's memory.
    Filled(usize),
    /// Bytes that the face has taken.
    Taken,
    /// The peer sends no more.
    End,
    /// Nothing can be read any more.
    Failed(io::Error),
    /// The reader's memory can't be read into.
    Refused(PyErr),
}

/// Reads until there is nothing more, or others have waited long enough. What is left
/// then, or may be, is read in the next iteration; that is seen to before anything is
/// called, which may run the loop. `first`: who reads, if that is known already.
///
/// # Errors
/// Those of the face.
#[inline]
pub fn read<'py, F: Face>(
    slf: &Bound<'py, F>,
    event: &Event<'_, 'py>,
    first: Option<Reader<'py>>,
) -> PyResult<Option<F::End<'py>>> {
    let outcome = read_on(slf, event, first);
    if outcome.is_err() {
        // Perhaps not to the end.
        event.defer();
    }
    outcome
}

#[inline]
fn read_on<'py, F: Face>(
    slf: &Bound<'py, F>,
    event: &Event<'_, 'py>,
    first: Option<Reader<'py>>,
) -> PyResult<Option<F::End<'py>>> {
    let mut next = match first {
        None => F::reader(slf, event)?,
        first => first,
    };
    let once = next.as_ref().is_some_and(|reader| reader.once);
    let share = event.event_loop.get().read_share();
    let mut budget = if once {
        ReadBudget::once()
    } else {
        ReadBudget::new(share)
    };
    while let Some(reader) = next {
        let Some((received, extent)) = receive(slf, &reader, share.size())? else {
            break;
        };
        if budget.defers(extent, event.readiness.has_more() && received.goes_on()) {
            event.defer();
        }
        if let Some(end) = F::received(slf, &reader, received)? {
            return Ok(Some(end));
        }
        // In a forked child the parent reads on.
        if !budget.goes_on(extent) || event.event_loop.get().is_parents() {
            break;
        }
        next = F::reader(slf, event)?;
    }
    Ok(None)
}

impl Received<'_> {
    /// Whether more may follow.
    fn goes_on(&self) -> bool {
        !matches!(
            self,
            Received::End | Received::Failed(_) | Received::Refused(_)
        )
    }
}

/// Reads once, so much at most. `None`: there is nothing, or nothing to read from any more.
/// Memory of the reader's own is filled, however much it is.
fn receive<'py, F: Face>(
    slf: &Bound<'py, F>,
    reader: &Reader<'py>,
    most: usize,
) -> PyResult<Option<(Received<'py>, Extent)>> {
    let py = slf.py();
    let outcome = match &reader.room {
        Room::Bytes(limit) => {
            let limit = most.min(*limit);
            read_buffer::receive(py, reader.fd, limit).map(|data| of_bytes(data, limit))
        }
        Room::BytesAndMore(limit) => {
            let limit = most.min(*limit);
            read_buffer::receive_ancillary(py, reader.fd, limit).map(|(data, ancillary)| {
                match ancillary.is_empty() {
                    true => of_bytes(data, limit),
                    false => (Received::Ancillary(ancillary, data), Extent::Piece),
                }
            })
        }
        Room::Lent => {
            let take = |data: &[u8]| match data {
                [] => Ok(()),
                data => F::take(slf, data),
            };
            let lent = read_buffer::lend(py, reader.fd, most, take);
            lent.map(|(count, taken)| match (count, taken) {
                (0, _) => (Received::End, Extent::Part),
                (_, Err(error)) => (Received::Refused(error), Extent::Part),
                (count, Ok(())) => {
                    let extent = Extent::of(count, most, most >= READ_SIZE);
                    (Received::Taken, extent)
                }
            })
        }
        Room::Memory(memory) => {
            let mut view = match View::of_memory(memory) {
                Ok(view) => view,
                Err(error) => return Ok(Some((Received::Refused(error), Extent::Part))),
            };
            // Only now: what gave the memory may have closed the descriptor, and another
            // may have its number.
            let fd = stream::fd(slf)?;
            if fd < 0 {
                return Ok(None);
            }
            view.fill(|memory| receive_into(memory, fd))
        }
    };
    match outcome {
        Ok(received) => Ok(Some(received)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Ok(Some((Received::Failed(error), Extent::Part))),
    }
}

fn of_bytes(data: Bound<'_, PyBytes>, limit: usize) -> (Received<'_>, Extent) {
    match data.as_bytes().len() {
        0 => (Received::End, Extent::Part),
        count => {
            let extent = Extent::of(count, limit, limit >= READ_SIZE);
            (Received::Data(data), extent)
        }
    }
}

fn receive_into<'py>(
    memory: &mut [MaybeUninit<u8>],
    fd: RawFd,
) -> io::Result<(Received<'py>, Extent)> {
    let room = memory.len();
    Ok(match sockets::receive(fd, memory)? {
        0 => (Received::End, Extent::Part),
        count => (Received::Filled(count), Extent::of(count, room, true)),
    })
}
