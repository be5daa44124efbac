//! asyncio's transport of a stream socket: TCP and UNIX connections.
//!
//! Reading, sending and the socket are `crate::py::transport`'s; here is what is asyncio's.
//! It does what `asyncio.selector_events._SelectorSocketTransport` does, in the same
//! order; that class can't stand behind it in the bases, since its attributes are in slots,
//! so its name is answered for `__class__`. What happens rarely is in the Python subclass.
//!
//! What is written in one iteration is sent together at its end. Nobody can tell: whatever
//! would show it (`close`, `get_write_buffer_size`, the high-water mark...) sends first.

mod accept;
mod attributes;
mod beginning;
mod ending;
mod reading;
mod sending;
mod stock;
mod writing;

use std::os::fd::RawFd;

use crate::py::support::make;
use crate::py::support::names::intern;
use mio::Token;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::tls::Tls;
use super::{EventLoop, Handle};
use crate::core::interest::Readiness;
use crate::core::sys::Trigger;
use crate::core::sys::sockets::CompactAddress;
use crate::py::support::error::{self, ends_the_loop};
use crate::py::support::guarded::Guarded;
use crate::py::transport::stream::Stream;

pub use accept::Acceptor;

/// What a transport is or does, one bit each.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Flag {
    /// `close` or `abort` was called, or the connection has failed.
    Closing = 1,
    /// `pause_reading` was called.
    Paused = 1 << 1,
    /// `write_eof` was called.
    Eof = 1 << 2,
    /// Watched for input.
    Reading = 1 << 3,
    /// The protocol is a `BufferedProtocol`.
    Buffered = 1 << 4,
    /// Somebody knows the descriptor, who would see that bytes are held back.
    Through = 1 << 5,
    /// `sendfile` uses the descriptor.
    Lent = 1 << 6,
    /// The protocol has been told that the connection is over, or is being told.
    Ended = 1 << 7,
    /// TCP.
    Internet = 1 << 8,
    /// Its own context is the current one: the protocol is told what has come.
    OwnContext = 1 << 9,
}

/// What a queued call does with a transport.
#[derive(Clone, Copy)]
pub enum Step {
    /// Tells the protocol that there is a connection, and reads from then on.
    Connect,
    /// After `connection_made`: reads from now on.
    Start,
    /// Tells the protocol that the connection is over.
    End,
    /// The descriptor is ready.
    Ready(Token, Readiness),
}

/// The native half of asyncio's transport of a stream socket.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct SocketTransport {
    state: Guarded<State>,
}

struct State {
    stream: Stream,
    /// The descriptor's number, which is remembered after the end.
    number: RawFd,
    /// See `Flag`.
    flags: u16,
    /// Not 0 once `connection_lost` is scheduled; counts writes since then.
    lost: u32,
    /// How often the loop had polled when reading was resumed. What it reports by then is of
    /// the time before, and is reported anew.
    resumed: u64,
    event_loop: Option<Py<EventLoop>>,
    /// In which the protocol is told of what comes.
    context: Option<Py<PyAny>>,
    /// That of the write which waits for the socket, or is held back; `None`: its own.
    write_context: Option<Py<PyAny>>,
    /// The native half of the protocol, if that is asyncio's for TLS.
    tls: Option<Py<Tls>>,
    server: Option<Py<PyAny>>,
    /// What `get_extra_info` knows, once somebody has asked.
    extra: Option<Py<PyDict>>,
    /// The own end of an accepted connection, once it is closed, or known beforehand.
    local: CompactAddress,
    /// Done when reading begins.
    waiter: Option<Py<PyAny>>,
    /// The protocol's `connection_made`, until it is called.
    made: Option<Py<PyAny>>,
    /// Why the connection is over, for `connection_lost`, or will be when the socket takes
    /// more.
    reason: Option<Py<PyAny>>,
    /// `sendfile` waits for everything to be sent.
    empty_waiter: Option<Py<PyAny>>,
}

impl State {
    fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u16 != 0
    }

    fn set(&mut self, flag: Flag, on: bool) {
        if on {
            self.flags |= flag as u16;
        } else {
            self.flags &= !(flag as u16);
        }
    }

    fn is_reading(&self) -> bool {
        self.flags & (Flag::Closing as u16 | Flag::Paused as u16) == 0
    }

    /// Whether nothing is held back for the end of the iteration: somebody could see that,
    /// or there is none under way in this thread.
    fn is_through(&self) -> bool {
        let iterates = |event_loop: &Py<EventLoop>| event_loop.get().is_iterating_here();
        self.is(Flag::Through)
            || self.stream.is_shared()
            || !self.event_loop.as_ref().is_some_and(iterates)
    }

    /// How the descriptor is to be reported. What comes over the Internet is read to its
    /// end. On a UNIX socket a read also stops short of its end where descriptors came
    /// along, and a protocol with memory of its own counts the reads.
    fn trigger(&self) -> Trigger {
        if self.is(Flag::Internet) && !self.is(Flag::Buffered) {
            Trigger::Edge
        } else {
            Trigger::Level
        }
    }
}

