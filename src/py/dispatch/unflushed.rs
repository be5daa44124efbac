//! What is flushed at the end of an iteration: a stream of one of the faces.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use crate::py::asyncio::SocketTransport;
use crate::py::twisted::{StreamTransport, stream};

/// A stream with bytes that aren't sent yet.
pub enum Unflushed {
    /// asyncio's.
    Socket(Py<SocketTransport>),
    /// Twisted's.
    Stream(Py<StreamTransport>),
}

impl Unflushed {
    /// Sends what was written.
    ///
    /// # Errors
    /// Those exceptions that must end the loop.
    pub fn flush(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Unflushed::Socket(socket) => SocketTransport::flush(socket.bind(py)),
            Unflushed::Stream(stream) => {
                stream::flush(stream.bind(py));
                Ok(())
            }
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Unflushed::Socket(socket) => visit.call(socket),
            Unflushed::Stream(stream) => visit.call(stream),
        }
    }
}
