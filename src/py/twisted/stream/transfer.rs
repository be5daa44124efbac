//! Reading and writing: what happens for each message.
//!
//! What a callback writes is sent when it ends, whichever callback it is: the loop
//! keeps a list of the transports that have something unsent. Only what the socket
//! doesn't take, and what needs more than sending, waits for it to be writable.

use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::sync::MutexGuard;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use super::attributes::twisted;
use super::{BUFFER_SIZE, Flag, State, StreamTransport};
use crate::core::fifo::Fifo;
use crate::core::lock::lock;
use crate::core::registrations::Role;
use crate::core::stream::SendQueue;
use crate::core::sys::socket as sys;
use crate::py::twisted::Reactor;
use crate::py::twisted::transports::{self, READ_SIZE};

type Reason<'py> = PyResult<Option<Bound<'py, PyAny>>>;

/// A reason of Twisted's for the end of a connection.
fn reason<'py>(slf: &Bound<'py, StreamTransport>, name: &str) -> Reason<'py> {
    twisted(slf, name).map(Some)
}

/// A transport whose events take the short way, as it is at one moment.
pub struct Direct<'a, 'py> {
    stream: &'a Bound<'py, StreamTransport>,
    protocol: Bound<'py, PyAny>,
    /// What the log's messages begin with.
    pub prefix: Bound<'py, PyAny>,
    fd: RawFd,
    size: usize,
}

impl<'a, 'py> Direct<'a, 'py> {
    /// The short way to `object`: for a native transport that is connected, with
    /// nobody's own methods, socket object or descriptors in the way.
    pub fn to(object: &'a Bound<'py, PyAny>) -> Option<Direct<'a, 'py>> {
        let (stream, py) = (object.cast::<StreamTransport>().ok()?, object.py());
        let state = lock(&stream.get().state);
        let ways = Flag::Native as u16 | Flag::Connected as u16;
        let detours = ways | Flag::Unix as u16 | Flag::Tls as u16;
        let direct = state.flags & detours == ways
            && state.socket.is_none()
            && state.log_prefix.is_none()
            && state.methods.iter().all(Option::is_none);
        if !direct {
            return None;
        }
        Some(Direct {
            stream,
            protocol: state.protocol.as_ref()?.bind(py).clone(),
            prefix: state.logstr.as_ref()?.bind(py).clone(),
            fd: state.fd,
            size: state.buffer_size,
        })
    }

    /// Reads once, and hands over what came; also says whether that was as much as
    /// could be.
    ///
    /// # Errors
    /// What the protocol raises.
    pub fn read(&self, reactor: &Reactor) -> PyResult<(Option<Bound<'py, PyAny>>, bool)> {
        let py = self.stream.py();
        match reactor.receive(py, self.fd, limit(self.size)) {
            Ok(data) => {
                let full = data.as_bytes().len() == READ_SIZE;
                Ok((deliver(self.stream, &self.protocol, &data)?, full))
            }
            Err(error) => Ok((failed(self.stream, &error)?, false)),
        }
    }
}

/// Larger reads than Twisted's mean fewer of them, unless somebody wants another size.
fn limit(size: usize) -> Option<usize> {
    (size != BUFFER_SIZE).then_some(size)
}

fn failed<'py>(slf: &Bound<'py, StreamTransport>, error: &std::io::Error) -> Reason<'py> {
    if error.kind() == ErrorKind::WouldBlock {
        return Ok(None);
    }
    reason(slf, "CONNECTION_LOST")
}

/// Reads once, and hands over what came.
///
/// # Errors
/// What the protocol raises.
pub fn read<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let py = slf.py();
    let (size, core, unix) = {
        let state = lock(&slf.get().state);
        let core = state.core.as_ref().map(|core| core.bind(py).clone());
        (state.buffer_size, core, state.is(Flag::Unix))
    };
    let fd = StreamTransport::fd(slf)?;
    if unix {
        return read_unix(slf, fd, size);
    }
    let data = match &core {
        Some(core) => core.get().receive(py, fd, limit(size)),
        None => transports::receive(py, fd, &mut vec![0; size.min(READ_SIZE)]),
    };
    match data {
        Ok(data) => slf
            .call_method1(intern!(py, "_dataReceived"), (data,))
            .map(Some),
        Err(error) => failed(slf, &error),
    }
}

