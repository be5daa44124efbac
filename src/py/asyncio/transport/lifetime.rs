//! A connection's beginning and its end.

use std::net::SocketAddr;
use std::os::fd::{IntoRawFd, OwnedFd};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::{EventLoop, Flag, Handle, SocketTransport, Step, stock};
use crate::core::registrations::Role;
use crate::py::dispatch::call::Call;
use crate::py::support::context;
use crate::py::support::error::ends_the_loop;
use crate::py::transport::stream::{self, Face, Stream};

/// What a transport is made of, beside its descriptor.
pub struct Parts<'a, 'py> {
    /// The loop.
    pub event_loop: &'a Bound<'py, EventLoop>,
    /// Told of what happens.
    pub protocol: &'a Bound<'py, PyAny>,
    /// Done when reading begins.
    pub waiter: Option<Py<PyAny>>,
    /// The server that accepted the connection.
    pub server: Option<&'a Bound<'py, PyAny>>,
}

impl SocketTransport {
    /// A transport of class `class` for a connection that was just accepted. The current
    /// context becomes its own.
    ///
    /// # Errors
    /// What the server raises.
    pub fn accepted<'py>(
        class: &Bound<'py, PyType>,
        connection: OwnedFd,
        peer: SocketAddr,
        parts: Parts<'_, 'py>,
    ) -> PyResult<()> {
        let made = class.call_method1(intern!(class.py(), "__new__"), (class,))?;
        let slf = made.cast::<SocketTransport>()?;
        {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.open(connection.into_raw_fd(), None);
            state.stream.peer = Some(peer);
        }
        Self::begin(slf, parts)
    }

    /// Tells the protocol that there is a connection, and reads from the next iteration on.
    fn begin(slf: &Bound<'_, Self>, parts: Parts<'_, '_>) -> PyResult<()> {
        let py = slf.py();
        let event_loop = parts.event_loop;
        let context = context::copy_current(py)?;
        Self::set_protocol(slf, parts.protocol)?;
        if let Some(server) = parts.server {
            stock::attach(server, slf.as_any())?;
        }
        let fd = {
            let mut state = slf.get().state.lock(slf.py());
            state.event_loop = Some(event_loop.clone().unbind());
            state.server = parts.server.map(|server| server.clone().unbind());
            state.context = Some(context);
            state.waiter = parts.waiter;
            state.number = state.stream.fd;
            state.number
        };
        let this = event_loop.get();
        this.transports.insert(fd, slf.as_any())?;
        if !this.is_debug() {
            this.schedule(py, Call::Socket(slf.clone().unbind(), Step::Connect));
            return Ok(());
        }
        // There the handle is seen: in reports of slow callbacks, and with its traceback.
        let made = parts.protocol.getattr(intern!(py, "connection_made"))?;
        let args = PyTuple::new(py, [slf])?;
        let handle = Handle::create(event_loop, made.unbind(), args.unbind(), None)?;
        this.schedule(py, Call::Handle(Py::new(py, handle)?));
        this.schedule(py, Call::Socket(slf.clone().unbind(), Step::Start));
        Ok(())
    }

    /// Tells the protocol that there is a connection, and reads from then on.
    pub(super) fn connect(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (protocol, context) = {
            let state = slf.get().state.lock(py);
            let (Some(protocol), Some(context)) = (&state.stream.protocol, &state.context) else {
                return Ok(());
            };
            (protocol.bind(py).clone(), context.bind(py).clone())
        };
        let name = intern!(py, "connection_made");
        // One of its own, as each callback has.
        let context = context::copy(py, context.as_unbound())?;
        let told = context::run_in(py, &context, || protocol.call_method1(name, (slf,)));
        if let Err(error) = told {
            if ends_the_loop(py, &error) {
                let starts = Call::Socket(slf.clone().unbind(), Step::Start);
                event_loop.get().schedule(py, starts);
                return Err(error);
            }
            let args = PyTuple::new(py, [slf])?;
            Self::report(event_loop, protocol.getattr(name)?, args, error)?;
        }
        Self::start(slf, event_loop)
    }

    /// After `connection_made`: reads from now on.
    pub(super) fn start(slf: &Bound<'_, Self>, event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
        let (reads, waiter) = {
            let mut state = slf.get().state.lock(slf.py());
            let reads = state.is_reading() && !state.is(Flag::Reading);
            (reads, state.waiter.take())
        };
        let started = if reads {
            Self::start_reading(slf)
        } else {
            Ok(())
        };
        if let Some(waiter) = waiter {
            stock::set_result(waiter.bind(event_loop.py()))?;
        }
        match started {
            Ok(()) => Ok(()),
            Err(error) => Self::fatal(slf, error, "Fatal error on transport"),
        }
    }

    /// Ends the connection once everything is sent.
    pub(super) fn close_transport(slf: &Bound<'_, Self>) -> PyResult<()> {
        if slf.get().is(slf.py(), Flag::Closing) {
            return Ok(());
        }
        Self::flush_now(slf)?;
        let empty = {
            let mut state = slf.get().state.lock(slf.py());
            if state.is(Flag::Closing) {
                return Ok(());
            }
            state.set(Flag::Closing, true);
            let empty = state.stream.buffer.is_empty();
            state.lost += u32::from(empty);
            empty
        };
        Self::stop_reading(slf)?;
        if empty {
            Self::end_soon(slf, slf.py().None())
        } else {
            Ok(())
        }
    }

    /// Calls `_call_connection_lost` in the next iteration.
    fn end_soon(slf: &Bound<'_, Self>, exception: Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        let Some(event_loop) = slf.get().event_loop(py) else {
            return Ok(());
        };
        let this = event_loop.get();
        this.check_open()?;
        if !this.is_debug() {
            let context = context::copy_current(py)?;
            let before = {
                let mut state = slf.get().state.lock(py);
                state.reason = Some(exception);
                state.context.replace(context)
            };
            drop(before);
            this.schedule(py, Call::Socket(slf.clone().unbind(), Step::End));
            return Ok(());
        }
        let ends = slf.getattr(intern!(py, "_call_connection_lost"))?.unbind();
        let args = PyTuple::new(py, [exception])?.unbind();
        let handle = Py::new(py, Handle::create(&event_loop, ends, args, None)?)?;
        this.schedule(py, Call::Handle(handle));
        Ok(())
    }

    /// Tells the protocol why the connection is over.
    pub(super) fn end(slf: &Bound<'_, Self>, event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
        let py = slf.py();
        let (reason, context) = {
            let mut state = slf.get().state.lock(py);
            (state.reason.take(), state.context.take())
        };
        let (Some(reason), Some(context)) = (reason, context) else {
            return Ok(());
        };
        let told = context::run_in(py, &context, || Self::connection_lost(slf, reason.bind(py)));
        match told {
            Err(error) if !ends_the_loop(py, &error) => {
                let ends = slf.getattr(intern!(py, "_call_connection_lost"))?;
                Self::report(event_loop, ends, PyTuple::new(py, [reason])?, error)
            }
            told => told,
        }
    }

    /// Tells the protocol that the connection is over, and lets go of everything.
    pub(super) fn connection_lost(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        {
            let mut state = slf.get().state.lock(slf.py());
            if state.is(Flag::Ended) {
                return Ok(());
            }
            state.set(Flag::Ended, true);
        }
        let told = match slf.get().protocol(py) {
            Some(protocol) => protocol
                .call_method1(intern!(py, "connection_lost"), (exception,))
                .map(drop),
            None => Ok(()),
        };
        let flushed = Self::flush_now(slf);
        let released = Self::release(slf);
        let waited = Self::fail_empty_waiter(slf);
        told.and(flushed).and(released).and(waited)
    }

    /// Closes the socket and lets go of protocol, loop and server.
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (fd, owned, event_loop, server, rest) = {
            let mut state = slf.get().state.lock(slf.py());
            state.lost = state.lost.max(1);
            if state.extra.is_none() {
                // Somebody may ask for it later.
                state.local = stream::local_address(&state.stream).unwrap_or_default();
            }
            let rest = (
                state.stream.protocol.take(),
                state.context.take(),
                state.stream.buffer.take(),
            );
            (
                state.stream.fd,
                state.stream.take(),
                state.event_loop.take(),
                state.server.take(),
                rest,
            )
        };
        if let Some(event_loop) = event_loop {
            let this = event_loop.bind(py).get();
            drop(this.unwatch(fd, &[Role::Read, Role::Write]));
            this.transports.remove(fd);
        }
        let closed = owned.close(py);
        drop(rest);
        if let Some(server) = server {
            stock::detach(server.bind(py), slf.as_any())?;
        }
        closed
    }
}

