//! OpenSSL called directly, and the objects' own methods where it fails.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::fallback::Objects;
use super::{Read, Written};
use crate::core::tls::{Outcome, RECORD, Session};
use crate::py::support::guarded::Guarded;
use crate::py::support::make;
use crate::py::transport::buffers::{View, join};
use crate::py::transport::read_buffer::{self, READ_SIZE};

/// What is encrypted in a fraction of a millisecond.
const LONG: usize = 1 << 20;

/// The most that a record adds: its head, an explicit IV, a hash, padding.
const ADDED: usize = 128;

/// The direct way to a connection.
#[derive(Clone)]
pub struct Direct {
    // GIL: one thread at a time uses the connection, by this or by its object's methods.
    session: Session,
    /// What the next reads give.
    kept: Arc<Guarded<Kept>>,
}

/// What is known already of what comes next.
#[derive(Default)]
struct Kept {
    /// What was decrypted while it was fed.
    data: Option<Py<PyBytes>>,
    /// What follows the plaintext: asked for at once, because the error queue belongs to
    /// whoever uses OpenSSL next.
    failure: Option<PyErr>,
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.data.is_none() && self.failure.is_none()
    }
}

impl Direct {
    /// A connection at these addresses, which whoever holds this keeps alive.
    pub fn new(session: Session) -> Direct {
        Direct {
            session,
            kept: Arc::default(),
        }
    }

    /// The protocol's version and the cipher's name.
    pub fn description(&self) -> (String, String) {
        self.session.description()
    }

    /// See `Engine::feed`.
    pub fn feed(&self, data: &[u8]) -> PyResult<()> {
        self.session.feed(data).map_err(memory)
    }

    /// See `Engine::feed_to_read`. `objects` is asked what a failure means.
    pub fn feed_to_read(&self, py: Python<'_>, objects: &Objects, data: &[u8]) -> PyResult<()> {
        if data.len() <= RECORD || !self.kept.lock(py).is_empty() {
            return self.feed(data);
        }
        // Part of a record may be in OpenSSL's own memory.
        let size = data.len() + self.incoming_pending().unwrap_or(0) + RECORD;
        let mut fed = Ok(());
        let read = |room: &mut [MaybeUninit<u8>]| match self.session.feed_and_read(data, room) {
            Ok(read) => read,
            Err(error) => {
                fed = Err(error);
                (0, None)
            }
        };
        // SAFETY: the session says how many bytes it has put there.
        let filled = unsafe { read_buffer::fill_new(py, size, read) };
        fed.map_err(memory)?;
        match self.outcome(py, objects, size, filled) {
            Read::Data(data) => self.kept.lock(py).data = Some(data.unbind()),
            Read::Failed(error) => self.kept.lock(py).failure = Some(error),
            // Reading once more says the same.
            Read::Empty | Read::Closed => {}
        }
        Ok(())
    }