/// Reads once from a UNIX socket, with the descriptors that may come along.
fn read_unix<'py>(slf: &Bound<'py, StreamTransport>, fd: RawFd, size: usize) -> Reason<'py> {
    let py = slf.py();
    let mut buffer = vec![0; size.min(READ_SIZE)];
    let (count, descriptors) = match sys::receive_descriptors(fd, &mut buffer) {
        Ok(received) => received,
        Err(error) => return failed(slf, &error),
    };
    if !descriptors.is_empty() {
        let packed: Vec<u8> = descriptors.into_iter().flat_map(i32::to_ne_bytes).collect();
        let name = intern!(py, "_ancillaryLevelSOLSOCKETTypeSCMRIGHTS");
        slf.call_method1(name, (PyBytes::new(py, &packed),))?;
    }
    let data = PyBytes::new(py, buffer.get(..count).unwrap_or_default());
    slf.call_method1(intern!(py, "_dataReceived"), (data,))
        .map(Some)
}

/// Hands data to the protocol; `None` or nothing is the end.
///
/// # Errors
/// What the protocol raises.
pub fn received<'py>(slf: &Bound<'py, StreamTransport>, data: &Bound<'py, PyAny>) -> Reason<'py> {
    let py = slf.py();
    if !data.is_truthy()? {
        return ended(slf);
    }
    let protocol = slf.get().get_protocol(py)?;
    protocol.call_method1(py, intern!(py, "dataReceived"), (data,))?;
    Ok(None)
}

fn deliver<'py>(
    slf: &Bound<'py, StreamTransport>,
    protocol: &Bound<'py, PyAny>,
    data: &Bound<'py, PyBytes>,
) -> Reason<'py> {
    if data.as_bytes().is_empty() {
        return ended(slf);
    }
    protocol.call_method1(intern!(slf.py(), "dataReceived"), (data,))?;
    Ok(None)
}

/// Why a connection that has nothing more to read ends.
fn ended<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let name = if slf.get().is(Flag::Broken) {
        "CONNECTION_LOST"
    } else {
        "CONNECTION_DONE"
    };
    reason(slf, name)
}

/// What is written. Of a subclass only the bytes are kept: an instance could hold the
/// transport, or run code when it is dropped.
fn bytes(data: &Bound<'_, PyAny>) -> PyResult<PyBackedBytes> {
    let data = match data.cast::<PyBytes>() {
        Ok(data) if data.is_exact_instance_of::<PyBytes>() => data.clone(),
        Ok(data) => PyBytes::new(data.py(), data.as_bytes()),
        Err(_) => return Err(PyTypeError::new_err("Data must be bytes")),
    };
    Ok(PyBackedBytes::from(data))
}

/// Calls a method of the TLS layer, as long as there is a connection.
fn through_tls(
    slf: &Bound<'_, StreamTransport>,
    method: &Bound<'_, PyString>,
    data: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if slf.get().is(Flag::Connected) {
        let protocol = slf.get().get_protocol(slf.py())?;
        protocol.bind(slf.py()).call_method1(method, (data,))?;
    }
    Ok(())
}

/// Writes, through the TLS layer if there is one.
///
/// # Errors
/// `TypeError` for anything but bytes.
pub fn write(slf: &Bound<'_, StreamTransport>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let state = lock(&slf.get().state);
    if state.is(Flag::Tls) {
        drop(state);
        return through_tls(slf, intern!(slf.py(), "write"), data);
    }
    push(slf, state, bytes(data)?)
}

/// Writes several pieces, through the TLS layer if there is one.
///
/// # Errors
/// `TypeError` for anything but bytes.
pub fn write_sequence(slf: &Bound<'_, StreamTransport>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
    if slf.get().is(Flag::Tls) {
        return through_tls(slf, intern!(slf.py(), "writeSequence"), iovec);
    }
    write_sequence_plain(slf, iovec)
}

