//! The native half of asyncio's datagram transports: reading and sending datagrams.
//!
//! asyncio's own code stands behind it and does what is rare: buffering, closing, whatever
//! isn't a plain datagram to a plain address. It works on the attributes of this class,
//! which have asyncio's names.

mod address;
mod attributes;
mod known;
mod reading;
mod sending;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use address::Internet;
use known::{Known, Senders};

use crate::py::support::error;
use crate::py::support::guarded::Guarded;

/// The native half of asyncio's `_SelectorDatagramTransport`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct DatagramEndpoint {
    state: Guarded<State>,
}

/// What asyncio keeps in the attributes of these names.
#[derive(Default)]
struct State {
    event_loop: Option<Py<PyAny>>,
    sock: Option<Py<PyAny>>,
    /// Its method of that name. Asked each time: somebody may close the socket.
    fileno: Option<Py<PyAny>>,
    protocol: Option<Py<PyAny>>,
    extra: Option<Py<PyDict>>,
    address: Option<Py<PyAny>>,
    buffer: Option<Py<PyAny>>,
    conn_lost: u64,
    closing: bool,
    paused: bool,
    /// `None`: nothing that is a size.
    max_size: Option<usize>,
    /// The socket's kind of Internet addresses, if it has any.
    internet: Option<Internet>,
    senders: Senders,
    /// Whom was last sent to.
    recipient: Option<Known>,
}

impl State {
    fn is_reading(&self) -> bool {
        self.conn_lost == 0 && !self.closing && !self.paused
    }
}

#[pymethods]
impl DatagramEndpoint {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        DatagramEndpoint {
            state: Guarded::default(),
        }
    }

    /// Send a datagram. Follows asyncio.DatagramTransport.sendto.
    #[pyo3(signature = (data, addr = None))]
    fn sendto(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        addr: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        match sending::send(slf, data, addr)? {
            sending::Outcome::Sent => {}
            sending::Outcome::Failed(failure) => {
                let failure = error::value(py, error::os_error(failure));
                slf.call_method1(intern!(py, "_send_failed"), (failure,))?;
            }
            sending::Outcome::Rare => {
                slf.call_method1(intern!(py, "_sendto_rare"), (data, addr))?;
            }
        }
        Ok(())
    }

    /// Read the datagrams that are there and hand them to the protocol.
    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        reading::read(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.visit(&visit) else {
            return Ok(());
        };
        visit.call(&state.event_loop)?;
        visit.call(&state.sock)?;
        visit.call(&state.fileno)?;
        visit.call(&state.protocol)?;
        visit.call(&state.extra)?;
        visit.call(&state.address)?;
        visit.call(&state.buffer)
    }

    fn __clear__(&self, py: Python<'_>) {
        let held = {
            let mut state = self.state.lock(py);
            let state = &mut *state;
            let objects = [
                state.event_loop.take(),
                state.protocol.take(),
                state.address.take(),
                state.buffer.take(),
            ];
            (objects, state.extra.take())
        };
        drop(held);
    }
}
