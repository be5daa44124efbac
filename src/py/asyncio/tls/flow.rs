//! Flow control of both layers, and what goes from the one to the other.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Tls;
use crate::py::asyncio::SocketTransport;

impl Tls {
    /// asyncio's `_process_outgoing`.
    pub(super) fn process_outgoing(&self, py: Python<'_>) -> PyResult<()> {
        if !self.is_plain(py)? {
            return self.call(intern!(py, "_process_outgoing"));
        }
        if !self.is(intern!(py, "_ssl_writing_paused"))?
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
        if !self.is_plain(py)? {
            return self.call(name);
        }
        let size = self.engine.outgoing_pending(py)?;
        let size = size.saturating_add(self.size(intern!(py, "_write_buffer_size"))?);
        let acts = if self.is(intern!(py, "_app_writing_paused"))? {
            self.is_at_most(size, intern!(py, "_outgoing_low_water"))?
        } else {
            self.is_at_least(size, intern!(py, "_outgoing_high_water"))?
        };
        if acts { self.call(name) } else { Ok(()) }
    }

    /// asyncio's `_control_ssl_reading`, which is called when there is something to do.
    pub(super) fn control_ssl_reading(&self, py: Python<'_>) -> PyResult<()> {
        let name = intern!(py, "_control_ssl_reading");
        if !self.is_plain(py)? {
            return self.call(name);
        }
        let size = self.engine.incoming_pending(py)?;
        let acts = if self.is(intern!(py, "_ssl_reading_paused"))? {
            self.is_at_most(size, intern!(py, "_incoming_low_water"))?
        } else {
            self.is_at_least(size, intern!(py, "_incoming_high_water"))?
        };
        if acts { self.call(name) } else { Ok(()) }
    }

    /// Whether so many bytes reach a mark. Marks may be any numbers: of one that is no
    /// size, asyncio's own method decides.
    fn is_at_least(&self, size: usize, mark: &Bound<'_, PyString>) -> PyResult<bool> {
        Ok(self
            .get(mark)?
            .extract::<usize>()
            .map_or(true, |mark| size >= mark))
    }

    fn is_at_most(&self, size: usize, mark: &Bound<'_, PyString>) -> PyResult<bool> {
        Ok(self
            .get(mark)?
            .extract::<usize>()
            .map_or(true, |mark| size <= mark))
    }
}
