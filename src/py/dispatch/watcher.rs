//! Who watches a descriptor, and how its events become calls.
//!
//! asyncio's readers and writers are handles and go into the ready queue as
//! such. Tornado's and Twisted's watchers are looked up again when their turn
//! comes, so that one which was removed meanwhile isn't called.

use std::os::fd::RawFd;
use std::sync::Arc;

use mio::Token;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::call::Call;
use crate::core::interest::Readiness;
use crate::core::poller::Event;
use crate::core::registrations::Watchers;
use crate::core::room::NoRoom;
use crate::py::asyncio::{Handle, SocketTransport, Step};
use crate::py::event_loop::EventLoop;
use crate::py::tornado::Handler;
use crate::py::twisted::Selectable;

/// How many calls an event asks for at most.
const CALLS: usize = 3;

/// A watcher of one of the faces.
pub enum Watcher {
    /// asyncio's `add_reader`, `add_writer`.
    Handle(HandleWatcher),
    /// Tornado's `add_handler`.
    Handler(Handler),
    /// Twisted's `addReader`, `addWriter`.
    Selectable(Selectable),
    /// asyncio's transport of a stream socket.
    Socket(Py<SocketTransport>),
}

/// A descriptor that asyncio's handles watch, and what it is ready for: 1 to read, 2 to
/// write, as Python's `selectors` has it.
pub type Ready = (RawFd, u8);

/// asyncio's watcher: the handle, and the file object if one was given.
pub struct HandleWatcher {
    /// Queued when the descriptor is ready.
    pub handle: Py<Handle>,
    /// What names the descriptor when it is closed already.
    pub file: Option<Py<PyAny>>,
}

impl Watcher {
    /// asyncio's handle, if this is asyncio's watcher.
    pub fn handle(&self) -> Option<&Py<Handle>> {
        match self {
            Watcher::Handle(watcher) => Some(&watcher.handle),
            _ => None,
        }
    }

    /// Tornado's handler, if this is Tornado's watcher.
    pub fn handler(&self) -> Option<&Handler> {
        match self {
            Watcher::Handler(handler) => Some(handler),
            _ => None,
        }
    }

    /// Twisted's descriptor object, if this is Twisted's watcher.
    pub fn selectable(&self) -> Option<&Selectable> {
        match self {
            Watcher::Selectable(selectable) => Some(selectable),
            _ => None,
        }
    }

    /// asyncio's transport, if this is one's watcher.
    pub fn socket(&self) -> Option<&Py<SocketTransport>> {
        match self {
            Watcher::Socket(transport) => Some(transport),
            _ => None,
        }
    }

    /// What a report of a slow call names.
    pub fn subject(&self, py: Python<'_>) -> Py<PyAny> {
        match self {
            Watcher::Handle(watcher) => watcher.handle.clone_ref(py).into_any(),
            Watcher::Handler(handler) => handler.handler.clone_ref(py),
            Watcher::Selectable(selectable) => selectable.object.clone_ref(py),
            Watcher::Socket(transport) => transport.clone_ref(py).into_any(),
        }
    }

    /// Whether this is the watcher of the given file object.
    pub fn is_for(&self, object: &Bound<'_, PyAny>) -> bool {
        match self {
            Watcher::Handle(watcher) => watcher.file.as_ref().is_some_and(|file| file.is(object)),
            Watcher::Handler(handler) => handler.is_for(object),
            Watcher::Selectable(selectable) => selectable.is_for(object),
            Watcher::Socket(transport) => transport.is(object),
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Watcher::Handle(watcher) => {
                visit.call(&watcher.handle)?;
                visit.call(&watcher.file)
            }
            Watcher::Handler(handler) => handler.traverse(visit),
            Watcher::Selectable(selectable) => selectable.traverse(visit),
            Watcher::Socket(transport) => visit.call(transport),
        }
    }
}

/// Queues the calls that events ask for, by way of the empty buffer `calls`. Errors and
/// hang-ups wake both directions, as Python's own selectors have it. An event that is
/// merged into a deferred read asks for nothing more.
///
/// # Errors
/// `MemoryError`; the events stay where they are.
pub fn queue(
    this: &EventLoop,
    py: Python<'_>,
    events: &mut Vec<Event>,
    calls: &mut Vec<Call>,
) -> PyResult<()> {
    if events.is_empty() {
        let mut queue = this.calls.lock(py);
        // For what is deferred.
        queue.make_room(0)?;
        this.note_streams(queue.release_deferred());
        return Ok(());
    }
    let most = events.len().saturating_mul(CALLS);
    calls.try_reserve(most).map_err(NoRoom::from)?;
    this.calls.lock(py).make_room(most)?;
    this.with_registrations(|registrations| {
        for event in events.drain(..) {
            if registrations.merge_deferred(event.token, event.readiness) {
                continue;
            }
            if let Some((_, watchers)) = registrations.resolve(event.token) {
                add_calls(py, event, watchers, calls);
            }
        }
    });
    let mut queue = this.calls.lock(py);
    queue.extend(calls.drain(..));
    this.note_streams(queue.release_deferred());
    Ok(())
}

