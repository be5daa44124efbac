//! One TLS connection of a framework's, as a transport drives it while it is established.
//!
//! The objects stay the framework's own: an `ssl.SSLObject` over two `ssl.MemoryBIO`s, or
//! an `OpenSSL.SSL.Connection` over its own two. All of the state is theirs, so whatever
//! is rare can be left to the framework's own code at any moment. An `Engine` moves bytes
//! through them: by calling their methods.
//!
//! Every call may run Python code (a callback of the context's in a renegotiation), which
//! may close the connection: hold no lock or guard while one is made.

mod classes;
mod fallback;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use fallback::Objects;

/// See the module's documentation.
pub struct Engine {
    objects: Objects,
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
    /// So many bytes of it have been encrypted: all of it, but for a context of whose modes
    /// partial writes are one.
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
        let objects = Objects::of_ssl_object(sslobj, incoming, outgoing)?;
        Ok(objects.map(|objects| Engine { objects }))
    }

    /// For Twisted: of an `OpenSSL.SSL.Connection` over memory BIOs. `None` for anything
    /// else, and for one that has methods of somebody's own.
    ///
    /// # Errors
    /// Those of looking at it.
    pub fn of_connection(conn: &Bound<'_, PyAny>) -> PyResult<Option<Engine>> {
        Ok(Objects::of_connection(conn)?.map(|objects| Engine { objects }))
    }

    /// Another reference to the same connection.
    pub fn clone_ref(&self, py: Python<'_>) -> Engine {
        Engine {
            objects: self.objects.clone_ref(py),
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
        self.objects.feed(py, data)
    }

    /// Gives plaintext, up to `limit` bytes (at least one).
    pub fn read<'py>(&self, py: Python<'py>, limit: usize) -> Read<'py> {
        self.objects.read(py, limit)
    }

    /// Takes plaintext: any contiguous bytes-like object. An empty one is nobody's
    /// business here: it is taken, and nothing is sent.
    ///
    /// What was blocked must be written again, the same bytes.
    pub fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> Written {
        self.objects.write(py, data)
    }

    /// `write`, of what is no Python object.
    pub fn write_bytes(&self, py: Python<'_>, data: &[u8]) -> Written {
        if data.is_empty() {
            return Written::Taken(0);
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
        self.objects.outgoing(py)
    }

    /// How many bytes of ciphertext have come and aren't decrypted yet.
    ///
    /// # Errors
    /// `NotImplementedError` for an `OpenSSL.SSL.Connection`, which can't tell.
    pub fn incoming_pending(&self, py: Python<'_>) -> PyResult<usize> {
        self.objects.incoming_pending(py)
    }

    /// How many bytes of ciphertext are there to send.
    ///
    /// # Errors
    /// As `incoming_pending`.
    pub fn outgoing_pending(&self, py: Python<'_>) -> PyResult<usize> {
        self.objects.outgoing_pending(py)
    }

    /// Shows the collector what is held.
    ///
    /// # Errors
    /// The collector's.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.objects.traverse(visit)
    }
}
