//! Flow control of both layers, and what goes from the one to the other.

use crate::py::support::names::intern;
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
        if self.engine.outgoing_pending(py)? == 0 {
            return self.control_app_writing(py, 0);
        }
        self.send_outgoing(py)
    }

    /// The same, where there is something.
    pub(super) fn send_outgoing(&self, py: Python<'_>) -> PyResult<()> {
        if self.is(py, Flag::SslWritingPaused)? {
            let pending = self.engine.outgoing_pending(py)?;
            return self.control_app_writing(py, pending);
        }
        let Some(data) = self.engine.outgoing(py)? else {
            return self.control_app_writing(py, 0);
        };
        self.send_below(&data)
    }

    /// Hands ciphertext to the transport below.
    pub(super) fn send_below(&self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let py = data.py();
        let lower = self.get(intern!(py, "_transport"))?;
        let native = SocketTransport::with_native_write(&lower)?;
        match native {
            Some(socket) => SocketTransport::write(socket, data)?,
            None => lower
                .call_method1(intern!(py, "write"), (data,))
                .map(drop)?,
        }
        // It may have called somebody.
        if !self.is_ready(py)? {
            return self.call(intern!(py, "_control_app_writing"));
        }
        let pending = match native {
            Some(_) => 0,
            None => self.engine.outgoing_pending(py)?,
        };
        self.control_app_writing(py, pending)
    }

    /// asyncio's `_control_app_writing`, which is called when there is something to do.
    fn control_app_writing(&self, py: Python<'_>, pending: usize) -> PyResult<()> {
        let name = intern!(py, "_control_app_writing");
        let Some(waits) = self.size(py, Size::WriteBuffer)? else {
            return self.call(name);
        };
        let size = pending.saturating_add(waits);
        let acts = if self.is(py, Flag::AppWritingPaused)? {
            let mark = self.size(py, Size::OutgoingLow)?;
            mark.is_none_or(|mark| size <= mark)
        } else {
            let mark = self.size(py, Size::OutgoingHigh)?;
            mark.is_none_or(|mark| size >= mark)
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