/// Writes to the socket.
///
/// # Errors
/// `TypeError` for anything but bytes; what a producer's pause raises.
pub fn write_plain(slf: &Bound<'_, StreamTransport>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let data = bytes(data)?;
    push(slf, lock(&slf.get().state), data)
}

fn push<'a>(
    slf: &'a Bound<'_, StreamTransport>,
    mut state: MutexGuard<'a, State>,
    data: PyBackedBytes,
) -> PyResult<()> {
    if !is_writable(&state) {
        drop(state);
        return Ok(());
    }
    match state.queue.push(data) {
        None => written(slf, state),
        Some(empty) => {
            drop(state);
            drop(empty);
            Ok(())
        }
    }
}

/// Writes several pieces to the socket; nothing if one of them isn't bytes.
///
/// # Errors
/// As `write_plain`.
pub fn write_sequence_plain(
    slf: &Bound<'_, StreamTransport>,
    iovec: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let mut pieces = SendQueue::default();
    let mut empty = Vec::new();
    for piece in iovec.try_iter()? {
        empty.extend(pieces.push(bytes(&piece?)?));
    }
    // Pieces of nothing count: a pull producer that writes them is asked again.
    if pieces.is_empty() && empty.is_empty() {
        return Ok(());
    }
    let mut state = lock(&slf.get().state);
    if !is_writable(&state) {
        return Ok(());
    }
    state.queue.append(pieces);
    written(slf, state)
}

fn is_writable(state: &State) -> bool {
    state.is(Flag::Connected) && !state.is(Flag::WriteDisconnected)
}

/// Something was written: pauses the producer if that is too much, and sees to it
/// that it is sent.
fn written<'a>(
    slf: &'a Bound<'_, StreamTransport>,
    mut state: MutexGuard<'a, State>,
) -> PyResult<()> {
    let py = slf.py();
    let full = state.queue.len() > state.buffer_size;
    if full && state.is(Flag::StreamingProducer) && state.producer.is_some() {
        state.set(Flag::ProducerPaused, true);
        let producer = state
            .producer
            .as_ref()
            .map(|producer| producer.clone_ref(py));
        drop(state);
        if let Some(producer) = producer {
            producer.call_method0(py, intern!(py, "pauseProducing"))?;
        }
        state = lock(&slf.get().state);
    }
    if state.is(Flag::Aborting) {
        return Ok(());
    }
    if !state.is(Flag::Writing)
        && let Some(core) = &state.core
    {
        let core = core.bind(py).clone();
        if full && !state.sends_by_method() {
            // Not held: it would only leave the processor's cache.
            let sent;
            (sent, state) = send(slf, state)?;
            if !sent || !state.queue.is_empty() {
                drop(state);
                return start_writing(slf);
            }
        }
        // Even if everything is sent: what has to follow that, does when this
        // callback has ended.
        if state.is(Flag::Unsent) {
            return Ok(());
        }
        let bytes = state.queue.len().max(1);
        state.set(Flag::Unsent, true);
        drop(state);
        core.get()
            .event_loop()
            .add_unsent(slf.clone().unbind(), bytes);
        return Ok(());
    }
    drop(state);
    // Again, as somebody may have removed it.
    start_writing(slf)
}

/// Sends what a callback has written. A transport that can't be watched for more is
/// disconnected: it is no business of the callback, nor of the other transports.
pub fn flush(slf: &Bound<'_, StreamTransport>) {
    let py = slf.py();
    let (Err(error), Some(core)) = (try_flush(slf), slf.get().core(py)) else {
        return;
    };
    let core = core.bind(py).get();
    let error = error.into_value(py);
    // Reports can't fail, and if they do there is nobody to tell.
    drop(core.report(py, "selectable", (error, py.None())));
    let lost = twisted(slf, "CONNECTION_LOST");
    if let Err(error) = lost.and_then(|lost| core.disconnect(slf.as_any(), &lost, false)) {
        drop(core.report(py, "selectable", (error.into_value(py), py.None())));
    }
}

