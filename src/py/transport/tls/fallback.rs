//! The objects' own methods, called by name: right for every kind of OpenSSL and of
//! Python, and what says which exception an error is.

use crate::py::support::make::Said;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Read, Written, classes, cpython, library, pyopenssl};
use crate::core::tls::Session;
use crate::py::support::make;

/// The plaintext of a record, at most. The methods reserve what is asked for, and give one
/// record.
const RECORD: usize = 1 << 14;

/// How much ciphertext is read at once from a `Connection`: it reserves so much.
const BIO_SIZE: usize = 1 << 16;

/// A framework's objects of one connection.
pub enum Objects {
    /// asyncio's.
    Ssl {
        /// What an `ssl.SSLObject` stands for, whose methods are those of this.
        inner: Py<PyAny>,
        incoming: Py<PyAny>,
        outgoing: Py<PyAny>,
        /// Whether the last read has left nothing.
        drained: Arc<AtomicBool>,
    },
    /// Twisted's.
    Connection {
        conn: Py<PyAny>,
        /// What owns the `SSL*` and, by that, the BIOs.
        ssl: Py<PyAny>,
    },
}

impl Objects {
    /// See `Engine::of_ssl_object`.
    pub fn of_ssl_object(
        sslobj: &Bound<'_, PyAny>,
        incoming: &Bound<'_, PyAny>,
        outgoing: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Objects>> {
        let py = sslobj.py();
        let ssl = classes::ssl(py)?;
        if !ssl.object.is_class_of(sslobj)?
            || !incoming.get_type().is(&ssl.memory_bio)
            || !outgoing.get_type().is(&ssl.memory_bio)
        {
            return Ok(None);
        }
        let inner = sslobj.getattr(intern!(py, "_sslobj"))?;
        if !inner.get_type().is(&ssl.inner) {
            return Ok(None);
        }
        Ok(Some(Objects::ssl(&inner, incoming, outgoing)))
    }

    /// Of what an `ssl.SSLObject` stands for, and its two `MemoryBIO`s.
    pub fn ssl(
        inner: &Bound<'_, PyAny>,
        incoming: &Bound<'_, PyAny>,
        outgoing: &Bound<'_, PyAny>,
    ) -> Objects {
        Objects::Ssl {
            inner: inner.clone().unbind(),
            incoming: incoming.clone().unbind(),
            outgoing: outgoing.clone().unbind(),
            drained: Arc::default(),
        }
    }

    /// See `Engine::of_connection`.
    pub fn of_connection(conn: &Bound<'_, PyAny>) -> PyResult<Option<Objects>> {
        let py = conn.py();
        let Some(openssl) = classes::openssl(py)? else {
            return Ok(None);
        };
        if !openssl.connection.is_class_of(conn)?
            || conn.getattr(intern!(py, "_into_ssl"))?.is_none()
        {
            return Ok(None);
        }
        Objects::connection(conn).map(Some)
    }

    /// Of an `OpenSSL.SSL.Connection` over memory BIOs.
    ///
    /// # Errors
    /// Those of looking at it.
    pub fn connection(conn: &Bound<'_, PyAny>) -> PyResult<Objects> {
        let ssl = conn.getattr(intern!(conn.py(), "_ssl"))?;
        Ok(Objects::Connection {
            conn: conn.clone().unbind(),
            ssl: ssl.unbind(),
        })
    }

    /// What is behind the objects, where it may be used directly.
    ///
    /// # Errors
    /// Those of looking.
    pub fn session(&self, py: Python<'_>) -> PyResult<Option<Session>> {
        match self {
            Objects::Ssl {
                inner,
                incoming,
                outgoing,
                ..
            } => {
                let Some(table) = library::ssl(py)?.table else {
                    return Ok(None);
                };
                let (inner, incoming, outgoing) =
                    (inner.bind(py), incoming.bind(py), outgoing.bind(py));
                // One that is told of each record: what it raises is kept for the method
                // under way.
                let context = inner.getattr(intern!(py, "context"))?;
                if !context.getattr(intern!(py, "_msg_callback"))?.is_none() {
                    return Ok(None);
                }
                cpython::session(table, inner, incoming, outgoing)
            }
            Objects::Connection { conn, ssl } => {
                match library::openssl(py)?.and_then(|library| library.table) {
                    Some(table) => pyopenssl::session(table, conn.bind(py), ssl.bind(py)),
                    None => Ok(None),
                }
            }
        }
    }

    /// Another reference to the same.
    pub fn clone_ref(&self, py: Python<'_>) -> Objects {
        match self {
            Objects::Ssl {
                inner,
                incoming,
                outgoing,
                drained,
            } => Objects::Ssl {
                inner: inner.clone_ref(py),
                incoming: incoming.clone_ref(py),
                outgoing: outgoing.clone_ref(py),
                drained: drained.clone(),
            },
            Objects::Connection { conn, ssl } => Objects::Connection {
                conn: conn.clone_ref(py),
                ssl: ssl.clone_ref(py),
            },
        }
    }

    /// See `Engine::feed`.
    pub fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        match self {
            Objects::Ssl { incoming, .. } => {
                incoming
                    .bind(py)
                    .call_method1(intern!(py, "write"), (data,))?;
            }
            Objects::Connection { conn, .. } => {
                conn.bind(py)
                    .call_method1(intern!(py, "bio_write"), (data,))?;
            }
        }
        Ok(())
    }

