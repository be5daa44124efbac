//! Tornado's descriptor handlers: one function for every kind of event.

use std::sync::Arc;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::{IOLoop, streams};
use crate::core::interest::Readiness;
use crate::core::registrations::{Role, Watchers};
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::{context, error};

/// `IOLoop.READ`.
pub const READ: u32 = 0x001;
/// `IOLoop.WRITE`.
pub const WRITE: u32 = 0x004;
/// `IOLoop.ERROR`.
pub const ERROR: u32 = 0x018;

/// See the module's documentation.
pub struct Handler {
    /// Reports exceptions.
    pub io_loop: Py<IOLoop>,
    /// The descriptor as it was given, which is how the handler gets it back.
    pub file: Py<PyAny>,
    /// What is called.
    pub handler: Py<PyAny>,
    /// Where it runs.
    pub context: Py<PyAny>,
}

impl Handler {
    /// The places that a mask of events stands for, and the others. The one for
    /// errors is always taken: it keeps a handler that watches no direction.
    pub fn roles(events: u32) -> (Vec<Role>, Vec<Role>) {
        let mut roles = vec![Role::Error];
        let mut others = Vec::new();
        for (mask, role) in [(READ, Role::Read), (WRITE, Role::Write)] {
            if events & mask == 0 {
                others.push(role);
            } else {
                roles.push(role);
            }
        }
        (roles, others)
    }

    /// Whether this handler was added for the given object.
    pub fn is_for(&self, object: &Bound<'_, PyAny>) -> bool {
        self.file.is(object)
    }

    /// Whether it is that of a stream whose methods are native.
    pub fn is_streams(&self, py: Python<'_>) -> bool {
        streams::is_for_events(self.handler.bind(py))
    }

    /// Calls the handler once with everything that its descriptor is ready for. An
    /// error or a hang-up makes every watched direction ready, and a handler that watches
    /// none isn't called, as in Tornado 6: whoever reads or writes learns the rest.
    ///
    /// Tornado's streams close on `ERROR`, whatever they have left to read. So it is shown
    /// only to one that reads, when the peer has hung up and no input is left: then the
    /// read ends the stream anyway. An error alone may be no end at all (an ICMP message,
    /// a time stamp of the network card).
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn dispatch(
        &self,
        py: Python<'_>,
        watchers: &Watchers<Arc<Watcher>>,
        readiness: Readiness,
    ) -> PyResult<()> {
        let disconnected = readiness.is_disconnected();
        let watches = |role| {
            let watcher = watchers.get(role);
            watcher.is_some_and(|watcher| watcher.handler().is_some())
        };
        let mut events = 0;
        if watches(Role::Read) && (readiness.is_readable() || disconnected) {
            events |= READ;
        }
        if watches(Role::Write) && (readiness.is_writable() || disconnected) {
            events |= WRITE;
        }
        if events & READ != 0 && readiness.is_hung_up() && !readiness.is_readable() {
            events |= ERROR;
        }
        if events == 0 {
            return Ok(());
        }
        let outcome = context::run_in(py, &self.context, || {
            // A stream's needs no Python in between.
            if streams::handle_events(self.handler.bind(py), events)? {
                return Ok(());
            }
            self.handler.call1(py, (&self.file, events)).map(drop)
        });
        match outcome {
            Err(error) if error::ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let report = intern!(py, "_handler_failed");
                let call = (&self.handler, &self.file, error::value(py, error));
                self.io_loop.call_method1(py, report, call)?;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.io_loop)?;
        visit.call(&self.file)?;
        visit.call(&self.handler)?;
        visit.call(&self.context)
    }
}
