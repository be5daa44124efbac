//! A stream transport's methods, as Twisted's interfaces name them.

use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::own::Name;
use super::{StreamTransport, attributes, lifetime, overrides, reading, reason, writing};
use crate::core::fifo::Fifo;
use crate::core::registrations::Role;
use crate::core::sys::sockets as socket;
use crate::py::support::error;
use crate::py::support::make;
use crate::py::transport::addresses::address;

#[pymethods]
#[allow(non_snake_case)]
impl StreamTransport {
    // Reading and writing

    /// `doRead`: read what is there and hand it to the protocol. Follows IReadDescriptor.
    fn _doRead<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        reading::read(slf)
    }

    /// Hand data to the protocol; end the connection if there is none.
    fn _dataReceived<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        reading::received(slf, data)
    }

    /// `doWrite`: send what waits. Follows IWriteDescriptor.
    fn _doWrite<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        writing::write_ready(slf)
    }

    /// Send data in order, as soon as the peer takes it. Follows ITransport.
    ///
    /// What one iteration writes is sent together at its end, or sooner if it is much.
    fn write(slf: &Bound<'_, Self>, bytes: &Bound<'_, PyAny>) -> PyResult<()> {
        writing::write(slf, bytes)
    }

    /// Send several pieces of data in order. Follows ITransport.
    fn writeSequence(slf: &Bound<'_, Self>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
        writing::write_sequence(slf, iovec)
    }

    /// `write`, past the TLS layer.
    fn _writePlain(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        writing::write_plain(slf, data)
    }

    /// `writeSequence`, past the TLS layer.
    fn _writeSequencePlain(slf: &Bound<'_, Self>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
        writing::write_sequence_plain(slf, iovec)
    }

    /// Whether a method or a socket of somebody's own has to send what waits.
    fn _sendsByOwn(&self, py: Python<'_>) -> bool {
        let own = Name::WriteSomeData as u32 | Name::Socket as u32;
        self.state.lock(py).own.any(own)
    }

    /// What is to be sent first, and how much of it is sent already: the chunk that was
    /// written, if `limit` bytes of it wait, or else so many bytes of several.
    fn _toSend<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let (chunk, first) = {
            let state = self.state.lock(py);
            let buffer = &state.stream.buffer;
            let large = buffer
                .front()
                .filter(|(chunk, sent)| chunk.len() - sent >= limit);
            let chunk = large.map(|(chunk, sent)| (chunk.object(py), sent));
            (chunk, limit.min(buffer.len()))
        };
        Ok(match chunk {
            Some((chunk, sent)) => (chunk, sent),
            None => (self.copy_of_unsent(py, first)?, 0),
        })
    }

    /// Forget the first `count` bytes of what waits: they were sent otherwise. Tells
    /// whether more waits.
    fn _consume(&self, py: Python<'_>, count: usize) -> bool {
        let mut sent = Fifo::default();
        let more = {
            let mut state = self.state.lock(py);
            state.own.note(Name::DataBuffer as u32);
            state.stream.buffer.consume(count, &mut sent);
            !state.stream.buffer.is_empty()
        };
        drop(sent);
        more
    }

    /// Watch for input.
    fn startReading(slf: &Bound<'_, Self>) -> PyResult<()> {
        StreamTransport::watch(slf, Role::Read)
    }

    /// Watch for input no longer.
    fn stopReading(slf: &Bound<'_, Self>) -> PyResult<()> {
        StreamTransport::unwatch(slf, Role::Read)
    }

    /// Send what waits when the socket takes it.
    fn startWriting(slf: &Bound<'_, Self>) -> PyResult<()> {
        writing::start_writing(slf)
    }

    /// Send no longer.
    fn stopWriting(slf: &Bound<'_, Self>) -> PyResult<()> {
        writing::stop_writing(slf)
    }

    // The end

    /// End the connection once everything is sent. Follows ITransport.
    fn loseConnection(slf: &Bound<'_, Self>) -> PyResult<()> {
        lifetime::lose_connection(slf)
    }

    /// End the connection and tell the protocol. Follows tcp.Connection.
    fn connectionLost(slf: &Bound<'_, Self>, reason: &Bound<'_, PyAny>) -> PyResult<()> {
        lifetime::connection_lost(slf, reason)
    }

    /// Everything is sent after a `loseConnection`. Returns the reason for the end.
    fn _postLoseConnection<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        reason(slf, "CONNECTION_DONE")
    }

    fn _closeSocket(slf: &Bound<'_, Self>, orderly: bool) -> PyResult<()> {
        lifetime::close_socket(slf, orderly)
    }

    // The socket

    /// Somebody has changed a class's methods.
    #[staticmethod]
    fn _classesChanged() {
        overrides::classes_changed();
    }

    /// Ask the class which methods of its own it has, once it is changed.
    fn _lookAtClass(slf: &Bound<'_, Self>) -> PyResult<()> {
        overrides::look_at_class(slf)
    }

    /// The descriptor, -1 if there is none.
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        attributes::settle(slf);
        StreamTransport::fd(slf)
    }

    /// The socket object. Follows ISystemHandle.
    fn getHandle<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::socket(slf)
    }

    /// Do without the socket object, if nobody else has it.
    fn _takeOver(slf: &Bound<'_, Self>) -> PyResult<()> {
        attributes::take_over(slf)
    }

    /// The own end's address as the socket module has it.
    fn _sockname<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::sockname(slf)
    }

    /// The peer's address as the socket module has it; None if not known.
    fn _peername<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let peer = self.state.lock(py).stream.peer.get();
        let peer = peer.map(|peer| address(py, &peer)).transpose()?;
        Ok(peer.map(Bound::into_any))
    }

    /// The class of the protocol that a port's connection was made for, and the
    /// number where the port listened; None if no port's native code made it.
    fn _origin(&self, py: Python<'_>) -> Option<(Py<PyType>, Py<PyAny>)> {
        let state = self.state.lock(py);
        let (class, port) = state.origin.as_ref()?;
        Some((class.clone_ref(py), port.clone_ref(py)))
    }

    fn _getOption(slf: &Bound<'_, Self>, level: i32, name: i32) -> PyResult<Py<PyAny>> {
        if let Some(own) = slf.get().own(slf.py(), Name::Socket) {
            let option = own.call_method1(intern!(slf.py(), "getsockopt"), (level, name))?;
            return Ok(option.unbind());
        }
        let fd = attributes::open_fd(slf)?;
        let option = socket::option(fd, level, name).map_err(error::os_error)?;
        Ok(make::signed(slf.py(), option)?.into_any().unbind())
    }

    fn _setOption(slf: &Bound<'_, Self>, level: i32, name: i32, value: i32) -> PyResult<()> {
        if let Some(own) = slf.get().own(slf.py(), Name::Socket) {
            let value = make::signed(slf.py(), value)?;
            own.call_method1(intern!(slf.py(), "setsockopt"), (level, name, value))?;
            return Ok(());
        }
        let fd = attributes::open_fd(slf)?;
        socket::set_option(fd, level, name, value).map_err(error::os_error)
    }
}