    /// See `Engine::read`. After plaintext has been read, whether there is more is asked
    /// first: an exception costs ten times as much.
    pub fn read<'py>(&self, py: Python<'py>, limit: usize) -> Read<'py> {
        let drained = match self {
            Objects::Ssl { drained, .. } => drained,
            Objects::Connection { .. } => return self.read_now(py, limit),
        };
        let was_drained = drained.swap(false, Relaxed);
        match self.is_empty(py) {
            // If nothing has been read, there may be an error to tell.
            Ok(true) if was_drained => Read::Empty,
            Ok(_) => {
                let told = self.read_now(py, limit);
                drained.store(matches!(told, Read::Data(_)), Relaxed);
                told
            }
            Err(error) => Read::Failed(error),
        }
    }

    /// Reads by the object's own method.
    pub fn read_now<'py>(&self, py: Python<'py>, limit: usize) -> Read<'py> {
        let limit = limit.min(RECORD);
        let outcome = match self {
            Objects::Ssl { inner, .. } => inner
                .bind(py)
                .call_method1(intern!(py, "read"), (make::Unsigned(limit),)),
            Objects::Connection { conn, .. } => conn
                .bind(py)
                .call_method1(intern!(py, "recv"), (make::Unsigned(limit),)),
        };
        let error = match outcome.and_then(|data| Ok(data.cast_into::<PyBytes>()?)) {
            Ok(data) if data.as_bytes().is_empty() => return Read::Closed,
            Ok(data) => return Read::Data(data),
            Err(error) => error,
        };
        match self.kind(py, &error) {
            Ok(Kind::Again) => Read::Empty,
            Ok(Kind::Closed) => Read::Closed,
            Ok(Kind::Other) => Read::Failed(error),
            Err(other) => Read::Failed(other),
        }
    }

    /// See `Engine::write`.
    pub fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> Written {
        match data.len() {
            Ok(0) => return Written::Taken(0),
            Ok(_) => {}
            Err(error) => return Written::Failed(error),
        }
        let outcome = match self {
            Objects::Ssl { inner, .. } => {
                inner.bind(py).call_method1(intern!(py, "write"), (data,))
            }
            Objects::Connection { conn, .. } => {
                conn.bind(py).call_method1(intern!(py, "send"), (data,))
            }
        };
        let error = match outcome.and_then(|count| count.extract()) {
            Ok(count) => return Written::Taken(count),
            Err(error) => error,
        };
        match self.kind(py, &error) {
            Ok(Kind::Again) => Written::Blocked,
            Ok(Kind::Closed | Kind::Other) => Written::Failed(error),
            Err(other) => Written::Failed(other),
        }
    }

    /// See `Engine::outgoing`.
    pub fn outgoing<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let conn = match self {
            Objects::Ssl { outgoing, .. } => {
                let data = outgoing.bind(py).call_method0(intern!(py, "read"))?;
                let data = data.cast_into::<PyBytes>()?;
                return Ok((!data.as_bytes().is_empty()).then_some(data));
            }
            Objects::Connection { conn, .. } => conn.bind(py),
        };
        let Some(first) = self.read_bio(conn)? else {
            return Ok(None);
        };
        if first.as_bytes().len() < BIO_SIZE {
            return Ok(Some(first));
        }
        let parts = make::list(py, [first])?;
        while let Some(part) = self.read_bio(conn)? {
            parts.append(part)?;
        }
        let joined = make::bytes(py, b"")?.call_method1(intern!(py, "join"), (parts,))?;
        Ok(Some(joined.cast_into()?))
    }

    fn read_bio<'py>(&self, conn: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = conn.py();
        match conn.call_method1(intern!(py, "bio_read"), (make::Unsigned(BIO_SIZE),)) {
            Ok(data) => Ok(Some(data.cast_into()?)),
            Err(error) => match self.kind(py, &error)? {
                Kind::Again => Ok(None),
                Kind::Closed | Kind::Other => Err(error),
            },
        }
    }

    /// See `Engine::incoming_pending`.
    pub fn incoming_pending(&self, py: Python<'_>) -> PyResult<usize> {
        match self {
            Objects::Ssl { incoming, .. } => pending(incoming.bind(py)),
            Objects::Connection { .. } => Err(unknown()),
        }
    }

    /// See `Engine::outgoing_pending`.
    pub fn outgoing_pending(&self, py: Python<'_>) -> PyResult<usize> {
        match self {
            Objects::Ssl { outgoing, .. } => pending(outgoing.bind(py)),
            Objects::Connection { .. } => Err(unknown()),
        }
    }

    /// Whether nothing is there to be read.
    fn is_empty(&self, py: Python<'_>) -> PyResult<bool> {
        let Objects::Ssl {
            inner, incoming, ..
        } = self
        else {
            return Ok(false);
        };
        let incoming = incoming.bind(py);
        if pending(incoming)? > 0 {
            return Ok(false);
        }
        let left = inner.bind(py).call_method0(intern!(py, "pending"))?;
        let ended = incoming.getattr(intern!(py, "eof"))?;
        Ok(!left.is_truthy()? && !ended.is_truthy()?)
    }

    fn kind(&self, py: Python<'_>, error: &PyErr) -> PyResult<Kind> {
        let (again, closed) = match self {
            Objects::Ssl { .. } => {
                let ssl = classes::ssl(py)?;
                ([&ssl.want_read, &ssl.want_write], None)
            }
            Objects::Connection { .. } => match classes::openssl(py)? {
                Some(openssl) => (
                    [&openssl.want_read, &openssl.want_write],
                    Some(&openssl.zero_return),
                ),
                None => return Ok(Kind::Other),
            },
        };
        if again
            .iter()
            .any(|class| error.is_instance(py, class.bind(py)))
        {
            return Ok(Kind::Again);
        }
        match closed {
            Some(class) if error.is_instance(py, class.bind(py)) => Ok(Kind::Closed),
            _ => Ok(Kind::Other),
        }
    }

    /// See `Engine::traverse`.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Objects::Ssl {
                inner,
                incoming,
                outgoing,
                ..
            } => {
                visit.call(inner)?;
                visit.call(incoming)?;
                visit.call(outgoing)
            }
            Objects::Connection { conn, ssl } => {
                visit.call(conn)?;
                visit.call(ssl)
            }
        }
    }
}

/// What an exception means.
enum Kind {
    Again,
    Closed,
    Other,
}

fn pending(bio: &Bound<'_, PyAny>) -> PyResult<usize> {
    bio.getattr(intern!(bio.py(), "pending"))?.extract()
}

fn unknown() -> PyErr {
    PyNotImplementedError::new_err(Said("an OpenSSL.SSL.Connection doesn't tell"))
}
