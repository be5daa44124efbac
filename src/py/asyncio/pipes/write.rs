//! Writing to a pipe, past an empty buffer.

use std::io;
use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use super::Object;
use crate::core::sys::pipe;
use crate::py::support::error;
use crate::py::support::guarded::Guarded;
use crate::py::support::make;

/// The native half of asyncio's `_UnixWritePipeTransport`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct WritePipe {
    state: Guarded<State>,
}

/// What asyncio keeps in the attributes of these names.
#[derive(Default)]
struct State {
    fileno: Option<RawFd>,
    buffer: Object,
    conn_lost: u64,
    closing: bool,
}

#[pymethods]
impl WritePipe {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        WritePipe {
            state: Guarded::default(),
        }
    }

    /// Write data. Follows asyncio.WriteTransport.write.
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let (fd, buffer) = {
            let state = slf.get().state.lock(slf.py());
            let is_open = state.conn_lost == 0 && !state.closing;
            match (state.fileno, &state.buffer) {
                (Some(fd), Some(buffer)) if is_open => (Some(fd), Some(buffer.bind(py).clone())),
                _ => (None, None),
            }
        };
        // What is mutable, or not there, asyncio's own code sees to.
        let bytes = data.cast_exact::<PyBytes>().ok().map(|it| it.as_bytes());
        let (Some(fd), Some(buffer), Some(bytes)) = (fd, buffer, bytes) else {
            slf.call_method1(intern!(py, "_write_rare"), (data,))?;
            return Ok(());
        };
        if bytes.is_empty() || buffer.len()? != 0 {
            slf.call_method1(intern!(py, "_write_rare"), (data,))?;
            return Ok(());
        }
        match pipe::write(fd, bytes) {
            Ok(count) if count == bytes.len() => {}
            Ok(count) => {
                slf.call_method1(intern!(py, "_write_rest"), (data, make::Unsigned(count)))?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                slf.call_method1(intern!(py, "_write_rest"), (data, 0))?;
            }
            Err(error) => {
                let failure = error::value(py, error::os_error(error));
                slf.call_method1(intern!(py, "_write_failed"), (failure,))?;
            }
        }
        Ok(())
    }

    #[getter(_fileno)]
    fn get_fileno(&self, py: Python<'_>) -> Option<RawFd> {
        self.state.lock(py).fileno
    }

    #[setter(_fileno)]
    fn set_fileno(&self, py: Python<'_>, fileno: Option<RawFd>) {
        self.state.lock(py).fileno = fileno;
    }

    #[getter(_buffer)]
    fn get_buffer(&self, py: Python<'_>) -> Object {
        let state = self.state.lock(py);
        state.buffer.as_ref().map(|it| it.clone_ref(py))
    }

    #[setter(_buffer)]
    fn set_buffer(&self, py: Python<'_>, buffer: Object) {
        let before = std::mem::replace(&mut self.state.lock(py).buffer, buffer);
        drop(before);
    }

    #[getter(_conn_lost)]
    fn get_conn_lost(&self, py: Python<'_>) -> make::Unsigned<u64> {
        make::Unsigned(self.state.lock(py).conn_lost)
    }

    #[setter(_conn_lost)]
    fn set_conn_lost(&self, py: Python<'_>, count: u64) {
        self.state.lock(py).conn_lost = count;
    }

    #[getter(_closing)]
    fn get_closing(&self, py: Python<'_>) -> bool {
        self.state.lock(py).closing
    }

    #[setter(_closing)]
    fn set_closing(&self, py: Python<'_>, closing: bool) {
        self.state.lock(py).closing = closing;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.state.visit(&visit) {
            Some(state) => visit.call(&state.buffer),
            None => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_buffer(py, None);
    }
}
