//! Reading: what happens when something comes.

use std::io::{self, ErrorKind};

use mio::Token;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{EventLoop, Flag, SocketTransport, Step, stock};
use crate::core::interest::Readiness;
use crate::core::lock::lock;
use crate::core::registrations::Role;
use crate::core::stream::read_budget::{Extent, ReadBudget};
use crate::core::sys::{Trigger, sockets as socket};
use crate::py::dispatch::call::Call;
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::{context, error};
use crate::py::transport::buffers;
use crate::py::transport::read_buffer::{self, READ_SIZE};

const READ_FAILED: &str = "Fatal read error on socket transport";

/// What a read has given.
enum Received<'py> {
    Data(Bound<'py, PyBytes>, Extent),
    /// So many bytes in the protocol's own buffer.
    Filled(usize, Extent),
    Nothing,
    End,
    Failed(PyErr, &'static str),
}

/// One event of a transport's descriptor.
struct Event<'a, 'py> {
    transport: &'a Bound<'py, SocketTransport>,
    event_loop: &'a Bound<'py, EventLoop>,
    token: Token,
    readiness: Readiness,
}

impl SocketTransport {
    /// Watches for input. What comes is reported once, since it is read to its end.
    pub(super) fn start_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::watch(slf, Role::Read)?;
        lock(&slf.get().state).set(Flag::Reading, true);
        Ok(())
    }

    /// Watches for input no longer.
    pub(super) fn stop_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let reads = {
            let mut state = lock(&slf.get().state);
            let reads = state.is(Flag::Reading);
            state.set(Flag::Reading, false);
            reads
        };
        if reads {
            Self::unwatch(slf, Role::Read)
        } else {
            Ok(())
        }
    }

    pub(super) fn watch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        let py = slf.py();
        let Some(event_loop) = slf.get().event_loop(py) else {
            return Ok(());
        };
        let fd = Self::fd(slf)?;
        let watcher = Watcher::Socket(slf.clone().unbind()).into();
        let displaced = event_loop
            .get()
            .watch(fd, &watcher, &[role], &[], Trigger::Edge)?;
        drop(displaced);
        Ok(())
    }

    pub(super) fn unwatch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        // By the number under which it was watched, whatever has become of that.
        let fd = lock(&slf.get().state).fd;
        if let Some(event_loop) = slf.get().event_loop(slf.py()) {
            drop(event_loop.get().unwatch(fd, &[role]));
        }
        Ok(())
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
            let state = lock(&slf.get().state);
            let context = state.context.as_ref().map(|context| context.clone_ref(py));
            (context, state.is(Flag::Reading))
        };
        let Some(context) = context else {
            return Ok(());
        };
        // As Python's own selectors have it, errors and hang-ups wake both directions.
        let event = Event {
            transport: slf,
            event_loop,
            token,
            readiness,
        };
        context::run_in(py, &context, || {
            let writes = readiness.is_writable() || readiness.is_disconnected();
            if reads && (readiness.is_readable() || readiness.is_disconnected()) {
                let read = event.read();
                if read.is_err() && writes {
                    // Two callbacks on asyncio's own loop: the second one isn't lost.
                    let step = Step::Ready(token, Readiness::WRITABLE);
                    event_loop
                        .get()
                        .schedule(Call::Socket(slf.clone().unbind(), step));
                }
                read?;
            }
            if writes {
                Self::write_ready(slf)
            } else {
                Ok(())
            }
        })
    }

    /// Reads on where the last iteration has left something.
    ///
    /// # Errors
    /// As `run`.
    pub fn read_on(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, EventLoop>,
        token: Token,
        readiness: Readiness,
    ) -> PyResult<()> {
        Self::run(slf, event_loop, Step::Ready(token, readiness))
    }
}

