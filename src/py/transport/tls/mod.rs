//! One TLS connection of a framework's, as a transport drives it while it is established.
//!
//! The objects stay the framework's own: an `ssl.SSLObject` over two `ssl.MemoryBIO`s, or
//! an `OpenSSL.SSL.Connection` over its own two. All of the state is theirs, so whatever
//! is rare can be left to the framework's own code at any moment. An `Engine` moves bytes
//! through them: directly, by the functions of the OpenSSL that is behind the objects, or,
//! where those can't be had, by calling the objects' methods.
//!
//! It has no errors of its own: when OpenSSL fails, the object's own method is called at
//! once, finds the same failed connection and the same error queue, and raises.
//!
//! Every call may run Python code (a callback of the context's in a renegotiation), which
//! may close the connection: hold no lock or guard while one is made.

mod classes;
mod cpython;
mod direct;
mod fallback;
mod library;
mod probe;
mod pyopenssl;
mod secured;
mod self_check;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::py::support::make;
use direct::Direct;
use fallback::Objects;

pub use probe::{TLSProbe, tls_engines};
pub use secured::{Secured, forget_errors};

/// See the module's documentation.
pub struct Engine {
    objects: Objects,
    direct: Option<Direct>,
}

/// What reading has brought.
pub enum Read<'py> {
    /// Plaintext; not empty.
    Data(Bound<'py, PyBytes>),
    /// There is none before more ciphertext comes.
    Empty,
    /// The peer has said that nothing more comes (`close_notify`): what `ssl` tells by an
    /// empty `bytes`, pyOpenSSL by `ZeroReturnError`.
    Closed,
    /// The exception that the object's own method raises.
    Failed(PyErr),
}

/// What has become of plaintext.
pub enum Written {
    /// So many bytes of it have been encrypted. With a context that takes partial writes,
    /// which are those of pyOpenSSL, that is one record at most: call again for the rest.
    Taken(usize),
    /// Nothing: the peer has to say something first (a renegotiation).
    Blocked,
    /// The exception that the object's own method raises.
    Failed(PyErr),
}

impl Engine {
    /// For asyncio: of an `ssl.SSLObject` and the two `ssl.MemoryBIO`s that it was made
    /// with. `None` if they are of other classes, or have methods of somebody's own.
    ///
    /// # Errors
    /// Those of importing `ssl`.
    pub fn of_ssl_object(
        sslobj: &Bound<'_, PyAny>,
        incoming: &Bound<'_, PyAny>,
        outgoing: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Engine>> {
        let Some(objects) = Objects::of_ssl_object(sslobj, incoming, outgoing)? else {
            return Ok(None);
        };
        Engine::new(sslobj.py(), objects).map(Some)
    }

    /// For Twisted: of an `OpenSSL.SSL.Connection` over memory BIOs. `None` for anything
    /// else, and for one that has methods of somebody's own.
    ///
    /// # Errors
    /// Those of looking at it.
    pub fn of_connection(conn: &Bound<'_, PyAny>) -> PyResult<Option<Engine>> {
        let Some(objects) = Objects::of_connection(conn)? else {
            return Ok(None);
        };
        Engine::new(conn.py(), objects).map(Some)
    }

    fn new(py: Python<'_>, objects: Objects) -> PyResult<Engine> {
        let direct = objects.session(py)?.map(Direct::new);
        Ok(Engine { objects, direct })
    }

    /// Whether OpenSSL is called directly.
    pub fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// The protocol's version and the cipher's name, where OpenSSL is called directly.
    fn description(&self) -> Option<(String, String)> {
        self.direct.as_ref().map(Direct::description)
    }

    /// Another reference to the same connection.
    pub fn clone_ref(&self, py: Python<'_>) -> Engine {
        Engine {
            objects: self.objects.clone_ref(py),
            direct: self.direct.clone(),
        }
    }

    /// Takes ciphertext that has come.
    ///
    /// # Errors
    /// Those of the object's own method: memory is short.
    pub fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        if data.as_bytes().is_empty() {
            return Ok(());
        }
        match (&self.direct, &self.objects) {
            (Some(direct), Objects::Connection { .. }) => direct.feed(data.as_bytes()),
            // A `MemoryBIO`'s method costs nothing, and knows whether its end was written.
            _ => self.objects.feed(py, data),
        }
    }

