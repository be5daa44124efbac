//! What is flushed at the end of an iteration: a stream of one of the faces.

use mio::Token;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::fresh;
use crate::py::asyncio::SocketTransport;
use crate::py::event_loop::EventLoop;
use crate::py::twisted::{StreamTransport, TLSLayer, stream};

/// A stream with bytes that aren't sent yet, or one that isn't watched yet.
pub enum Unflushed {
    /// asyncio's.
    Socket(Py<SocketTransport>),
    /// Twisted's.
    Stream(Py<StreamTransport>),
    /// The TLS above one of Twisted's.
    Tls(Py<TLSLayer>),
    /// A descriptor that the poll has yet to watch.
    Fresh(Token),
}

impl Unflushed {
    /// Sends what was written.
    ///
    /// # Errors
    /// Those exceptions that must end the loop.
    pub fn flush(&self, event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
        let py = event_loop.py();
        match self {
            Unflushed::Socket(socket) => SocketTransport::flush(socket.bind(py)),
            Unflushed::Stream(stream) => {
                stream::flush(stream.bind(py));
                Ok(())
            }
            Unflushed::Tls(layer) => TLSLayer::flush_noted(layer.bind(py)),
            Unflushed::Fresh(token) => fresh::settle(event_loop, *token),
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Unflushed::Socket(socket) => visit.call(socket),
            Unflushed::Stream(stream) => visit.call(stream),
            Unflushed::Tls(layer) => visit.call(layer),
            Unflushed::Fresh(_) => Ok(()),
        }
    }
}