#[pymethods]
impl SocketTransport {
    /// Begin: `extra` is what get_extra_info() knows.
    #[pyo3(signature = (event_loop, socket, protocol, waiter, extra, server))]
    fn _begin(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
        socket: &Bound<'_, PyAny>,
        protocol: &Bound<'_, PyAny>,
        waiter: Option<Py<PyAny>>,
        extra: Py<PyDict>,
        server: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let fd = socket
            .call_method0(intern!(slf.py(), "fileno"))?
            .extract()?;
        {
            let mut state = slf.get().state.lock(slf.py());
            if state.stream.is_open() {
                return Err(PyRuntimeError::new_err("the transport has begun already"));
            }
            state.stream.open(fd, Some(socket.clone().unbind()));
            state.extra = Some(extra);
        }
        let parts = Parts {
            event_loop,
            protocol,
            waiter,
            server,
        };
        Self::begin(slf, parts)
    }

    /// Close the transport. Follows asyncio.BaseTransport.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::close_transport(slf)
    }

    /// Close the transport immediately; buffered data is lost. Follows
    /// asyncio.WriteTransport.
    fn abort(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::_force_close(slf, slf.py().None())
    }

    /// Return True if the transport is closing or closed.
    fn is_closing(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::flush_now(slf)?;
        Ok(slf.get().is(slf.py(), Flag::Closing))
    }

    /// Close at once because of an exception, or None.
    fn _force_close(slf: &Bound<'_, Self>, exception: Py<PyAny>) -> PyResult<()> {
        if slf.get().state.lock(slf.py()).lost > 0 {
            return Ok(());
        }
        Self::flush_now(slf)?;
        {
            let mut state = slf.get().state.lock(slf.py());
            if state.lost > 0 {
                return Ok(());
            }
            state.lost += 1;
            state.set(Flag::Closing, true);
        }
        Self::drop_unsent(slf)?;
        Self::stop_reading(slf)?;
        Self::end_soon(slf, exception)
    }

    /// Close the socket of a transport that everybody has forgotten.
    fn _abandon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let owned = Self::stream(slf, Stream::take);
        owned.close(slf.py())
    }

    fn _call_connection_lost(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::connection_lost(slf, exception)
    }
}