    /// `feed`, of what is no Python object.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_bytes(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        match &self.direct {
            Some(direct) => direct.feed(data),
            None if data.is_empty() => Ok(()),
            None => self.objects.feed(py, &make::bytes(py, data)?),
        }
    }

    /// `feed_bytes`, where everything is read next. Much of it is decrypted a piece after
    /// the other, in the cache.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_to_read(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        match &self.direct {
            Some(direct) => direct.feed_to_read(py, &self.objects, data),
            None => self.feed_bytes(py, data),
        }
    }

    /// Gives plaintext, up to `limit` bytes (at least one).
    pub fn read<'py>(&self, py: Python<'py>, limit: usize) -> Read<'py> {
        let limit = limit.max(1);
        match &self.direct {
            Some(direct) => direct.read(py, &self.objects, limit),
            None => self.objects.read(py, limit),
        }
    }

    /// `read`, of one record at most.
    pub fn read_record<'py>(&self, py: Python<'py>, limit: usize) -> Read<'py> {
        let limit = limit.max(1);
        match &self.direct {
            Some(direct) => direct.read_record(py, &self.objects, limit),
            None => self.objects.read(py, limit),
        }
    }

    /// Whether it is certain, after a read has given plaintext, that another gives `Empty`.
    /// Asking costs less than reading; where it costs as much, it isn't certain.
    pub fn is_drained(&self, py: Python<'_>) -> bool {
        let direct = self.direct.as_ref();
        direct.is_some_and(|direct| direct.is_drained(py))
    }

    /// Takes plaintext: any contiguous bytes-like object. An empty one is nobody's
    /// business here: it is taken, and nothing is sent.
    ///
    /// What was blocked must be written again, the same bytes.
    pub fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> Written {
        match &self.direct {
            Some(direct) => direct.write(py, &self.objects, data),
            None => self.objects.write(py, data),
        }
    }

    /// `write` and `outgoing` in one, record by record, in the cache. `None`: nothing is
    /// done, because it is short, or there is no better way than those two.
    ///
    /// # Errors
    /// Memory is short.
    pub fn seal<'py>(
        &self,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<(Written, Bound<'py, PyBytes>)>> {
        match &self.direct {
            Some(direct) => direct.seal(&self.objects, data),
            None => Ok(None),
        }
    }

    /// `write`, of what is no Python object.
    pub fn write_bytes(&self, py: Python<'_>, data: &[u8]) -> Written {
        if data.is_empty() {
            return Written::Taken(0);
        }
        if let Some(written) = self
            .direct
            .as_ref()
            .and_then(|direct| direct.try_write(data))
        {
            return written;
        }
        match PyBytes::new_with(py, data.len(), |room| {
            room.copy_from_slice(data);
            Ok(())
        }) {
            Ok(data) => self.objects.write(py, data.as_any()),
            Err(error) => Written::Failed(error),
        }
    }

    /// Gives all the ciphertext that there is to send; `None`: there is none.
    ///
    /// # Errors
    /// Those of the object's own method: memory is short.
    pub fn outgoing<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match &self.direct {
            Some(direct) => direct.outgoing(py),
            None => self.objects.outgoing(py),
        }
    }

    /// How many bytes of ciphertext have come and aren't decrypted yet.
    ///
    /// # Errors
    /// `NotImplementedError` for an `OpenSSL.SSL.Connection` whose library isn't called
    /// directly: it can't tell.
    pub fn incoming_pending(&self, py: Python<'_>) -> PyResult<usize> {
        match self.direct.as_ref().and_then(Direct::incoming_pending) {
            Some(count) => Ok(count),
            None => self.objects.incoming_pending(py),
        }
    }

    /// How many bytes of ciphertext are there to send.
    ///
    /// # Errors
    /// As `incoming_pending`.
    pub fn outgoing_pending(&self, py: Python<'_>) -> PyResult<usize> {
        match self.direct.as_ref().and_then(Direct::outgoing_pending) {
            Some(count) => Ok(count),
            None => self.objects.outgoing_pending(py),
        }
    }

    /// Shows the collector what is held.
    ///
    /// # Errors
    /// The collector's.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.objects.traverse(visit)
    }
}
