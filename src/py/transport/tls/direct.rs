//! OpenSSL called directly, and the objects' own methods where it fails.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use pyo3::exceptions::PyMemoryError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::fallback::Objects;
use super::{Read, Written};
use crate::core::tls::{Outcome, Session};
use crate::py::support::guarded::Guarded;
use crate::py::transport::buffers::View;
use crate::py::transport::read_buffer::{self, READ_SIZE};

/// What is encrypted in a fraction of a millisecond.
const LONG: usize = 1 << 20;

/// The direct way to a connection.
#[derive(Clone)]
pub struct Direct {
    session: Session,
    /// What comes after the plaintext that was read last: asked for at once, because the
    /// error queue belongs to whoever uses OpenSSL next.
    failure: Arc<Guarded<Option<PyErr>>>,
}

impl Direct {
    /// A connection at these addresses, which whoever holds this keeps alive.
    pub fn new(session: Session) -> Direct {
        Direct {
            session,
            failure: Arc::default(),
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
        let kept = self.failure.lock(py).take();
        if let Some(error) = kept {
            return Read::Failed(error);
        }
        // SAFETY: the session says how many bytes it has put there.
        let filled = unsafe { read_buffer::fill(py, limit, read) };
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
                let other = self.failure.lock(py).replace(error);
                drop(other);
            }
            Read::Data(more) => {
                return match join(py, data, more) {
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
        self.failure.lock(py).is_none() && self.session.wants_more()
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
        let parts = PyList::new(py, [first])?;
        loop {
            let part = self.take(py)?;
            let length = part.as_bytes().len();
            parts.append(part)?;
            if length < READ_SIZE {
                break;
            }
        }
        let joined = PyBytes::new(py, b"").call_method1(intern!(py, "join"), (parts,))?;
        Ok(Some(joined.cast_into()?))
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

fn join<'py>(
    py: Python<'py>,
    data: Bound<'py, PyBytes>,
    more: Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyBytes>> {
    let joined = data.call_method1(intern!(py, "__add__"), (more,))?;
    Ok(joined.cast_into()?)
}

fn memory(_error: io::Error) -> PyErr {
    PyMemoryError::new_err(())
}
