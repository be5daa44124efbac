//! TLS on native stream transports.
//!
//! The objects stay Twisted's and pyOpenSSL's own, with all of their state. Of an
//! established connection bytes take a shorter way, through `Layer`: ciphertext that has
//! come is decrypted and handed to the application's protocol, what the application writes
//! in one iteration is encrypted together at its end. Whatever else happens is left to
//! Twisted's methods, which find everything where they expect it; so is everything, where
//! a class isn't Twisted's own or something of it has been replaced.

mod attaching;
mod connecting;
mod established;
mod failing;
mod known;
mod original;
mod reading;
mod stock;
mod wrapping;
mod writing;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Reactor, StreamTransport};
use crate::core::fifo::Fifo;
use crate::py::support::guarded::Guarded;
use crate::py::transport::tls::Engine;

use established::Seen;

pub use attaching::attach;
pub use connecting::connect;
pub use reading::received;

/// The native half of a TLS connection: what knows the shorter way, and what Twisted
/// calls an aggregator, which keeps small writes to send them together.
#[pyclass(frozen, module = "tornado4._core")]
pub struct TLSLayer {
    state: Guarded<State>,
}

struct State {
    /// Twisted's, whose half this is; `None` after the end.
    protocol: Option<Py<PyAny>>,
    /// That of the transport below, if what is written is kept here.
    core: Option<Py<Reactor>>,
    /// Twisted's method that sends what was kept, as it was when the protocol was made.
    write: Option<Py<PyAny>>,
    /// Once the connection is established.
    driven: Option<Driven>,
    /// In which versions nothing was found in the way.
    seen: Seen,
    /// What was written and isn't encrypted yet.
    chunks: Fifo<Py<PyBytes>>,
    len: usize,
    /// Whether the end of the iteration sees to that.
    noted: bool,
    /// Whether something is being encrypted: what is written meanwhile comes after it.
    busy: bool,
}

/// An `OpenSSL.SSL.Connection`, and what drives it.
struct Driven {
    connection: Py<PyAny>,
    engine: Engine,
}

impl TLSLayer {
    fn new(protocol: &Bound<'_, PyAny>) -> TLSLayer {
        TLSLayer {
            state: Guarded::new(State {
                protocol: Some(protocol.clone().unbind()),
                core: None,
                write: None,
                driven: None,
                seen: None,
                chunks: Fifo::default(),
                len: 0,
                noted: false,
                busy: false,
            }),
        }
    }

    /// Whether this is a forked child of the process that has the connection.
    fn is_parents(&self, py: Python<'_>) -> bool {
        let state = self.state.lock(py);
        let core = state.core.as_ref();
        core.is_some_and(|core| core.get().event_loop().is_parents())
    }

    /// Lets go of everything: the connection is over. What is written from then on is
    /// lost, as Twisted has it.
    pub fn end(&self, py: Python<'_>) {
        let held = {
            let mut state = self.state.lock(py);
            state.len = 0;
            (
                state.protocol.take(),
                state.core.take(),
                state.write.take(),
                state.driven.take(),
                std::mem::take(&mut state.chunks),
            )
        };
        drop(held);
    }
}

#[pymethods]
impl TLSLayer {
    /// Keep data for the end of the iteration, or send what is kept if that is much.
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        writing::write(slf, data)
    }

    /// Send what is kept.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        writing::flush(slf)
    }

    /// Send what is kept; the connection is over.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let outcome = writing::flush(slf);
        slf.get().end(slf.py());
        outcome
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.visit(&visit) else {
            return Ok(());
        };
        visit.call(&state.protocol)?;
        visit.call(&state.core)?;
        visit.call(&state.write)?;
        if let Some(driven) = &state.driven {
            visit.call(&driven.connection)?;
            driven.engine.traverse(&visit)?;
        }
        state.chunks.iter().try_for_each(|chunk| visit.call(chunk))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.end(py);
    }
}

impl TLSLayer {
    /// Sends what an iteration has written, at its end. What goes wrong is logged as of
    /// the timed call that Twisted does this by.
    ///
    /// # Errors
    /// Those exceptions that must end the loop.
    pub fn flush_noted(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let core = {
            let mut state = slf.get().state.lock(py);
            state.noted = false;
            state.core.as_ref().map(|core| core.clone_ref(py))
        };
        let Err(error) = writing::flush(slf) else {
            return Ok(());
        };
        match core {
            Some(core) if !core.get().ends_the_loop(py, &error) => {
                let what = (error.into_value(py), py.None());
                core.get().report(py, "delayed_call", what)
            }
            _ => Err(error),
        }
    }
}
