//! Reading: what happens when something comes.

use crate::py::support::make;
use crate::py::support::make::Said;
use std::convert::Infallible;
use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use mio::Token;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::{EventLoop, Flag, SocketTransport, Step, stock};
use crate::core::interest::Readiness;
use crate::core::registrations::Role;
use crate::py::asyncio::tls::{self, Tls};
use crate::py::dispatch::call::Call;
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::{context, error};
use crate::py::transport::read_buffer::READ_SIZE;
use crate::py::transport::reading::{self, Event, Reader, Received, Room};
use crate::py::transport::stream::{self, Face, Stream};

const RECEIVE_FAILED: &str = "Fatal error: protocol.data_received() call failed.";
const BUFFER_FAILED: &str = "Fatal error: protocol.get_buffer() call failed.";
const UPDATE_FAILED: &str = "Fatal error: protocol.buffer_updated() call failed.";
const READ_FAILED: &str = "Fatal read error on socket transport";

impl SocketTransport {
    /// Watches for input. What comes is reported once, since it is read to its end.
    pub(super) fn start_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::watch(slf, Role::Read)?;
        slf.get().state.lock(slf.py()).set(Flag::Reading, true);
        Ok(())
    }

    /// Watches for input no longer.
    pub(super) fn stop_reading(slf: &Bound<'_, Self>) {
        let reads = {
            let mut state = slf.get().state.lock(slf.py());
            let reads = state.is(Flag::Reading);
            state.set(Flag::Reading, false);
            reads
        };
        if reads {
            Self::unwatch(slf, Role::Read);
        }
    }

    pub(super) fn watch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        let py = slf.py();
        let Some(event_loop) = slf.get().event_loop(py) else {
            return Ok(());
        };
        let fd = stream::fd(slf)?;
        let watcher = Watcher::Socket(slf.clone().unbind()).into();
        let trigger = slf.get().state.lock(py).trigger();
        let displaced = event_loop
            .get()
            .watch(fd, &watcher, &[role], &[], trigger)?;
        drop(displaced);
        Ok(())
    }

    pub(super) fn unwatch(slf: &Bound<'_, Self>, role: Role) {
        // By the number under which it was watched, whatever has become of that.
        let fd = Self::stream(slf, |stream| stream.fd);
        if let Some(event_loop) = slf.get().event_loop(slf.py()) {
            drop(event_loop.get().unwatch(fd, &[role]));
        }
    }

    /// The descriptor is ready: reads and writes as far as the event says so.
    pub(super) fn ready(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
        token: Token,
        readiness: Readiness,
    ) -> PyResult<()> {
        let py = slf.py();
        let (context, reads) = {
            let state = slf.get().state.lock(slf.py());
            let context = state.context.as_ref().map(|context| context.clone_ref(py));
            let polls = event_loop.get().polls.load(Ordering::Relaxed);
            (context, state.is(Flag::Reading) && state.resumed != polls)
        };
        let Some(context) = context else {
            return Ok(());
        };
        // As Python's own selectors have it, errors and hang-ups wake both directions.
        let event = Event {
            event_loop,
            token,
            readiness,
        };
        let writes = readiness.is_writable() || readiness.is_disconnected();
        if reads && (readiness.is_readable() || readiness.is_disconnected()) {
            let read = context::run_in(py, &context, || {
                slf.get().state.lock(py).set(Flag::OwnContext, true);
                let read = reading::read(slf, &event, None);
                slf.get().state.lock(py).set(Flag::OwnContext, false);
                read
            });
            if read.is_err() && writes {
                // Two callbacks on asyncio's own loop: the second one isn't lost.
                let step = Step::Ready(token, Readiness::WRITABLE);
                let call = Call::Socket(slf.clone().unbind(), step);
                return read.and(event_loop.get().schedule(slf.py(), call));
            }
            read?;
        }
        // In a child that reading has forked the parent writes.
        if writes && !event_loop.get().is_parents() {
            Self::write_ready_in_its_context(slf, context)
        } else {
            Ok(())
        }
    }

    /// Sends, in the context of the write that had to wait.
    fn write_ready_in_its_context(slf: &Bound<'_, Self>, own: Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        let context = {
            let state = slf.get().state.lock(py);
            if !state.stream.buffer.is_watched() {
                return Ok(());
            }
            let context = state.write_context.as_ref();
            context.map_or(own, |context| context.clone_ref(py))
        };
        context::run_in(py, &context, || Self::write_ready(slf))
    }

    /// What a `BufferedProtocol` wants to have filled; `None` if it has none, which ends the
    /// connection.
    fn memory<'py>(
        slf: &Bound<'py, Self>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let buffer = protocol.call_method1(intern!(py, "get_buffer"), (-1,));
        let buffer = buffer.and_then(|buffer| match buffer.len()? {
            0 => {
                let message = "get_buffer() returned an empty buffer";
                Err(PyRuntimeError::new_err(Said(message)))
            }
            _ => Ok(buffer),
        });
        match buffer {
            Ok(buffer) => Ok(Some(buffer)),
            Err(error) => {
                Self::fatal(slf, error, BUFFER_FAILED)?;
                Ok(None)
            }
        }
    }

    /// The peer sends no more.
    fn ended(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::log_in_debug(slf, "%r received EOF")?;
        let keeps_open = protocol
            .call_method0(intern!(slf.py(), "eof_received"))
            .and_then(|keeps_open| keeps_open.is_truthy());
        match keeps_open {
            Ok(true) => {
                Self::stop_reading(slf);
                Ok(())
            }
            Ok(false) => Self::close_transport(slf),
            Err(error) => {
                let message = "Fatal error: protocol.eof_received() call failed.";
                Self::fatal(slf, error, message)
            }
        }
    }
}

