//! A connection's beginning.

use crate::py::support::make::Said;
use std::net::SocketAddr;
use std::os::fd::{IntoRawFd, OwnedFd};

use crate::py::support::names::intern;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::{EventLoop, Flag, Handle, SocketTransport, Step, stock};
use crate::core::sys::sockets as sys;
use crate::py::dispatch::call::Call;
use crate::py::support::context;
use crate::py::support::error::{ends_the_loop, os_error};
use crate::py::support::make;

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
    /// A transport of class `class` for a connection that was just accepted, with its two
    /// ends: its own, if that is known, and the peer's. The current context becomes its own.
    ///
    /// # Errors
    /// What the server raises.
    pub fn accepted<'py>(
        class: &Bound<'py, PyType>,
        connection: OwnedFd,
        (local, peer): (Option<SocketAddr>, SocketAddr),
        parts: Parts<'_, 'py>,
    ) -> PyResult<()> {
        let made = class.call_method1(intern!(class.py(), "__new__"), (class,))?;
        let slf = made.cast::<SocketTransport>()?;
        {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.open(connection.into_raw_fd(), None);
            state.stream.peer = peer.into();
            state.local = local.into();
            state.set(Flag::Internet, true);
        }
        Self::begin(slf, parts)
    }

    /// Tells the protocol that there is a connection, and reads from the next iteration on.
    fn begin(slf: &Bound<'_, Self>, parts: Parts<'_, '_>) -> PyResult<()> {
        let py = slf.py();
        let event_loop = parts.event_loop;
        event_loop.get().check_open()?;
        let context = context::copy_current(py)?;
        Self::set_protocol(slf, parts.protocol)?;
        // Looked up now, as asyncio does: one who has none is told so, and not the loop.
        let made = parts.protocol.getattr(intern!(py, "connection_made"))?;
        if let Some(server) = parts.server {
            stock::attach(server, slf.as_any())?;
        }
        let (fd, before) = {
            let mut state = slf.get().state.lock(slf.py());
            state.number = state.stream.fd;
            let server = parts.server.map(|server| server.clone().unbind());
            let before = (
                state.event_loop.replace(event_loop.clone().unbind()),
                std::mem::replace(&mut state.server, server),
                state.context.replace(context),
                std::mem::replace(&mut state.waiter, parts.waiter),
                state.made.replace(made.clone().unbind()),
            );
            (state.number, before)
        };
        drop(before);
        let this = event_loop.get();
        this.transports.insert(fd, slf.as_any())?;
        if !this.is_debug() {
            return this.schedule(py, Call::Socket(slf.clone().unbind(), Step::Connect));
        }
        // There the handle is seen: in reports of slow callbacks, and with its traceback.
        let args = make::tuple(py, [slf.clone().into_any()])?;
        let handle = Handle::create(event_loop, made.unbind(), args.unbind(), None)?;
        this.schedule(py, Call::Handle(Py::new(py, handle)?))?;
        this.schedule(py, Call::Socket(slf.clone().unbind(), Step::Start))
    }

    /// Tells the protocol that there is a connection, and reads from then on.
    pub(super) fn connect(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (made, context) = {
            let mut state = slf.get().state.lock(py);
            let context = state
                .context
                .as_ref()
                .map(|context| context.bind(py).clone());
            (state.made.take(), context)
        };
        let (Some(made), Some(context)) = (made, context) else {
            return Ok(());
        };
        let made = made.into_bound(py);
        // One of its own, as each callback has.
        let context = context::copy(py, context.as_unbound())?;
        let told = context::run_in(py, &context, || made.call1((slf,)).map(drop));
        let told = match told {
            Err(error) if !ends_the_loop(py, &error) => {
                let args = make::tuple(py, [slf.clone().into_any()])?;
                Self::report(event_loop, made, args, error)
            }
            told => told,
        };
        if told.is_err() {
            // The loop ends, and goes on here when it runs again.
            let starts = Call::Socket(slf.clone().unbind(), Step::Start);
            return told.and(event_loop.get().schedule(py, starts));
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
            Err(error) => Self::unwatchable(slf, error),
        }
    }

    /// Ends a connection that the system can't watch. Reported always, as on asyncio's own
    /// loop, where it is a callback's error: the peer has no part in it.
    fn unwatchable(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let py = slf.py();
        let message = "Fatal error on transport";
        if error.is_instance_of::<PyOSError>(py) {
            slf.call_method1(intern!(py, "_report"), (error.value(py), message))?;
        }
        Self::fatal(slf, error, message)
    }
}

#[pymethods]
impl SocketTransport {
    /// Begin: `extra` is what get_extra_info() knows; `internet` says that it is TCP.
    #[pyo3(signature = (event_loop, socket, internet, protocol, waiter, extra, server))]
    #[allow(clippy::too_many_arguments)]
    fn _begin(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
        socket: &Bound<'_, PyAny>,
        internet: bool,
        protocol: &Bound<'_, PyAny>,
        waiter: Option<Py<PyAny>>,
        extra: Py<PyDict>,
        server: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let fd = socket
            .call_method0(intern!(slf.py(), "fileno"))?
            .extract()?;
        // Whatever calls itself a socket.
        sys::check_open(fd).map_err(os_error)?;
        {
            let mut state = slf.get().state.lock(slf.py());
            if state.stream.is_open() || state.number != -1 || state.extra.is_some() {
                return Err(PyRuntimeError::new_err(Said(
                    "the transport has begun already",
                )));
            }
            state.stream.open(fd, Some(socket.clone().unbind()));
            state.set(Flag::Internet, internet);
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
}
