//! asyncio's TLS, natively while a connection is established.
//!
//! The objects stay asyncio's: `SSLProtocol` with all of its attributes, its transport, the
//! `SSLObject` and the two `MemoryBIO`s. What moves bytes is done here, on these
//! attributes, in the order in which asyncio's methods of the same names do it; whatever
//! is rare (handshake, shutdown, errors, pausing) calls those methods. So each side finds
//! what the other one has done, and either may do the next step.
//!
//! It is only done where the class is exactly asyncio's, as asyncio has it, and nobody has
//! set a method on the object: see `stock`.

mod attaching;
mod flow;
mod reading;
mod seen;
mod stock;
mod writing;

use std::sync::atomic::AtomicUsize;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyWeakrefReference};

use crate::py::support::guarded::Guarded;
use crate::py::transport::tls::Engine;

use seen::Seen;

pub use attaching::attach;

/// The native half of an `asyncio.sslproto.SSLProtocol`.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Tls {
    /// asyncio's protocol.
    protocol: Py<PyAny>,
    /// Its `__dict__`, where its state is.
    attributes: Py<PyDict>,
    /// How many attributes it had when none of them was in the way.
    known: AtomicUsize,
    /// What the attributes were when they were looked at.
    seen: Guarded<Option<Seen>>,
    /// asyncio's transport over the protocol, which holds this.
    transport: Py<PyWeakrefReference>,
    /// What the engine moves bytes through.
    sslobj: Py<PyAny>,
    /// Its `__dict__`.
    object_attributes: Py<PyDict>,
    incoming: Py<PyAny>,
    outgoing: Py<PyAny>,
    engine: Engine,
}

/// Where a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Handshake,
    Wrapped,
    Flushing,
    Shutdown,
    Unwrapped,
}

impl Tls {
    /// An attribute of the protocol.
    fn get<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        match self.attributes.bind(py).get_item(name)? {
            Some(value) => Ok(value),
            // In the class, or nowhere.
            None => self.protocol.bind(py).getattr(name),
        }
    }

    /// Calls one of asyncio's own methods.
    fn call(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        let protocol = self.protocol.bind(name.py());
        protocol.call_method0(name).map(drop)
    }

    /// Does with an exception what asyncio does with one that is raised while bytes are
    /// moved.
    fn fatal(&self, py: Python<'_>, outcome: PyResult<()>) -> PyResult<()> {
        match outcome {
            Err(error) if stock::is_exception(py, &error) => {
                let error = error.into_value(py);
                let report = self
                    .protocol
                    .bind(py)
                    .getattr(intern!(py, "_fatal_error"))?;
                let args = (&error, report, &error, "Fatal error on SSL protocol");
                stock::call_handling(py)?.call1(args).map(drop)
            }
            outcome => outcome,
        }
    }
}

#[pymethods]
impl Tls {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.protocol)?;
        visit.call(&self.attributes)?;
        visit.call(&self.transport)?;
        visit.call(&self.sslobj)?;
        visit.call(&self.object_attributes)?;
        visit.call(&self.incoming)?;
        visit.call(&self.outgoing)?;
        self.engine.traverse(&visit)
    }
}