impl Face for SocketTransport {
    /// asyncio's transports see to their end themselves.
    type End<'py> = Infallible;

    #[inline]
    fn stream<R>(slf: &Bound<'_, Self>, look: impl FnOnce(&mut Stream) -> R) -> R {
        look(&mut slf.get().state.lock(slf.py()).stream)
    }

    fn reader<'py>(
        slf: &Bound<'py, Self>,
        _event: &Event<'_, 'py>,
    ) -> PyResult<Option<Reader<'py>>> {
        let fd = match stream::fd(slf) {
            Ok(fd) => fd,
            Err(error) => return Self::fatal(slf, error, READ_FAILED).map(|()| None),
        };
        let (protocol, buffered, tls) = {
            let state = slf.get().state.lock(slf.py());
            if state.lost > 0 || !state.is(Flag::Reading) {
                return Ok(None);
            }
            let Some(protocol) = &state.stream.protocol else {
                return Ok(None);
            };
            let tls = state.tls.as_ref().map(|tls| tls.bind(slf.py()).clone());
            let protocol = protocol.bind(slf.py()).clone();
            (protocol, state.is(Flag::Buffered), tls)
        };
        let room = match tls {
            Some(tls) if tls.get().takes(slf.py()) => Room::Lent,
            // With TLS: by somebody's own methods.
            tls if buffered || tls.is_some() => match Self::memory(slf, &protocol)? {
                Some(memory) => Room::Memory(memory),
                None => return Ok(None),
            },
            _ => Room::Bytes(READ_SIZE),
        };
        Ok(Some(Reader {
            protocol,
            fd,
            once: matches!(room, Room::Memory(_)),
            room,
        }))
    }

    fn take(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        match slf.get().tls(slf.py()) {
            Some(tls) => tls.get().take(slf.py(), data),
            None => Ok(()),
        }
    }

    fn received<'py>(
        slf: &Bound<'py, Self>,
        reader: &Reader<'py>,
        received: Received<'py>,
    ) -> PyResult<Option<Infallible>> {
        let (py, protocol) = (slf.py(), &reader.protocol);
        let (outcome, message) = match received {
            Received::Taken => match slf.get().tls(py) {
                Some(tls) => (Tls::taken(&tls), UPDATE_FAILED),
                None => return Ok(None),
            },
            Received::Data(data) => (
                protocol
                    .call_method1(intern!(py, "data_received"), (data,))
                    .map(drop),
                RECEIVE_FAILED,
            ),
            Received::Filled(count) => (
                protocol
                    .call_method1(intern!(py, "buffer_updated"), (make::Unsigned(count),))
                    .map(drop),
                UPDATE_FAILED,
            ),
            // Not asked for: it comes as data alone.
            Received::Ancillary(_, data) => (
                protocol
                    .call_method1(intern!(py, "data_received"), (data,))
                    .map(drop),
                RECEIVE_FAILED,
            ),
            Received::End => return Self::ended(slf, protocol).map(|()| None),
            Received::Failed(error) => (Err(error::os_error(error)), READ_FAILED),
            Received::Refused(error) => (Err(Self::refusal(slf, reader, error)?), READ_FAILED),
        };
        match outcome {
            Ok(()) => Ok(None),
            Err(error) => Self::fatal(slf, error, message).map(|()| None),
        }
    }
}