    /// See `Engine::read`. `objects` is asked what a failure means.
    pub fn read<'py>(&self, py: Python<'py>, objects: &Objects, limit: usize) -> Read<'py> {
        self.read_by(py, objects, limit, |room| self.session.read(room))
    }

    /// See `Engine::read_record`. `objects` is asked what a failure means.
    pub fn read_record<'py>(&self, py: Python<'py>, objects: &Objects, limit: usize) -> Read<'py> {
        self.read_by(py, objects, limit, |room| self.session.read_one(room))
    }

    fn read_by<'py>(
        &self,
        py: Python<'py>,
        objects: &Objects,
        limit: usize,
        read: impl FnOnce(&mut [MaybeUninit<u8>]) -> (usize, Option<Outcome>),
    ) -> Read<'py> {
        if let Some(kept) = self.take_kept(py, limit) {
            return kept;
        }
        // SAFETY: the session says how many bytes it has put there.
        let filled = unsafe { read_buffer::fill(py, limit, read) };
        self.outcome(py, objects, limit, filled)
    }

    /// What is known already, `limit` bytes of it.
    fn take_kept<'py>(&self, py: Python<'py>, limit: usize) -> Option<Read<'py>> {
        let data = {
            let mut kept = self.kept.lock(py);
            match kept.data.take() {
                Some(data) => data.into_bound(py),
                None => return kept.failure.take().map(Read::Failed),
            }
        };
        match data.as_bytes().split_at_checked(limit) {
            None | Some((_, [])) => Some(Read::Data(data)),
            Some((first, rest)) => {
                let (first, rest) = match (make::bytes(py, first), make::bytes(py, rest)) {
                    (Ok(first), Ok(rest)) => (first, rest),
                    (Err(error), _) | (_, Err(error)) => {
                        // All of it is there for the next read.
                        self.kept.lock(py).data = Some(data.unbind());
                        return Some(Read::Failed(error));
                    }
                };
                self.kept.lock(py).data = Some(rest.unbind());
                Some(Read::Data(first))
            }
        }
    }

    /// What a read has come to. A failure's meaning is asked for at once.
    fn outcome<'py>(
        &self,
        py: Python<'py>,
        objects: &Objects,
        limit: usize,
        filled: io::Result<(Bound<'py, PyBytes>, Option<Outcome>)>,
    ) -> Read<'py> {
        let (data, ended) = match filled {
            Ok(filled) => filled,
            Err(error) => return Read::Failed(memory(error)),
        };
        let is_empty = data.as_bytes().is_empty();
        match ended {
            Some(Outcome::Failed | Outcome::Moved(_)) => {}
            Some(Outcome::Closed) if is_empty => {}
            None | Some(Outcome::WantRead) if is_empty => return Read::Empty,
            None | Some(Outcome::WantRead | Outcome::Closed) => return Read::Data(data),
        }
        let told = objects.read_now(py, limit);
        if is_empty {
            return told;
        }
        match told {
            Read::Failed(error) => {
                let other = self.kept.lock(py).failure.replace(error);
                drop(other);
            }
            Read::Data(more) => {
                return match make::list(py, [data, more]).and_then(|both| join(&both)) {
                    Ok(data) => Read::Data(data),
                    Err(error) => Read::Failed(error),
                };
            }
            Read::Empty | Read::Closed => {}
        }
        Read::Data(data)
    }

    /// See `Engine::is_drained`.
    pub fn is_drained(&self, py: Python<'_>) -> bool {
        self.kept.lock(py).is_empty() && self.session.wants_more()
    }

    /// See `Engine::write`. `objects` is asked what a failure means.
    pub fn write(&self, py: Python<'_>, objects: &Objects, data: &Bound<'_, PyAny>) -> Written {
        let written = match data.cast_exact::<PyBytes>() {
            Ok(data) => self.try_write(data.as_bytes()),
            Err(_) => match View::of_bytes(data) {
                // If a renegotiation runs somebody's code, the memory stays in place, and
                // only its address is kept.
                Ok(view) => view.read(|data| self.try_write(data)),
                Err(error) => Some(Written::Failed(error)),
            },
        };
        written.unwrap_or_else(|| objects.write(py, data))
    }

    /// See `Engine::seal`. `objects` is asked what a failure means.
    pub fn seal<'py>(
        &self,
        objects: &Objects,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<(Written, Bound<'py, PyBytes>)>> {
        let (py, bytes) = (data.py(), data.as_bytes());
        if bytes.len() <= RECORD || bytes.len() > LONG || self.session.is_shut_down() {
            return Ok(None);
        }
        let size = bytes.len() + (bytes.len() / RECORD + 2) * ADDED;
        let write = |room: &mut [_]| self.session.write_and_take(bytes, room);
        // SAFETY: the session says how many bytes it has put there.
        let sealed = unsafe { read_buffer::fill_new(py, size, write) };
        let (mut sealed, (count, ended)) = sealed.map_err(memory)?;
        let written = match ended {
            None => Written::Taken(count),
            Some(Outcome::WantRead) if count == 0 => Written::Blocked,
            Some(Outcome::WantRead) => Written::Taken(count),
            // The error queue is whoever's uses OpenSSL next.
            Some(_) => {
                let rest = make::bytes(py, bytes.get(count..).unwrap_or_default())?;
                match objects.write(py, rest.as_any()) {
                    Written::Taken(more) => Written::Taken(count + more),
                    Written::Blocked if count > 0 => Written::Taken(count),
                    other => other,
                }
            }
        };
        // Small records, by somebody's wish, add more to it.
        if let Some(more) = self.outgoing(py)? {
            sealed = join(&make::list(py, [sealed, more])?)?;
        }
        Ok(Some((written, sealed)))
    }

    /// Writes; `None`: the object's own method knows what is the matter.
    pub fn try_write(&self, data: &[u8]) -> Option<Written> {
        if data.is_empty() {
            return Some(Written::Taken(0));
        }
        // What takes long is left to the method, which lets other threads in. A write after
        // the end adds to the error queue each time; the method must be the only one.
        if data.len() > LONG || self.session.is_shut_down() {
            return None;
        }
        match self.session.write(data) {
            Outcome::Moved(count) => Some(Written::Taken(count)),
            Outcome::WantRead => Some(Written::Blocked),
            Outcome::Closed | Outcome::Failed => None,
        }
    }

    /// See `Engine::outgoing`.
    pub fn outgoing<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let first = self.take(py)?;
        match first.as_bytes().len() {
            0 => return Ok(None),
            READ_SIZE => {}
            _ => return Ok(Some(first)),
        }
        let parts = make::list(py, [first])?;
        loop {
            let part = self.take(py)?;
            let length = part.as_bytes().len();
            parts.append(part)?;
            if length < READ_SIZE {
                break;
            }
        }
        join(&parts).map(Some)
    }

    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let take = |room: &mut [_]| (self.session.take(room), ());
        // SAFETY: the session says how many bytes it has put there.
        let taken = unsafe { read_buffer::fill(py, READ_SIZE, take) };
        taken.map(|(data, ())| data).map_err(memory)
    }

    /// See `Engine::incoming_pending`; `None` if it can't be told.
    pub fn incoming_pending(&self) -> Option<usize> {
        self.session.incoming_pending()
    }

    /// See `Engine::outgoing_pending`; `None` if it can't be told.
    pub fn outgoing_pending(&self) -> Option<usize> {
        self.session.outgoing_pending()
    }
}

fn memory(_error: io::Error) -> PyErr {
    PyMemoryError::new_err(())
}
