//! The native half of Twisted's stream transports: TCP and UNIX connections.
//!
//! Twisted's own classes stand behind it in the bases and do what is rare. What
//! they keep in attributes is here, under the same names, so that their code works
//! on it; what is read rarely (the socket object, the log string) is made when it
//! is first asked for.

mod attributes;
mod lifetime;
mod transfer;

use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};

use super::Reactor;
use crate::core::fifo::Fifo;
use crate::core::lock::{lock, try_lock};
use crate::core::registrations::Role;
use crate::core::stream::SendQueue;
use crate::core::sys::socket;

pub use attributes::{address, fileno};
pub use lifetime::Accepted;
pub use transfer::{Direct, flush};

/// Twisted's `FileDescriptor.bufferSize`.
const BUFFER_SIZE: usize = 64 * 1024;

/// What a transport is or does, one bit each.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(super) enum Flag {
    Connected = 1,
    Disconnected = 1 << 1,
    Disconnecting = 1 << 2,
    WriteDisconnecting = 1 << 3,
    WriteDisconnected = 1 << 4,
    StreamingProducer = 1 << 5,
    ProducerPaused = 1 << 6,
    Tls = 1 << 7,
    /// In the loop's list of those that have something to send.
    Unsent = 1 << 8,
    /// Watched as a writer: sending goes on when the socket takes more.
    Writing = 1 << 9,
    /// Nothing is sent but by `doWrite`.
    Corked = 1 << 10,
    /// Nothing is sent any more.
    Aborting = 1 << 11,
    /// Sending has failed, which the system tells only once.
    Broken = 1 << 12,
    /// Descriptors may come with the data.
    Unix = 1 << 13,
    /// Nobody has methods of their own for what is done natively.
    Native = 1 << 14,
    /// The class has a `doWrite` of its own: nothing is sent but by that.
    OwnWrite = 1 << 15,
}

/// The native half of a stream transport; see Twisted's `tcp.Connection`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct StreamTransport {
    state: Mutex<State>,
}

struct State {
    /// -1: closed.
    fd: RawFd,
    /// See `Flag`.
    flags: u16,
    buffer_size: usize,
    queue: SendQueue<PyBackedBytes>,
    /// The socket object, once there is one: then it owns the descriptor.
    socket: Option<Py<PyAny>>,
    protocol: Option<Py<PyAny>>,
    producer: Option<Py<PyAny>>,
    reactor: Option<Py<PyAny>>,
    /// The reactor's native core, unless the reactor has methods of its own.
    core: Option<Py<Reactor>>,
    logstr: Option<Py<PyAny>>,
    /// The port that accepted this connection, and its number there.
    server: Option<Py<PyAny>>,
    session: u64,
    /// The class of the protocol it was made for, and where the port listened.
    origin: Option<(Py<PyType>, Py<PyAny>)>,
    peer: Option<std::net::SocketAddr>,
    /// `doRead` and `doWrite` that were set on the object.
    methods: [Option<Py<PyAny>>; 2],
    /// A `logPrefix` that was set on the object.
    log_prefix: Option<Py<PyAny>>,
}

impl State {
    fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u16 != 0
    }

    /// Whether nothing is sent but by `doWrite`.
    fn sends_by_method(&self) -> bool {
        let [_, own] = &self.methods;
        self.is(Flag::Corked) || self.is(Flag::OwnWrite) || own.is_some()
    }

    /// Whether the producer has to be asked for more when everything is sent.
    fn resumes_producer(&self) -> bool {
        !self.is(Flag::StreamingProducer) || self.is(Flag::ProducerPaused)
    }

    fn set(&mut self, flag: Flag, on: bool) {
        if on {
            self.flags |= flag as u16;
        } else {
            self.flags &= !(flag as u16);
        }
    }
}

fn missing(name: &str) -> PyErr {
    PyAttributeError::new_err(name.to_owned())
}

impl StreamTransport {
    /// Whether the flag is set.
    fn is(&self, flag: Flag) -> bool {
        lock(&self.state).is(flag)
    }

    fn set(&self, flag: Flag, on: bool) {
        lock(&self.state).set(flag, on);
    }

    /// The core of the reactor, if its methods for descriptors are the native ones.
    fn core(&self, py: Python<'_>) -> Option<Py<Reactor>> {
        lock(&self.state)
            .core
            .as_ref()
            .map(|core| core.clone_ref(py))
    }

