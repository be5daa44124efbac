//! Twisted's descriptor objects: `doRead`, `doWrite` and what they return.
//!
//! The rules are those of `EPollReactor`, with one exception: a descriptor
//! that stopped reading or writing earlier in the same iteration isn't asked to.

use std::sync::Arc;

use crate::py::support::names::intern;
use mio::Token;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use super::Reactor;
use super::stream::{self, Direct};
use crate::core::interest::Readiness;
use crate::core::registrations::{Role, Watchers};
use crate::core::sys::Trigger;
use crate::py::dispatch::watcher::{self, Watcher};
use crate::py::event_loop::EventLoop;
use crate::py::support::error;
use crate::py::transport::reading::{self, Event};

/// A descriptor object and the reactor that it was added to.
pub struct Selectable {
    /// Disconnects the descriptor, and reports exceptions.
    pub reactor: Py<Reactor>,
    /// IReadDescriptor, IWriteDescriptor or both.
    pub object: Py<PyAny>,
}

/// Why a descriptor must be disconnected, and whether reading said so.
type Verdict<'py> = Option<(Bound<'py, PyAny>, bool)>;

impl Selectable {
    /// Whether this is the watcher of the given object.
    pub fn is_for(&self, object: &Bound<'_, PyAny>) -> bool {
        self.object.is(object)
    }

    /// Serves the descriptor objects behind a token: one object that reads and
    /// writes is served once, two objects each in their own way.
    ///
    /// # Errors
    /// `KeyboardInterrupt` from a log prefix; nothing else, see `serve`.
    pub fn dispatch(
        event_loop: &Bound<'_, EventLoop>,
        token: Token,
        readiness: Readiness,
        watchers: Watchers<Arc<Watcher>>,
    ) -> PyResult<()> {
        let event = Event {
            event_loop,
            token,
            readiness,
        };
        let (reader, writer) = (of(&watchers, Role::Read), of(&watchers, Role::Write));
        if let Some(reader) = reader {
            event.serve(reader, Role::Read)?;
        }
        let Some(writer) = writer else {
            return Ok(());
        };
        if event_loop.get().is_parents() {
            // Reading has forked: the parent writes.
            return Ok(());
        }
        if reader.is_some_and(|reader| reader.object.is(&writer.object)) {
            return Ok(());
        }
        // Looked up anew: serving the reader may have removed the writer.
        match watcher::resolve(event_loop.get(), token) {
            Some(watchers) => {
                of(&watchers, Role::Write).map_or(Ok(()), |writer| event.serve(writer, Role::Write))
            }
            None => Ok(()),
        }
    }

    /// Reads from a native transport once more, if it still is one that is read to the
    /// end. Nobody else is told to read: the poll does that, if there is something.
    ///
    /// # Errors
    /// As `dispatch`.
    pub fn read_on(
        event_loop: &Bound<'_, EventLoop>,
        token: Token,
        readiness: Readiness,
        watchers: &Watchers<Arc<Watcher>>,
    ) -> PyResult<()> {
        let this = event_loop.get();
        match of(watchers, Role::Read) {
            Some(reader)
                if stream::trigger(reader.object.bind(event_loop.py())) == Trigger::Edge =>
            {
                let event = Event {
                    event_loop,
                    token,
                    readiness,
                };
                event.serve(reader, Role::Read)
            }
            _ => {
                this.make_level_triggered(token);
                Ok(())
            }
        }
    }

    /// Logs why a descriptor can't be watched.
    pub fn report(py: Python<'_>, watchers: &Watchers<Arc<Watcher>>, error: PyErr) {
        let mut selectables = watchers.iter().filter_map(|watcher| watcher.selectable());
        if let Some(selectable) = selectables.next() {
            let reactor = selectable.reactor.get();
            // Reports can't fail, and if they do there is nobody to tell.
            drop(reactor.report(py, "selectable", (error::value(py, error), py.None())));
        }
    }

    /// Disconnects a descriptor object that can't be watched.
    ///
    /// # Errors
    /// Those exceptions that must end the loop.
    pub fn disconnect(py: Python<'_>, watchers: &Watchers<Arc<Watcher>>) -> PyResult<()> {
        let mut selectables = watchers.iter().filter_map(|watcher| watcher.selectable());
        let Some(selectable) = selectables.next() else {
            return Ok(());
        };
        let reactor = selectable.reactor.get();
        let lost = reactor.reason(py, "CONNECTION_LOST")?;
        match reactor.disconnect(selectable.object.bind(py), &lost, false) {
            Err(error) if !reactor.ends_the_loop(py, &error) => {
                reactor.report(py, "selectable", (error::value(py, error), py.None()))
            }
            outcome => outcome,
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.reactor)?;
        visit.call(&self.object)
    }
}

fn of<T: AsRef<Watcher>>(watchers: &Watchers<T>, role: Role) -> Option<&Selectable> {
    watchers.get(role)?.as_ref().selectable()
}

