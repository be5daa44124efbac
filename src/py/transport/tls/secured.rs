//! One TLS connection over a socket: an `ssl.SSLSocket`, as Tornado's streams have it.
//!
//! As an `Engine` does, it only moves bytes. When OpenSSL fails, the object's own method is
//! called, and raises; there is no fallback but that method.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::{classes, cpython, library};
use crate::core::tls::{Moved, OverSocket};

/// Empties this thread's error queue, before a method of `ssl.SSLSocket` may be called: it
/// takes what another connection has left there for an error of its own
/// (python/cpython#148594). Where the library can't be called directly, nothing is done.
///
/// # Errors
/// Those of finding the library.
pub fn forget_errors(py: Python<'_>) -> PyResult<()> {
    if let Some(table) = library::ssl(py)?.table {
        table.forget_errors();
    }
    Ok(())
}

/// See the module's documentation. It keeps nothing alive: before each use, `is_behind` must
/// be true of a socket that is.
#[derive(Clone, Copy)]
pub struct Secured {
    // GIL: one thread at a time uses the connection, by this or by its object's methods, and
    // nobody frees it between the look and the use.
    connection: OverSocket,
    /// Whether Python says what the system has refused with.
    says_why: bool,
}

/// The first version that does. The ones before take that for the peer's end.
const SAYS_WHY: (u8, u8, u8) = (3, 12, 4);

impl Secured {
    /// Of an established `ssl.SSLSocket` over this descriptor. `None` if it is of another
    /// class, has methods of somebody's own, or can't be driven directly.
    ///
    /// # Errors
    /// Those of looking at it.
    pub fn of(socket: &Bound<'_, PyAny>, fd: RawFd) -> PyResult<Option<Secured>> {
        let py = socket.py();
        let classes = classes::ssl(py)?;
        let Some(table) = library::ssl(py)?.table else {
            return Ok(None);
        };
        let inner = socket.getattr(intern!(py, "_sslobj"))?;
        if !classes.socket.is_class_of(socket)? || !inner.get_type().is(&classes.inner) {
            return Ok(None);
        }
        // One that is told of each record: what it raises is kept for the method under way.
        let context = inner.getattr(intern!(py, "context"))?;
        if !context.getattr(intern!(py, "_msg_callback"))?.is_none() {
            return Ok(None);
        }
        let connection = cpython::over_socket(table, &inner, fd)?;
        let says_why = py.version_info() >= SAYS_WHY;
        Ok(connection.map(|connection| Secured {
            connection,
            says_why,
        }))
    }

    /// Whether it is this socket's connection, still, and nobody has given the socket methods
    /// of their own.
    ///
    /// # Errors
    /// Those of looking at it.
    pub fn is_behind(&self, socket: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = socket.py();
        let classes = classes::ssl(py)?;
        if !classes.socket.is_class_of(socket)? {
            return Ok(false);
        }
        let inner = socket.getattr(intern!(py, "_sslobj"))?;
        Ok(inner.get_type().is(&classes.inner) && cpython::is_behind(&self.connection, &inner)?)
    }

    /// Reads plaintext, of one record at most. The room isn't empty.
    pub fn read(&self, room: &mut [MaybeUninit<u8>]) -> Moved {
        self.as_python_has_it(self.connection.read(room))
    }

    /// Writes plaintext, which isn't empty.
    pub fn write(&self, data: &[u8]) -> Moved {
        self.as_python_has_it(self.connection.write(data))
    }

    fn as_python_has_it(&self, moved: Moved) -> Moved {
        match moved {
            Moved::Refused(_) if !self.says_why => Moved::Failed,
            moved => moved,
        }
    }
}