impl<'py> Event<'_, 'py> {
    /// Reads until there is nothing more, or others have waited long enough. What is left
    /// then, or may be, is read in the next iteration; that is seen to before anything is
    /// called, which may run the loop.
    fn read(&self) -> PyResult<()> {
        let slf = self.transport;
        let mut budget = ReadBudget::default();
        loop {
            let fd = SocketTransport::fd(slf)?;
            let (protocol, buffered) = {
                let state = lock(&slf.get().state);
                if state.lost > 0 || !state.is(Flag::Reading) {
                    return Ok(());
                }
                let Some(protocol) = &state.protocol else {
                    return Ok(());
                };
                (protocol.bind(slf.py()).clone(), state.is(Flag::Buffered))
            };
            let received = if buffered {
                self.receive_into(&protocol, fd)?
            } else {
                self.receive(fd)
            };
            let extent = match &received {
                Received::Data(_, extent) | Received::Filled(_, extent) => *extent,
                Received::Nothing => return Ok(()),
                Received::End => return self.end(&protocol),
                Received::Failed(..) => Extent::Part,
            };
            if budget.defers(extent, self.readiness.has_more()) {
                self.defer();
            }
            self.deliver(&protocol, received)?;
            if !budget.goes_on(extent) {
                return Ok(());
            }
        }
    }

    fn receive(&self, fd: i32) -> Received<'py> {
        match read_buffer::receive(self.transport.py(), fd, READ_SIZE) {
            Ok(data) => match data.as_bytes().len() {
                0 => Received::End,
                count => Received::Data(data, Extent::of(count, READ_SIZE, true)),
            },
            Err(error) => failed(error),
        }
    }

    /// Reads into the protocol's own buffer.
    fn receive_into(&self, protocol: &Bound<'py, PyAny>, fd: i32) -> PyResult<Received<'py>> {
        let py = self.transport.py();
        let refused =
            |error| Received::Failed(error, "Fatal error: protocol.get_buffer() call failed.");
        let buffer = match protocol.call_method1(intern!(py, "get_buffer"), (-1,)) {
            Ok(buffer) => buffer,
            Err(error) => return Ok(refused(error)),
        };
        match buffer.len() {
            Ok(0) => {
                let empty = PyRuntimeError::new_err("get_buffer() returned an empty buffer");
                return Ok(refused(empty));
            }
            Ok(_) => {}
            Err(error) => return Ok(refused(error)),
        }
        let outcome = buffers::with_memory(&buffer, |memory| {
            (socket::receive(fd, memory), memory.len())
        });
        Ok(match outcome {
            Ok((Ok(0), _)) => Received::End,
            Ok((Ok(count), room)) => Received::Filled(count, Extent::of(count, room, true)),
            Ok((Err(error), _)) => failed(error),
            // Python's own method words it.
            Err(error) => {
                let socket = SocketTransport::socket(self.transport)?;
                let outcome = socket.call_method1(intern!(py, "recv_into"), (&buffer,));
                Received::Failed(outcome.err().unwrap_or(error), READ_FAILED)
            }
        })
    }

    fn deliver(&self, protocol: &Bound<'py, PyAny>, received: Received<'py>) -> PyResult<()> {
        let py = self.transport.py();
        let (outcome, message) = match received {
            Received::Data(data, _) => (
                protocol.call_method1(intern!(py, "data_received"), (data,)),
                "Fatal error: protocol.data_received() call failed.",
            ),
            Received::Filled(count, _) => (
                protocol.call_method1(intern!(py, "buffer_updated"), (count,)),
                "Fatal error: protocol.buffer_updated() call failed.",
            ),
            Received::Failed(error, message) => (Err(error), message),
            Received::Nothing | Received::End => return Ok(()),
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => SocketTransport::fatal(self.transport, error, message),
        }
    }

    /// The peer sends no more.
    fn end(&self, protocol: &Bound<'py, PyAny>) -> PyResult<()> {
        let (slf, py) = (self.transport, self.transport.py());
        if self.event_loop.get().is_debug() {
            slf.call_method1(intern!(py, "_log"), ("%r received EOF",))?;
        }
        let keeps_open = protocol
            .call_method0(intern!(py, "eof_received"))
            .and_then(|keeps_open| keeps_open.is_truthy());
        match keeps_open {
            Ok(true) => SocketTransport::stop_reading(slf),
            Ok(false) => SocketTransport::close_transport(slf),
            Err(error) => {
                let message = "Fatal error: protocol.eof_received() call failed.";
                SocketTransport::fatal(slf, error, message)
            }
        }
    }

    /// Sees to it that the rest is read in the next iteration, unless the poll reports it
    /// anyway.
    fn defer(&self) {
        let event_loop = self.event_loop.get();
        let readiness = self.readiness.without_writable();
        if event_loop.with_registrations(|all| all.defer_read(self.token, readiness)) {
            event_loop.schedule(Call::ReadOn(self.token));
        }
    }
}

fn failed<'py>(error: io::Error) -> Received<'py> {
    if error.kind() == ErrorKind::WouldBlock {
        return Received::Nothing;
    }
    Received::Failed(error::os_error(error), READ_FAILED)
}

#[pymethods]
impl SocketTransport {
    /// Return True if the transport is receiving data. Follows asyncio.ReadTransport.
    fn is_reading(&self) -> bool {
        lock(&self.state).is_reading()
    }

    /// Pause the receiving end; idempotent. Follows asyncio.ReadTransport.
    fn pause_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut state = lock(&slf.get().state);
            if !state.is_reading() {
                return Ok(());
            }
            state.set(Flag::Paused, true);
        }
        Self::stop_reading(slf)?;
        Self::log_in_debug(slf, "%r pauses reading")
    }

    /// Resume the receiving end; idempotent. Follows asyncio.ReadTransport.
    fn resume_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let context = context::copy_current(slf.py())?;
        let before = {
            let mut state = lock(&slf.get().state);
            if state.is(Flag::Closing) || !state.is(Flag::Paused) {
                return Ok(());
            }
            state.set(Flag::Paused, false);
            state.context.replace(context)
        };
        drop(before);
        Self::start_reading(slf)?;
        Self::log_in_debug(slf, "%r resumes reading")
    }

    /// Set a new protocol. Follows asyncio.BaseTransport.
    pub(super) fn set_protocol(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        let buffered = protocol.is_instance(stock::buffered_protocol_class(slf.py())?)?;
        let before = {
            let mut state = lock(&slf.get().state);
            state.set(Flag::Buffered, buffered);
            state.protocol.replace(protocol.clone().unbind())
        };
        drop(before);
        Ok(())
    }
}