impl SocketTransport {
    fn is(&self, py: Python<'_>, flag: Flag) -> bool {
        self.state.lock(py).is(flag)
    }

    /// The loop, until `connection_lost`.
    fn event_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, EventLoop>> {
        let state = self.state.lock(py);
        state
            .event_loop
            .as_ref()
            .map(|event_loop| event_loop.bind(py).clone())
    }

    fn protocol<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let state = self.state.lock(py);
        state
            .stream
            .protocol
            .as_ref()
            .map(|protocol| protocol.bind(py).clone())
    }

    /// Does what a queued call is for. What it raises is reported as of a callback.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit`.
    pub fn run(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
        step: Step,
    ) -> PyResult<()> {
        let outcome = match step {
            Step::Connect => Self::connect(slf, event_loop),
            Step::Start => Self::start(slf, event_loop),
            Step::End => Self::end(slf, event_loop),
            Step::Ready(token, readiness) => Self::ready(slf, event_loop, token, readiness),
        };
        let Err(error) = outcome else {
            return Ok(());
        };
        let py = slf.py();
        if ends_the_loop(py, &error) {
            return Err(error);
        }
        let method = match step {
            Step::Ready(_, readiness) if readiness.is_writable() => intern!(py, "_write_ready"),
            _ => intern!(py, "_read_ready"),
        };
        Self::report(event_loop, slf.getattr(method)?, PyTuple::empty(py), error)
    }

    /// Reports an error as of a callback that asyncio's own loop would have queued.
    fn report(
        event_loop: &Bound<'_, EventLoop>,
        callback: Bound<'_, PyAny>,
        args: Bound<'_, PyTuple>,
        error: PyErr,
    ) -> PyResult<()> {
        let py = event_loop.py();
        let handle = Handle::create(event_loop, callback.unbind(), args.unbind(), None)?;
        let report = intern!(py, "_report_callback_error");
        event_loop.call_method1(report, (Py::new(py, handle)?, error::value(py, error)))?;
        Ok(())
    }

    /// Reports an error that ends the connection; what must end the loop is raised.
    fn fatal(slf: &Bound<'_, Self>, error: PyErr, message: &str) -> PyResult<()> {
        let py = slf.py();
        let error = error::made(py, error);
        if ends_the_loop(py, &error) {
            return Err(error);
        }
        let exception = error.into_value(py);
        let message = make::text(py, message)?;
        slf.call_method1(intern!(py, "_fail"), (exception, message))?;
        Ok(())
    }
}

#[pymethods]
impl SocketTransport {
    #[new]
    fn new() -> Self {
        SocketTransport {
            state: Guarded::new(State {
                stream: Stream::default(),
                number: -1,
                flags: 0,
                lost: 0,
                resumed: 0,
                event_loop: None,
                context: None,
                write_context: None,
                tls: None,
                server: None,
                extra: None,
                local: CompactAddress::default(),
                waiter: None,
                made: None,
                reason: None,
                empty_waiter: None,
            }),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.visit(&visit) else {
            return Ok(());
        };
        visit.call(&state.event_loop)?;
        state.stream.traverse(visit)?;
        visit.call(&state.context)?;
        visit.call(&state.write_context)?;
        visit.call(&state.tls)?;
        visit.call(&state.server)?;
        visit.call(&state.extra)?;
        visit.call(&state.waiter)?;
        visit.call(&state.made)?;
        visit.call(&state.reason)?;
        visit.call(&state.empty_waiter)
    }

    fn __clear__(&self, py: Python<'_>) {
        let held = {
            let mut state = self.state.lock(py);
            // The socket object stays: it owns the descriptor and holds nothing.
            (
                state.event_loop.take(),
                state.tls.take(),
                [
                    state.stream.protocol.take(),
                    state.context.take(),
                    state.write_context.take(),
                    state.server.take(),
                    state.waiter.take(),
                    state.made.take(),
                    state.reason.take(),
                    state.empty_waiter.take(),
                ],
                state.extra.take(),
            )
        };
        drop(held);
    }
}