    /// The descriptor, -1 if there is none. A socket object that somebody else
    /// has closed has none, whatever its number was.
    ///
    /// # Errors
    /// Whatever the socket object raises.
    pub fn fd(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        let (fd, socket) = {
            let state = lock(&slf.get().state);
            let socket = state
                .socket
                .as_ref()
                .map(|socket| socket.clone_ref(slf.py()));
            (state.fd, socket)
        };
        match socket {
            Some(socket) => attributes::fileno(socket.bind(slf.py())),
            None => Ok(fd),
        }
    }

    /// Calls the reactor's method for a role, its native one if it can be.
    fn watch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        match slf.get().core(slf.py()) {
            Some(core) => Reactor::watch(core.bind(slf.py()), slf.as_any(), role, false),
            None => attributes::ask_reactor(slf, role, true),
        }
    }

    fn unwatch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        match slf.get().core(slf.py()) {
            Some(core) => {
                core.get().unwatch(slf.as_any(), role);
                Ok(())
            }
            None => attributes::ask_reactor(slf, role, false),
        }
    }
}

impl Drop for StreamTransport {
    fn drop(&mut self) {
        let state = lock(&self.state);
        if state.fd >= 0 && state.socket.is_none() {
            socket::close(state.fd);
        }
    }
}

#[pymethods]
#[allow(non_snake_case)]
impl StreamTransport {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        StreamTransport {
            state: Mutex::new(State {
                fd: -1,
                flags: 0,
                buffer_size: BUFFER_SIZE,
                queue: SendQueue::default(),
                socket: None,
                protocol: None,
                producer: None,
                reactor: None,
                core: None,
                logstr: None,
                server: None,
                session: 0,
                origin: None,
                peer: None,
                methods: [None, None],
                log_prefix: None,
            }),
        }
    }

    // Reading and writing

    /// Read what is there and hand it to the protocol. Follows IReadDescriptor.
    ///
    /// An attribute, since Twisted's transports set their own for a while.
    #[getter]
    fn get_doRead<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::method(slf, Role::Read)
    }

    #[setter]
    fn set_doRead(&self, method: Py<PyAny>) {
        attributes::set_method(self, Role::Read, Some(method));
    }

    #[deleter]
    fn delete_doRead(&self) {
        attributes::set_method(self, Role::Read, None);
    }

    fn _doRead<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        transfer::read(slf)
    }

    /// Hand data to the protocol; end the connection if there is none.
    fn _dataReceived<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        transfer::received(slf, data)
    }

    /// Send what waits. Follows IWriteDescriptor. See `doRead`.
    #[getter]
    fn get_doWrite<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::method(slf, Role::Write)
    }

    #[setter]
    fn set_doWrite(&self, method: Py<PyAny>) {
        attributes::set_method(self, Role::Write, Some(method));
    }

    #[deleter]
    fn delete_doWrite(&self) {
        attributes::set_method(self, Role::Write, None);
    }

    fn _doWrite<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        transfer::write_ready(slf)
    }

    /// Send data in order, as soon as the peer takes it. Follows ITransport.
    ///
    /// What one callback writes is sent together at its end.
    fn write(slf: &Bound<'_, Self>, bytes: &Bound<'_, PyAny>) -> PyResult<()> {
        transfer::write(slf, bytes)
    }

    /// Send several pieces of data in order. Follows ITransport.
    fn writeSequence(slf: &Bound<'_, Self>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
        transfer::write_sequence(slf, iovec)
    }

    /// `write`, past the TLS layer.
    fn _writePlain(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        transfer::write_plain(slf, data)
    }

    /// `writeSequence`, past the TLS layer.
    fn _writeSequencePlain(slf: &Bound<'_, Self>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
        transfer::write_sequence_plain(slf, iovec)
    }

    /// Forget the first `count` bytes of what waits: they were sent otherwise.
    fn _consume(&self, count: usize) {
        let mut sent = Fifo::default();
        lock(&self.state).queue.consume(count, &mut sent);
        drop(sent);
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
        transfer::start_writing(slf)
    }

    /// Send no longer.
    fn stopWriting(slf: &Bound<'_, Self>) -> PyResult<()> {
        transfer::stop_writing(slf)
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

    fn _closeSocket(slf: &Bound<'_, Self>, orderly: bool) -> PyResult<()> {
        lifetime::close_socket(slf, orderly)
    }

    // The socket

    /// The descriptor, -1 if there is none.
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        StreamTransport::fd(slf)
    }

    /// The socket object. Follows ISystemHandle.
    fn getHandle<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::socket(slf)
    }

    /// The own end's address as the socket module has it.
    fn _sockname<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::sockname(slf)
    }

    /// The peer's address as the socket module has it; None if not known.
    fn _peername<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let peer = lock(&self.state).peer;
        peer.map(|peer| attributes::address(py, &peer)).transpose()
    }

    /// The class of the protocol that a port's connection was made for, and the
    /// number where the port listened; None if no port's native code made it.
    fn _origin(&self, py: Python<'_>) -> Option<(Py<PyType>, Py<PyAny>)> {
        let state = lock(&self.state);
        let (class, port) = state.origin.as_ref()?;
        Some((class.clone_ref(py), port.clone_ref(py)))
    }

    fn _getOption(slf: &Bound<'_, Self>, level: i32, name: i32) -> PyResult<i32> {
        let fd = attributes::open_fd(slf)?;
        socket::option(fd, level, name).map_err(crate::py::error::os_error)
    }

    fn _setOption(slf: &Bound<'_, Self>, level: i32, name: i32, value: i32) -> PyResult<()> {
        let fd = attributes::open_fd(slf)?;
        socket::set_option(fd, level, name, value).map_err(crate::py::error::os_error)
    }

    #[getter]
    fn get_socket<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::socket(slf)
    }

    #[setter]
    fn set_socket(slf: &Bound<'_, Self>, socket: &Bound<'_, PyAny>) -> PyResult<()> {
        attributes::adopt(slf, socket)
    }

    #[deleter]
    fn delete_socket(&self) -> PyResult<()> {
        let socket = {
            let mut state = lock(&self.state);
            if state.socket.is_none() {
                return Err(missing("socket"));
            }
            state.fd = -1;
            state.socket.take()
        };
        drop(socket);
        Ok(())
    }

    // Objects

    #[getter]
    fn get_protocol(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let protocol = state.protocol.as_ref().ok_or_else(|| missing("protocol"))?;
        Ok(protocol.clone_ref(py))
    }

    #[setter]
    fn set_protocol(slf: &Bound<'_, Self>, protocol: Py<PyAny>) -> PyResult<()> {
        attributes::set_protocol(slf, protocol)
    }

    #[deleter]
    fn delete_protocol(&self) -> PyResult<()> {
        let protocol = lock(&self.state).protocol.take();
        protocol.map(drop).ok_or_else(|| missing("protocol"))
    }

    #[getter]
    fn get_producer(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = lock(&self.state);
        state
            .producer
            .as_ref()
            .map(|producer| producer.clone_ref(py))
    }

    #[setter]
    fn set_producer(&self, producer: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut lock(&self.state).producer, producer);
        drop(before);
    }

    #[getter]
    fn get_reactor(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let reactor = state.reactor.as_ref().ok_or_else(|| missing("reactor"))?;
        Ok(reactor.clone_ref(py))
    }

    #[setter]
    fn set_reactor(&self, reactor: &Bound<'_, PyAny>) {
        attributes::set_reactor(self, reactor);
    }

    #[getter]
    fn get_server(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let server = state.server.as_ref().ok_or_else(|| missing("server"))?;
        Ok(server.clone_ref(py))
    }

    #[setter]
    fn set_server(&self, server: Py<PyAny>) {
        let before = lock(&self.state).server.replace(server);
        drop(before);
    }

    #[getter]
    fn get_sessionno(&self) -> u64 {
        lock(&self.state).session
    }

    #[setter]
    fn set_sessionno(&self, session: u64) {
        lock(&self.state).session = session;
    }

    /// What the log's messages about this connection begin with. See `doRead`.
    #[getter]
    fn get_logPrefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let own = lock(&slf.get().state)
            .log_prefix
            .as_ref()
            .map(|own| own.clone_ref(slf.py()));
        match own {
            Some(own) => Ok(own.into_bound(slf.py())),
            None => slf.getattr(pyo3::intern!(slf.py(), "_logPrefix")),
        }
    }

    #[setter]
    fn set_logPrefix(&self, method: Py<PyAny>) {
        let before = lock(&self.state).log_prefix.replace(method);
        drop(before);
    }

    fn _logPrefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr(pyo3::intern!(slf.py(), "logstr"))
    }

    #[getter]
    fn get_logstr<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::logstr(slf)
    }

    #[setter]
    fn set_logstr(&self, logstr: Py<PyAny>) {
        let before = lock(&self.state).logstr.replace(logstr);
        drop(before);
    }

    // What waits to be sent, as FileDescriptor shows it

    #[getter]
    fn get_dataBuffer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let unsent = lock(&self.state).queue.to_vec();
        PyBytes::new(py, &unsent)
    }

    #[setter]
    fn set_dataBuffer(&self, data: Bound<'_, PyBytes>) {
        let mut queue = SendQueue::default();
        let empty = queue.push(PyBackedBytes::from(data));
        let before = std::mem::replace(&mut lock(&self.state).queue, queue);
        drop((before, empty));
    }

    #[getter(_tempDataLen)]
    fn get_temp_data_len(&self) -> usize {
        0
    }

    // FileDescriptor's constructor sets both; there is nothing to be set.
    #[setter(_tempDataLen)]
    fn set_temp_data_len(&self, _len: Py<PyAny>) {}

    #[getter(_tempDataBuffer)]
    fn get_temp_data_buffer<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let unsent = lock(&self.state).queue.to_vec();
        let chunks = (!unsent.is_empty()).then(|| PyBytes::new(py, &unsent));
        chunks.into_iter().collect()
    }

    #[setter(_tempDataBuffer)]
    fn set_temp_data_buffer(&self, _buffer: Py<PyAny>) {}

    #[getter]
    fn get_bufferSize(&self) -> usize {
        lock(&self.state).buffer_size
    }

    #[setter]
    fn set_bufferSize(&self, size: usize) {
        lock(&self.state).buffer_size = size;
    }

    // Flags

    #[getter]
    fn get_connected(&self) -> bool {
        self.is(Flag::Connected)
    }

    #[setter]
    fn set_connected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Connected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_disconnected(&self) -> bool {
        self.is(Flag::Disconnected)
    }

    #[setter]
    fn set_disconnected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Disconnected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_disconnecting(&self) -> bool {
        self.is(Flag::Disconnecting)
    }

    #[setter]
    fn set_disconnecting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Disconnecting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_writeDisconnecting)]
    fn get_write_disconnecting(&self) -> bool {
        self.is(Flag::WriteDisconnecting)
    }

    #[setter(_writeDisconnecting)]
    fn set_write_disconnecting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::WriteDisconnecting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_writeDisconnected)]
    fn get_write_disconnected(&self) -> bool {
        self.is(Flag::WriteDisconnected)
    }

    #[setter(_writeDisconnected)]
    fn set_write_disconnected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::WriteDisconnected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_streamingProducer(&self) -> bool {
        self.is(Flag::StreamingProducer)
    }

    #[setter]
    fn set_streamingProducer(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::StreamingProducer, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_producerPaused(&self) -> bool {
        self.is(Flag::ProducerPaused)
    }

    #[setter]
    fn set_producerPaused(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::ProducerPaused, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_TLS(&self) -> bool {
        self.is(Flag::Tls)
    }

    #[setter]
    fn set_TLS(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Tls, on.is_truthy()?);
        Ok(())
    }

    #[getter(_aborting)]
    fn get_aborting(&self) -> bool {
        self.is(Flag::Aborting)
    }

    #[setter(_aborting)]
    fn set_aborting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Aborting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_unix)]
    fn get_unix(&self) -> bool {
        self.is(Flag::Unix)
    }

    #[setter(_unix)]
    fn set_unix(&self, on: bool) {
        self.set(Flag::Unix, on);
    }

    #[getter(_corked)]
    fn get_corked(&self) -> bool {
        self.is(Flag::Corked)
    }

    #[setter(_corked)]
    fn set_corked(&self, on: bool) {
        self.set(Flag::Corked, on);
    }

    // The collector

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = try_lock(&self.state) else {
            return Ok(());
        };
        visit.call(&state.socket)?;
        visit.call(&state.protocol)?;
        visit.call(&state.producer)?;
        visit.call(&state.reactor)?;
        visit.call(&state.core)?;
        visit.call(&state.logstr)?;
        visit.call(&state.server)?;
        if let Some((class, port)) = &state.origin {
            visit.call(class)?;
            visit.call(port)?;
        }
        visit.call(&state.log_prefix)?;
        let [read, write] = &state.methods;
        visit.call(read)?;
        visit.call(write)
    }

    fn __clear__(&self) {
        let held = {
            let mut state = lock(&self.state);
            // The socket object stays: it owns the descriptor and holds nothing.
            [
                state.protocol.take(),
                state.producer.take(),
                state.reactor.take(),
                state.logstr.take(),
                state.log_prefix.take(),
                state.server.take(),
            ]
        };
        drop(held);
        let held = {
            let mut state = lock(&self.state);
            let methods = std::mem::take(&mut state.methods);
            (state.core.take(), methods, state.origin.take())
        };
        drop(held);
    }
}
