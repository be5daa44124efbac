//! How a reactor ends a connection: `_disconnectSelectable`.
//!
//! For native transports what Twisted's method does is done here, in the same order,
//! unless somebody has put another in its place.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::{Reactor, StreamTransport};
use crate::core::registrations::Role;

/// What Twisted's method knows.
pub struct Disconnecting {
    /// `PosixReactorBase._disconnectSelectable`.
    method: Py<PyAny>,
    done: Usual,
    lost: Usual,
}

/// One of the two reasons for the end of nearly every connection.
struct Usual {
    /// What `doRead` and `doWrite` return.
    reason: Py<PyAny>,
    class: Py<PyAny>,
    failure: Py<PyAny>,
}

impl Usual {
    fn named(reports: &Bound<'_, PyAny>, name: &str, reason: &str) -> PyResult<Usual> {
        let py = reports.py();
        let class = reports.getattr(make::name(py, name)?)?;
        let failure = reports
            .getattr(intern!(py, "Failure"))?
            .call1((class.call0()?,))?;
        Ok(Usual {
            reason: reports.getattr(make::name(py, reason)?)?.unbind(),
            class: class.unbind(),
            failure: failure.unbind(),
        })
    }

    fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.reason)?;
        visit.call(&self.class)?;
        visit.call(&self.failure)
    }
}

impl Disconnecting {
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn new(reports: &Bound<'_, PyAny>) -> PyResult<Disconnecting> {
        let py = reports.py();
        Ok(Disconnecting {
            method: reports
                .getattr(intern!(py, "disconnect_selectable"))?
                .unbind(),
            done: Usual::named(reports, "ConnectionDone", "CONNECTION_DONE")?,
            lost: Usual::named(reports, "ConnectionLost", "CONNECTION_LOST")?,
        })
    }

    /// One of the two usual reasons for the end of a connection, by its name in Twisted.
    pub fn reason(&self, name: &str) -> Option<&Py<PyAny>> {
        match name {
            "CONNECTION_DONE" => Some(&self.done.reason),
            "CONNECTION_LOST" => Some(&self.lost.reason),
            _ => None,
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.method)?;
        self.done.traverse(visit)?;
        self.lost.traverse(visit)
    }
}

impl Reactor {
    /// Disconnects a descriptor object.
    ///
    /// # Errors
    /// What the object's own methods raise.
    pub fn disconnect(
        &self,
        object: &Bound<'_, PyAny>,
        why: &Bound<'_, PyAny>,
        reading: bool,
    ) -> PyResult<()> {
        let py = object.py();
        if self.event_loop().is_parents() {
            // In a child that has forked in a callback of the object's: to shut the socket
            // down would end the parent's connection.
            return Ok(());
        }
        let reactor = self.reactor.bind(py);
        let method = reactor.getattr(intern!(py, "_disconnectSelectable"))?;
        let Some(usual) = self.usual(object, why, &method)? else {
            return method.call1((object, why, reading)).map(drop);
        };
        self.unwatch(object, Role::Read);
        let failure = (&usual.failure,);
        if reading && why.get_type().is(&self.disconnecting.done.class) {
            // It may be half closed only.
            object.call_method1(intern!(py, "readConnectionLost"), failure)?;
        } else {
            self.unwatch(object, Role::Write);
            object.call_method1(intern!(py, "connectionLost"), failure)?;
        }
        Ok(())
    }

    /// One of the usual reasons, if it is all Twisted's method would look at.
    fn usual(
        &self,
        object: &Bound<'_, PyAny>,
        why: &Bound<'_, PyAny>,
        method: &Bound<'_, PyAny>,
    ) -> PyResult<Option<&Usual>> {
        let py = object.py();
        let Disconnecting {
            method: stock,
            done,
            lost,
        } = &self.disconnecting;
        let native = object
            .cast::<StreamTransport>()
            .is_ok_and(|stream| stream.get().has_core(py));
        let function = method.getattr_opt(intern!(py, "__func__"))?;
        if !native || !function.is_some_and(|function| function.is(stock)) {
            return Ok(None);
        }
        let class = why.get_type();
        Ok([done, lost]
            .into_iter()
            .find(|usual| class.is(&usual.class)))
    }

    /// Whether a failure is one that `disconnect` gives.
    pub fn is_usual(&self, failure: &Bound<'_, PyAny>) -> bool {
        let Disconnecting { done, lost, .. } = &self.disconnecting;
        failure.is(&done.failure) || failure.is(&lost.failure)
    }
}