impl SocketTransport {
    fn tls<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Tls>> {
        let state = self.state.lock(py);
        state.tls.as_ref().map(|tls| tls.bind(py).clone())
    }

    /// The error of memory that can't be read into, as Python's own method words it.
    fn refusal(slf: &Bound<'_, Self>, reader: &Reader<'_>, error: PyErr) -> PyResult<PyErr> {
        let (Room::Memory(memory), Some(socket)) = (&reader.room, stream::socket(slf)?) else {
            return Ok(error);
        };
        let outcome = socket.call_method1(intern!(slf.py(), "recv_into"), (memory,));
        Ok(outcome.err().unwrap_or(error))
    }
}

#[pymethods]
impl SocketTransport {
    /// Return True if the transport is receiving data. Follows asyncio.ReadTransport.
    fn is_reading(&self, py: Python<'_>) -> bool {
        self.state.lock(py).is_reading()
    }

    /// Pause the receiving end; idempotent. Follows asyncio.ReadTransport.
    fn pause_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut state = slf.get().state.lock(slf.py());
            if !state.is_reading() {
                return Ok(());
            }
            state.set(Flag::Paused, true);
        }
        Self::stop_reading(slf);
        Self::log_in_debug(slf, "%r pauses reading")
    }

    /// Resume the receiving end; idempotent. Follows asyncio.ReadTransport.
    fn resume_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let context = context::copy_current(slf.py())?;
        let before = {
            let mut state = slf.get().state.lock(slf.py());
            if state.is(Flag::Closing) || !state.is(Flag::Paused) {
                return Ok(());
            }
            state.set(Flag::Paused, false);
            if let Some(event_loop) = &state.event_loop {
                state.resumed = event_loop.get().polls.load(Ordering::Relaxed);
            }
            state.context.replace(context)
        };
        drop(before);
        Self::start_reading(slf)?;
        Self::log_in_debug(slf, "%r resumes reading")
    }

    /// Set a new protocol. Follows asyncio.BaseTransport.
    pub(super) fn set_protocol(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        let tls = tls::attach(protocol)?.map(Bound::unbind);
        // Read natively, as for a protocol without memory of its own.
        let buffered =
            tls.is_none() && protocol.is_instance(stock::buffered_protocol_class(slf.py())?)?;
        let (before, watch) = {
            let mut state = slf.get().state.lock(slf.py());
            let watch = buffered && state.is(Flag::Reading) && !state.is(Flag::Buffered);
            state.set(Flag::Buffered, buffered);
            let protocol = state.stream.protocol.replace(protocol.clone().unbind());
            ((protocol, std::mem::replace(&mut state.tls, tls)), watch)
        };
        drop(before);
        // Level-triggered from now on.
        if watch {
            Self::watch(slf, Role::Read)
        } else {
            Ok(())
        }
    }
}
