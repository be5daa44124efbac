//! Flow control of both layers, and what goes from the one to the other.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Tls;
use super::seen::{Flag, Size};
use crate::py::asyncio::SocketTransport;

impl Tls {
    /// asyncio's `_process_outgoing`.
    pub(super) fn process_outgoing(&self, py: Python<'_>) -> PyResult<()> {
        if !self.is_ready(py)? {
            return self.call(intern!(py, "_process_outgoing"));
        }
        if !self.is(py, Flag::SslWritingPaused)?
            && let Some(data) = self.engine.outgoing(py)?
        {
            self.send(&data)?;
        }
        self.control_app_writing(py)
    }

    /// Writes ciphertext to the transport below.
    fn send(&self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let py = data.py();
        let lower = self.get(intern!(py, "_transport"))?;
        match SocketTransport::with_native_write(&lower)? {
            Some(socket) => SocketTransport::write(socket, data),
            None => lower.call_method1(intern!(py, "write"), (data,)).map(drop),
        }
    }

    /// asyncio's `_control_app_writing`, which is called when there is something to do.
    pub(super) fn control_app_writing(&self, py: Python<'_>) -> PyResult<()> {
        let name = intern!(py, "_control_app_writing");
        if !self.is_ready(py)? {
            return self.call(name);
        }
        let Some(waits) = self.size(py, Size::WriteBuffer)? else {
            return self.call(name);
        };
        let size = self.engine.outgoing_pending(py)?.saturating_add(waits);
        let acts = if self.is(py, Flag::AppWritingPaused)? {
            self.size(py, Size::OutgoingLow)?
                .is_none_or(|mark| size <= mark)
        } else {
            self.size(py, Size::OutgoingHigh)?
                .is_none_or(|mark| size >= mark)
        };
        if acts { self.call(name) } else { Ok(()) }
    }

    /// asyncio's `_control_ssl_reading`, which is called when there is something to do.
    pub(super) fn control_ssl_reading(&self, py: Python<'_>) -> PyResult<()> {
        let name = intern!(py, "_control_ssl_reading");
        if !self.is_ready(py)? {
            return self.call(name);
        }
        let size = self.engine.incoming_pending(py)?;
        let acts = if self.is(py, Flag::SslReadingPaused)? {
            self.size(py, Size::IncomingLow)?
                .is_none_or(|mark| size <= mark)
        } else {
            self.size(py, Size::IncomingHigh)?
                .is_none_or(|mark| size >= mark)
        };
        if acts { self.call(name) } else { Ok(()) }
    }
}
