//! A connection's end.

use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::{EventLoop, Flag, Handle, SocketTransport, Step, stock};
use crate::core::registrations::Role;
use crate::py::dispatch::call::Call;
use crate::py::support::context;
use crate::py::support::error::ends_the_loop;
use crate::py::support::make;
use crate::py::transport::stream;

impl SocketTransport {
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
        Self::stop_reading(slf);
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
            return this.schedule(py, Call::Socket(slf.clone().unbind(), Step::End));
        }
        let ends = slf.getattr(intern!(py, "_call_connection_lost"))?.unbind();
        let args = make::tuple(py, [exception.into_bound(py)])?.unbind();
        let handle = Py::new(py, Handle::create(&event_loop, ends, args, None)?)?;
        this.schedule(py, Call::Handle(handle))
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
                Self::report(
                    event_loop,
                    ends,
                    make::tuple(py, [reason.into_bound(py)])?,
                    error,
                )
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
        let (fd, owned, event_loop, server, rest, (reads, writes)) = {
            let mut state = slf.get().state.lock(slf.py());
            state.lost = state.lost.max(1);
            if state.extra.is_none() && !state.local.is_known() {
                // Somebody may ask for it later.
                let local = stream::local_address(&state.stream).unwrap_or_default();
                state.local = local.into();
            }
            let watched = (state.is(Flag::Reading), state.stream.buffer.is_watched());
            state.set(Flag::Reading, false);
            state.stream.buffer.watch(false);
            let rest = (
                state.stream.protocol.take(),
                state.context.take(),
                state.write_context.take(),
                state.tls.take(),
                state.stream.buffer.take(),
            );
            (
                state.stream.fd,
                state.stream.take(),
                state.event_loop.take(),
                state.server.take(),
                rest,
                watched,
            )
        };
        // Somebody else who had the socket may have closed it, and the number be another's.
        if let Some(event_loop) = event_loop {
            let this = event_loop.bind(py).get();
            for (role, watched) in [(Role::Read, reads), (Role::Write, writes)] {
                if watched {
                    drop(this.unwatch(fd, &[role]));
                }
            }
            this.transports.remove(fd, slf.as_any());
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
        Self::drop_unsent(slf);
        Self::stop_reading(slf);
        Self::end_soon(slf, exception)
    }

    /// Close the socket of a transport that everybody has forgotten.
    fn _abandon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (owned, server) = {
            let mut state = slf.get().state.lock(py);
            (state.stream.take(), state.server.take())
        };
        let closed = owned.close(py);
        if let Some(server) = server.filter(|_| cfg!(Py_3_13)) {
            stock::detach(server.bind(py), slf.as_any())?;
        }
        closed
    }

    fn _call_connection_lost(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::connection_lost(slf, exception)
    }
}
