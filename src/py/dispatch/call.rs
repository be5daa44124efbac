//! What the ready queue holds: every face's calls, each with its own way to
//! run and to report an exception.

use crate::py::support::names::intern;
use mio::Token;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::{fresh, watcher};
use crate::core::interest::Readiness;
use crate::py::asyncio::{Handle, SocketTransport, Step};
use crate::py::event_loop::EventLoop;
use crate::py::tornado::{Callback, Timeout};
use crate::py::twisted::{DelayedCall, Reactor, ThreadCall};

/// How many kinds of calls are told apart by `Call::kind`.
pub const KINDS: usize = 7;

/// What those kinds are called.
pub const KIND_NAMES: [&str; KINDS] = [
    "asyncio",
    "asyncio_transports",
    "tornado",
    "tornado_timers",
    "twisted_threads",
    "twisted_timers",
    "descriptors",
];

/// A call that is ready to run.
pub enum Call {
    /// asyncio: a callback with a handle; also a reader, a writer, a timer.
    Handle(Py<Handle>),
    /// asyncio: a handle that asyncio itself made, such as a signal's.
    Foreign(Py<PyAny>),
    /// Tornado: `add_callback`.
    Callback(Callback),
    /// Tornado: a due timeout.
    Timeout(Py<Timeout>),
    /// Twisted: `callFromThread`.
    Thread(ThreadCall),
    /// Twisted: a due `DelayedCall`, and which of its times this is.
    Delayed(Py<DelayedCall>, u32),
    /// Something was written from outside the loop, and is sent at the end of this
    /// iteration as of every other.
    Flush,
    /// Tornado, Twisted: a descriptor is ready.
    Ready(Token, Readiness),
    /// Twisted: a descriptor that the poll doesn't watch yet is ready.
    Fresh(Token, Readiness),
    /// Twisted: a descriptor that the poll refuses to watch.
    Refused(Token),
    /// asyncio: a transport's next step.
    Socket(Py<SocketTransport>, Step),
    /// A stream that is reported once for what comes may have more to read.
    ReadOn(Token),
}

impl Call {
    /// Runs the call and reports its exception in its framework's way.
    ///
    /// # Errors
    /// Those exceptions that must end the loop.
    pub fn run(&self, event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
        let (this, py) = (event_loop.get(), event_loop.py());
        let outcome = match self {
            Call::Handle(handle) => Handle::run(handle.bind(py)),
            Call::Foreign(handle) => run_foreign(handle.bind(py)),
            Call::Callback(callback) => callback.run(py),
            Call::Timeout(timeout) => Timeout::run(timeout.bind(py)),
            Call::Thread(call) if call.reactor.get().keeps(py, self) => Ok(()),
            Call::Thread(call) => call.run(py),
            Call::Delayed(delayed, _) if delayed.get().reactor.get().keeps(py, self) => Ok(()),
            Call::Delayed(delayed, turn) => DelayedCall::run(delayed.bind(py), *turn),
            Call::Flush => Ok(()),
            Call::Ready(token, readiness) => {
                return watcher::dispatch(event_loop, *token, *readiness);
            }
            Call::Fresh(token, readiness) => {
                return fresh::dispatch(event_loop, *token, *readiness);
            }
            Call::Refused(token) => {
                let outcome = fresh::disconnect(event_loop, *token);
                return outcome.map_err(|error| this.ended_by(error, true));
            }
            Call::Socket(transport, step) => {
                let outcome = SocketTransport::run(transport.bind(py), event_loop, *step);
                return outcome.map_err(|error| this.ended_by(error, false));
            }
            Call::ReadOn(token) => return watcher::read_on(event_loop, *token),
        };
        outcome.map_err(|error| this.ended_by(error, self.is_twisteds()))
    }

    /// asyncio's handle, if it is one.
    pub fn handle(&self) -> Option<&Py<Handle>> {
        match self {
            Call::Handle(handle) => Some(handle),
            _ => None,
        }
    }

    /// Whether it is the call of a timer that runs late; see `Timer::is_late`.
    #[inline]
    pub fn is_of_late_timer(&self) -> bool {
        matches!(self, Call::Delayed(..))
    }

    /// Whether it serves a descriptor, which may have much to read.
    #[inline]
    pub fn serves_descriptor(&self) -> bool {
        matches!(
            self,
            Call::Ready(..) | Call::Fresh(..) | Call::Socket(..) | Call::ReadOn(..)
        )
    }