/// The descriptors that asyncio's handles watch and that are ready.
pub fn ready(this: &EventLoop, events: &[Event]) -> Vec<Ready> {
    this.with_registrations(|registrations| {
        let ready = events.iter().filter_map(|event| {
            let (fd, watchers) = registrations.resolve(event.token)?;
            let watched = |watcher: &Option<Arc<Watcher>>| {
                watcher.as_deref().and_then(Watcher::handle).is_some()
            };
            let read = watched(&watchers.read) && event.readiness.is_readable();
            let write = watched(&watchers.write) && event.readiness.is_writable();
            (read || write).then_some((fd, u8::from(read) | u8::from(write) << 1))
        });
        ready.collect()
    })
}

fn add_calls(
    py: Python<'_>,
    event: Event,
    watchers: &Watchers<Arc<Watcher>>,
    calls: &mut Vec<Call>,
) {
    let readiness = event.readiness;
    let mut others = watchers.error.is_some();
    let mut socket = None;
    let directions = [
        (&watchers.read, readiness.is_readable()),
        (&watchers.write, readiness.is_writable()),
    ];
    for (watcher, ready) in directions {
        let ready = ready || readiness.is_disconnected();
        match watcher.as_deref() {
            Some(Watcher::Handle(watcher)) if ready => {
                calls.push(Call::Handle(watcher.handle.clone_ref(py)));
            }
            Some(Watcher::Socket(transport)) if ready => socket = Some(transport),
            None | Some(Watcher::Handle(_) | Watcher::Socket(_)) => {}
            Some(Watcher::Handler(_) | Watcher::Selectable(_)) => others = true,
        }
    }
    if let Some(transport) = socket {
        let step = Step::Ready(event.token, readiness);
        calls.push(Call::Socket(transport.clone_ref(py), step));
    }
    if others {
        calls.push(Call::Ready(event.token, readiness));
    }
}

/// Calls Tornado's or Twisted's watchers of a descriptor that is ready.
///
/// # Errors
/// Those exceptions that must end the loop.
pub fn dispatch(
    event_loop: &Bound<'_, EventLoop>,
    token: Token,
    readiness: Readiness,
) -> PyResult<()> {
    let Some(watchers) = resolve(event_loop.get(), token) else {
        return Ok(());
    };
    if watchers.read.is_none() && event_loop.get().settle(token) {
        return Ok(());
    }
    if let Some(handler) = watchers.iter().find_map(|watcher| watcher.handler()) {
        let outcome = handler.dispatch(event_loop.py(), &watchers, readiness);
        outcome.map_err(|error| event_loop.get().ended_by(error, false))?;
    }
    if watchers
        .iter()
        .any(|watcher| watcher.selectable().is_some())
    {
        let outcome = Selectable::dispatch(event_loop, token, readiness, watchers);
        outcome.map_err(|error| event_loop.get().ended_by(error, true))?;
    }
    Ok(())
}

/// Reads on where an iteration has left something.
///
/// # Errors
/// Those exceptions that must end the loop.
pub fn read_on(event_loop: &Bound<'_, EventLoop>, token: Token) -> PyResult<()> {
    let this = event_loop.get();
    let Some(readiness) = this.with_registrations(|all| all.take_deferred(token)) else {
        return Ok(());
    };
    let Some(watchers) = resolve(this, token) else {
        return Ok(());
    };
    let reader = watchers.read.as_deref();
    if let Some(transport) = reader.and_then(Watcher::socket) {
        let step = Step::Ready(token, readiness | Readiness::READABLE);
        let outcome = SocketTransport::run(transport.bind(event_loop.py()), event_loop, step);
        return outcome.map_err(|error| this.ended_by(error, false));
    }
    let outcome = Selectable::read_on(event_loop, token, readiness, &watchers);
    outcome.map_err(|error| this.ended_by(error, true))
}

/// The watchers behind a token, unless the descriptor was removed since.
pub fn resolve(this: &EventLoop, token: Token) -> Option<Watchers<Arc<Watcher>>> {
    this.with_registrations(|registrations| {
        let (_, watchers) = registrations.resolve(token)?;
        Some(watchers.clone())
    })
}