fn try_flush(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let mut state = lock(&slf.get().state);
    if !state.is(Flag::Unsent) {
        return Ok(());
    }
    state.set(Flag::Unsent, false);
    if state.is(Flag::Writing) || state.is(Flag::Aborting) || !state.is(Flag::Connected) {
        return Ok(());
    }
    if state.sends_by_method() {
        drop(state);
        return start_writing(slf);
    }
    let (sent, state) = send(slf, state)?;
    let more = !sent
        || !state.queue.is_empty()
        || state.producer.is_some() && state.resumes_producer()
        || state.is(Flag::Disconnecting)
        || state.is(Flag::WriteDisconnecting) && !state.is(Flag::WriteDisconnected);
    drop(state);
    // A failure is told when the socket is writable, and ends the connection then.
    if more { start_writing(slf) } else { Ok(()) }
}

/// Sends what the socket takes; false: sending has failed. Python objects are
/// dropped with no lock held.
fn send<'a>(
    slf: &'a Bound<'_, StreamTransport>,
    mut state: MutexGuard<'a, State>,
) -> PyResult<(bool, MutexGuard<'a, State>)> {
    if state.is(Flag::Broken) {
        return Ok((false, state));
    }
    let mut fd = state.fd;
    if state.socket.is_some() {
        drop(state);
        fd = StreamTransport::fd(slf)?;
        state = lock(&slf.get().state);
    }
    let mut queue = std::mem::take(&mut state.queue);
    drop(state);
    let mut sent = Fifo::default();
    let outcome = queue.send(fd, &mut sent);
    let failed = outcome.is_err_and(|error| error.raw_os_error() != Some(libc::ENOBUFS));
    drop(sent);
    let mut state = lock(&slf.get().state);
    let later = std::mem::replace(&mut state.queue, queue);
    state.queue.append(later);
    state.set(Flag::Broken, failed);
    Ok((!failed, state))
}

/// The socket is writable: sends, and if nothing is left does what waited for that.
///
/// # Errors
/// What a producer raises.
pub fn write_ready<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let py = slf.py();
    let (sent, state) = send(slf, lock(&slf.get().state))?;
    let empty = state.queue.is_empty();
    let ended = empty && state.is(Flag::WriteDisconnected);
    drop(state);
    // Twisted's own transports find that out by sending nothing.
    if !sent || ended {
        return reason(slf, "CONNECTION_LOST");
    }
    if !empty {
        return Ok(None);
    }
    slf.call_method0(intern!(py, "stopWriting"))?;
    let (producer, disconnecting, half) = {
        let mut state = lock(&slf.get().state);
        let resumes = state.resumes_producer();
        let producer = state.producer.as_ref().filter(|_| resumes);
        let producer = producer.map(|producer| producer.clone_ref(py));
        if producer.is_some() {
            state.set(Flag::ProducerPaused, false);
        }
        let disconnecting = state.is(Flag::Disconnecting);
        let half = !disconnecting && state.is(Flag::WriteDisconnecting);
        if half && producer.is_none() {
            state.set(Flag::WriteDisconnected, true);
        }
        (producer, disconnecting, half)
    };
    if let Some(producer) = producer {
        producer.call_method0(py, intern!(py, "resumeProducing"))?;
        return Ok(None);
    }
    let method = if disconnecting {
        intern!(py, "_postLoseConnection")
    } else if half {
        intern!(py, "_closeWriteConnection")
    } else {
        return Ok(None);
    };
    slf.call_method0(method).map(Some)
}

/// Watches for the socket to be writable.
///
/// # Errors
/// Those of `addWriter`.
pub fn start_writing(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    StreamTransport::watch(slf, Role::Write)?;
    slf.get().set(Flag::Writing, true);
    Ok(())
}

/// Watches for that no longer.
///
/// # Errors
/// Those of `removeWriter`.
pub fn stop_writing(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    {
        let mut state = lock(&slf.get().state);
        state.set(Flag::Writing, false);
        // Whoever asks for this keeps what was written, until it is asked for again.
        state.set(Flag::Unsent, false);
    }
    StreamTransport::unwatch(slf, Role::Write)
}
