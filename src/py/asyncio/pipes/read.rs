//! Reading from a pipe.

use std::io;
use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::Object;
use crate::py::support::error;
use crate::py::support::guarded::Guarded;
use crate::py::support::make;
use crate::py::transport::read_buffer;

/// The native half of asyncio's `_UnixReadPipeTransport`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct ReadPipe {
    state: Guarded<State>,
}

/// What asyncio keeps in the attributes of these names.
#[derive(Default)]
struct State {
    fileno: Option<RawFd>,
    protocol: Object,
    max_size: usize,
}

#[pymethods]
impl ReadPipe {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        ReadPipe {
            state: Guarded::default(),
        }
    }

    /// Read what is there and hand it to the protocol.
    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (fd, protocol, size) = {
            let state = slf.get().state.lock(slf.py());
            let protocol = state.protocol.as_ref().map(|it| it.bind(py).clone());
            (state.fileno.unwrap_or(-1), protocol, state.max_size)
        };
        match read_buffer::read_pipe(py, fd, size) {
            Ok(data) if data.as_bytes().is_empty() => {
                slf.call_method0(intern!(py, "_at_end"))?;
            }
            Ok(data) => {
                if let Some(protocol) = protocol {
                    protocol.call_method1(intern!(py, "data_received"), (data,))?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                let failure = error::value(py, error::os_error(error));
                slf.call_method1(intern!(py, "_read_failed"), (failure,))?;
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

    #[getter(_protocol)]
    fn get_protocol(&self, py: Python<'_>) -> Object {
        let state = self.state.lock(py);
        state.protocol.as_ref().map(|it| it.clone_ref(py))
    }

    #[setter(_protocol)]
    fn set_protocol(&self, py: Python<'_>, protocol: Object) {
        let before = std::mem::replace(&mut self.state.lock(py).protocol, protocol);
        drop(before);
    }

    #[getter]
    fn get_max_size(&self, py: Python<'_>) -> make::Unsigned<usize> {
        make::Unsigned(self.state.lock(py).max_size)
    }

    #[setter]
    fn set_max_size(&self, py: Python<'_>, size: usize) {
        self.state.lock(py).max_size = size;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.state.visit(&visit) {
            Some(state) => visit.call(&state.protocol),
            None => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_protocol(py, None);
    }
}