    /// Which of `KIND_NAMES` it is.
    #[inline]
    pub fn kind(&self) -> usize {
        match self {
            Call::Handle(_) | Call::Foreign(_) => 0,
            Call::Socket(..) => 1,
            Call::Callback(_) => 2,
            Call::Timeout(_) => 3,
            Call::Thread(_) => 4,
            Call::Delayed(..) => 5,
            Call::Ready(..) | Call::Fresh(..) | Call::Refused(_) | Call::ReadOn(_) => 6,
            // It has nothing to do.
            Call::Flush => KINDS,
        }
    }

    /// Drops the call, for less than without the proof of being attached: PyO3 would look
    /// for that at each reference.
    #[inline]
    pub fn drop_attached(self, py: Python<'_>) {
        match self {
            Call::Handle(handle) => drop(handle.into_bound(py)),
            Call::Socket(transport, _) => drop(transport.into_bound(py)),
            Call::Ready(..)
            | Call::Fresh(..)
            | Call::Refused(_)
            | Call::ReadOn(..)
            | Call::Flush => {}
            call => drop(call),
        }
    }

    /// Whether it is a call of Twisted's.
    fn is_twisteds(&self) -> bool {
        matches!(self, Call::Thread(_) | Call::Delayed(..) | Call::Flush)
    }

    /// The same call once more, if it is a thread's or a delayed one of Twisted's.
    pub fn copy(&self, py: Python<'_>) -> Option<Call> {
        match self {
            Call::Thread(call) => Some(Call::Thread(call.clone_ref(py))),
            Call::Delayed(delayed, turn) => Some(Call::Delayed(delayed.clone_ref(py), *turn)),
            _ => None,
        }
    }

    /// The reactor whose call this is, if it is a thread's or a delayed one.
    pub fn reactor(&self) -> Option<&Py<Reactor>> {
        match self {
            Call::Thread(call) => Some(&call.reactor),
            Call::Delayed(delayed, _) => Some(&delayed.get().reactor),
            _ => None,
        }
    }

    /// What a report of a slow call names.
    pub fn reported(&self, event_loop: &Bound<'_, EventLoop>) -> Option<Py<PyAny>> {
        let py = event_loop.py();
        match self {
            Call::Timeout(timeout) => timeout.get().subject(py),
            Call::Ready(token, _)
            | Call::Fresh(token, _)
            | Call::Refused(token)
            | Call::ReadOn(token) => event_loop.get().with_registrations(|registrations| {
                let (_, watchers) = registrations.resolve(*token)?;
                watchers.iter().next().map(|watcher| watcher.subject(py))
            }),
            _ => self.subject(py),
        }
    }

    /// What stands for the call, where it has an object.
    pub fn subject(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match self {
            Call::Handle(handle) => Some(handle.clone_ref(py).into_any()),
            Call::Foreign(handle) => Some(handle.clone_ref(py)),
            Call::Callback(callback) => Some(callback.subject(py)),
            Call::Timeout(timeout) => Some(timeout.clone_ref(py).into_any()),
            Call::Thread(call) => Some(call.subject(py)),
            Call::Delayed(delayed, _) => Some(delayed.clone_ref(py).into_any()),
            Call::Socket(transport, _) => Some(transport.clone_ref(py).into_any()),
            Call::Flush
            | Call::Ready(..)
            | Call::Fresh(..)
            | Call::Refused(_)
            | Call::ReadOn(..) => None,
        }
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Call::Handle(handle) => visit.call(handle),
            Call::Foreign(handle) => visit.call(handle),
            Call::Callback(callback) => callback.traverse(visit),
            Call::Timeout(timeout) => visit.call(timeout),
            Call::Thread(call) => call.traverse(visit),
            Call::Delayed(delayed, _) => visit.call(delayed),
            Call::Socket(transport, _) => visit.call(transport),
            Call::Flush
            | Call::Ready(..)
            | Call::Fresh(..)
            | Call::Refused(_)
            | Call::ReadOn(..) => Ok(()),
        }
    }
}

fn run_foreign(handle: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = handle.py();
    if !handle.call_method0(intern!(py, "cancelled"))?.is_truthy()? {
        handle.call_method0(intern!(py, "_run"))?;
    }
    Ok(())
}