impl<'py> Event<'_, 'py> {
    /// Serves one descriptor object in its log context. Whatever it raises is
    /// logged, and disconnects it.
    fn serve(&self, selectable: &Selectable, role: Role) -> PyResult<()> {
        let py = self.event_loop.py();
        let object = selectable.object.bind(py);
        let reactor = selectable.reactor.get();
        let (direct, prefix) = match Direct::to(object) {
            Ok(Some(direct)) => {
                let prefix = direct.prefix.clone();
                (Some(direct), Ok(prefix))
            }
            Ok(None) => (None, object.call_method0(intern!(py, "logPrefix"))),
            Err(error) => (None, Err(error)),
        };
        if direct.as_ref().is_none_or(|direct| direct.reader.once) {
            // Nobody knows how much of it will be read.
            self.event_loop.get().make_level_triggered(self.token);
        }
        let prefix = match prefix {
            Ok(prefix) => prefix,
            Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => return Err(error),
            Err(error) => {
                let buggy = intern!(py, "(buggy logPrefix method)");
                reactor.report(py, "selectable", (error::value(py, error), buggy))?;
                buggy.clone().into_any()
            }
        };
        let outcome = reactor.log_context().run_in(&prefix, || {
            if let Some((why, reading)) = self.verdict(selectable, role, direct)? {
                reactor.disconnect(object, &why, reading)?;
            }
            Ok(())
        });
        if outcome.is_err() {
            // It may be watched still, and have more to read.
            self.event_loop.get().make_level_triggered(self.token);
        }
        match outcome {
            Err(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => {
                reactor.report(py, "selectable", (error::value(py, error), prefix))
            }
            outcome => outcome,
        }
    }

    fn verdict(
        &self,
        selectable: &Selectable,
        role: Role,
        direct: Option<Direct<'_, 'py>>,
    ) -> PyResult<Verdict<'py>> {
        let py = self.event_loop.py();
        let reactor = selectable.reactor.get();
        if self.readiness.is_disconnected() && !self.readiness.is_readable() {
            // With nothing left to read this is the end: a clean one for
            // someone who reads, an error for someone who only writes.
            let reading = self.watches(selectable, Role::Read);
            let why = if reading {
                "CONNECTION_DONE"
            } else {
                "CONNECTION_LOST"
            };
            return Ok(Some((reactor.reason(py, why)?, reading)));
        }
        let mut reading = false;
        let outcome = match direct {
            Some(direct) => self.transfer_directly(selectable, role, direct, &mut reading),
            None => self.transfer(selectable, &mut reading),
        };
        match outcome {
            Ok(why) if why.is_truthy()? => Ok(Some((why, reading))),
            Ok(_) => Ok(None),
            Err(error) if reactor.ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let why = error::value(py, error);
                reactor.report(py, "selectable", (&why, py.None()))?;
                Ok(Some((why.into_bound(py).into_any(), reading)))
            }
        }
    }

    /// The same for a native transport: nobody has been asked anything since its watchers
    /// were looked up, so that what it watches is known.
    fn transfer_directly(
        &self,
        selectable: &Selectable,
        role: Role,
        direct: Direct<'_, 'py>,
        reads: &mut bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = self.event_loop.py();
        let mut why = None;
        if self.readiness.is_readable() && role == Role::Read {
            why = reading::read(direct.stream, self, Some(direct.reader))?;
            *reads = true;
        }
        if why.is_none() && self.readiness.is_writable() && self.watches(selectable, Role::Write) {
            why = stream::write_directly(selectable.object.bind(py))?;
            *reads = false;
        }
        Ok(why.unwrap_or_else(|| py.None().into_bound(py)))
    }

    /// Reads and writes as far as the event says so.
    fn transfer(&self, selectable: &Selectable, reading: &mut bool) -> PyResult<Bound<'py, PyAny>> {
        let py = self.event_loop.py();
        let object = selectable.object.bind(py);
        let fd = object.call_method0(intern!(py, "fileno"))?;
        if fd.eq(-1)? {
            return selectable.reactor.get().reason(py, "_NO_FILEDESC");
        }
        let mut why = py.None().into_bound(py);
        if self.readiness.is_readable() && self.watches(selectable, Role::Read) {
            why = object.call_method0(intern!(py, "doRead"))?;
            *reading = true;
        }
        if !why.is_truthy()?
            && self.readiness.is_writable()
            && self.watches(selectable, Role::Write)
        {
            why = object.call_method0(intern!(py, "doWrite"))?;
            *reading = false;
        }
        Ok(why)
    }

    /// Whether the object watches this direction at this moment.
    fn watches(&self, selectable: &Selectable, role: Role) -> bool {
        watches(self, selectable.object.bind(self.event_loop.py()), role)
    }
}

/// Whether an object watches this direction of an event's descriptor at this moment.
pub fn watches(event: &Event<'_, '_>, object: &Bound<'_, PyAny>, role: Role) -> bool {
    // In a child that has just forked the parent does the rest.
    if event.event_loop.get().is_parents() {
        return false;
    }
    event.event_loop.get().with_registrations(|registrations| {
        registrations
            .resolve(event.token)
            .and_then(|(_, watchers)| of(watchers, role))
            .is_some_and(|current| current.object.is(object))
    })
}
