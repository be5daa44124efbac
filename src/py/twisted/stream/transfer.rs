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
use pyo3::types::PyBytes;

use super::{BUFFER_SIZE, Flag, State, StreamTransport};
use crate::core::lock::lock;
use crate::core::registrations::Role;
use crate::core::stream::SendQueue;
use crate::core::sys::socket as sys;
use crate::py::twisted::Reactor;

type Reason<'py> = PyResult<Option<Bound<'py, PyAny>>>;

/// A reason of Twisted's for the end of a connection.
fn reason<'py>(slf: &Bound<'py, StreamTransport>, name: &str) -> Reason<'py> {
    let py = slf.py();
    match slf.get().core(py) {
        Some(core) => core.bind(py).get().reason(py, name).map(Some),
        None => Ok(Some(py.import("twisted.internet.main")?.getattr(name)?)),
    }
}

/// Reads once, and hands over what came.
///
/// # Errors
/// What the protocol raises.
pub fn read<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let py = slf.py();
    let (size, core, native) = {
        let state = lock(&slf.get().state);
        let core = state.core.as_ref().map(|core| core.bind(py).clone());
        (state.buffer_size, core, state.is(Flag::Native))
    };
    let fd = StreamTransport::fd(slf)?;
    if slf.get().is(Flag::Unix) {
        return read_unix(slf, fd, size);
    }
    let data = match &core {
        // Larger reads than Twisted's mean fewer of them.
        Some(core) => core.get().receive(
            py,
            fd,
            if size == BUFFER_SIZE {
                None
            } else {
                Some(size)
            },
        ),
        None => Reactor::receive_into(py, fd, &mut vec![0; size]),
    };
    match data {
        Ok(data) if native => received(slf, data.as_any()),
        Ok(data) => slf
            .call_method1(intern!(py, "_dataReceived"), (data,))
            .map(Some),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(_) => reason(slf, "CONNECTION_LOST"),
    }
}

/// Reads once from a UNIX socket, with the descriptors that may come along.
fn read_unix<'py>(slf: &Bound<'py, StreamTransport>, fd: RawFd, size: usize) -> Reason<'py> {
    let py = slf.py();
    let mut buffer = vec![0; size];
    let (count, descriptors) = match sys::receive_descriptors(fd, &mut buffer) {
        Ok(received) => received,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(_) => return reason(slf, "CONNECTION_LOST"),
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

/// Hands data to the protocol.
///
/// # Errors
/// What the protocol raises.
pub fn received<'py>(slf: &Bound<'py, StreamTransport>, data: &Bound<'py, PyAny>) -> Reason<'py> {
    let py = slf.py();
    if data.is_none() || data.len()? == 0 {
        let broken = slf.get().is(Flag::Broken);
        return reason(
            slf,
            if broken {
                "CONNECTION_LOST"
            } else {
                "CONNECTION_DONE"
            },
        );
    }
    let protocol = slf.get().get_protocol(py)?;
    protocol
        .bind(py)
        .call_method1(intern!(py, "dataReceived"), (data,))?;
    Ok(None)
}

fn bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    match data.cast::<PyBytes>() {
        Ok(data) => Ok(data.clone()),
        Err(_) => Err(PyTypeError::new_err("Data must be bytes")),
    }
}

/// The protocol that a TLS transport's data goes through, if it is one.
fn tls_layer<'py>(
    slf: &Bound<'py, StreamTransport>,
) -> PyResult<Option<(bool, Bound<'py, PyAny>)>> {
    let connected = {
        let state = lock(&slf.get().state);
        if !state.is(Flag::Tls) {
            return Ok(None);
        }
        state.is(Flag::Connected)
    };
    if !connected {
        return Ok(Some((false, slf.py().None().into_bound(slf.py()))));
    }
    let protocol = slf.get().get_protocol(slf.py())?;
    Ok(Some((true, protocol.into_bound(slf.py()))))
}

/// Writes, through the TLS layer if there is one.
///
/// # Errors
/// `TypeError` for anything but bytes.
pub fn write(slf: &Bound<'_, StreamTransport>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    match tls_layer(slf)? {
        None => write_plain(slf, data),
        Some((connected, layer)) => {
            if connected {
                layer.call_method1(intern!(slf.py(), "write"), (data,))?;
            }
            Ok(())
        }
    }
}

/// Writes several pieces, through the TLS layer if there is one.
///
/// # Errors
/// `TypeError` for anything but bytes.
pub fn write_sequence(slf: &Bound<'_, StreamTransport>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
    match tls_layer(slf)? {
        None => write_sequence_plain(slf, iovec),
        Some((connected, layer)) => {
            if connected {
                layer.call_method1(intern!(slf.py(), "writeSequence"), (iovec,))?;
            }
            Ok(())
        }
    }
}

/// Writes to the socket.
///
/// # Errors
/// `TypeError` for anything but bytes; what a producer's pause raises.
pub fn write_plain(slf: &Bound<'_, StreamTransport>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let data = PyBackedBytes::from(bytes(data)?);
    let mut state = lock(&slf.get().state);
    if !is_writable(&state) {
        return Ok(());
    }
    match state.queue.push(data) {
        None => written(slf, state),
        Some(_empty) => Ok(()),
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
        empty.extend(pieces.push(PyBackedBytes::from(bytes(&piece?)?)));
    }
    if pieces.is_empty() {
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
    let unsent = state.is(Flag::Unsent);
    if !state.is(Flag::Writing)
        && let Some(core) = &state.core
    {
        if unsent && !full {
            return Ok(());
        }
        let core = core.bind(py).clone();
        state.set(Flag::Unsent, true);
        drop(state);
        if unsent {
            // So that it isn't held while the callback goes on.
            return flush(slf);
        }
        core.get().event_loop().add_unsent(slf.clone().unbind());
        return Ok(());
    }
    drop(state);
    // Again, as somebody may have removed it.
    start_writing(slf)
}

/// Sends what a callback has written, now that it has ended.
///
/// # Errors
/// None, unless a reactor of somebody's own raises.
pub fn flush(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let corked = {
        let mut state = lock(&slf.get().state);
        state.set(Flag::Unsent, false);
        if state.is(Flag::Writing) || state.is(Flag::Aborting) || !state.is(Flag::Connected) {
            return Ok(());
        }
        state.is(Flag::Corked)
    };
    // A failure is told when the socket is writable, and ends the connection then.
    if corked || !send(slf)? {
        return start_writing(slf);
    }
    let more = {
        let state = lock(&slf.get().state);
        !state.queue.is_empty()
            || state.producer.is_some() && state.resumes_producer()
            || state.is(Flag::Disconnecting)
            || state.is(Flag::WriteDisconnecting) && !state.is(Flag::WriteDisconnected)
    };
    if more {
        start_writing(slf)?;
    }
    Ok(())
}

/// Sends what the socket takes; false: sending has failed. Python objects are
/// dropped with no lock held.
fn send(slf: &Bound<'_, StreamTransport>) -> PyResult<bool> {
    let fd = StreamTransport::fd(slf)?;
    let mut queue = {
        let mut state = lock(&slf.get().state);
        if state.is(Flag::Broken) {
            return Ok(false);
        }
        std::mem::take(&mut state.queue)
    };
    let mut sent = Vec::new();
    let outcome = queue.send(fd, &mut sent);
    let failed = outcome.is_err_and(|error| error.raw_os_error() != Some(libc::ENOBUFS));
    {
        let mut state = lock(&slf.get().state);
        let later = std::mem::replace(&mut state.queue, queue);
        state.queue.append(later);
        state.set(Flag::Broken, failed);
    }
    drop(sent);
    Ok(!failed)
}

/// The socket is writable: sends, and if nothing is left does what waited for that.
///
/// # Errors
/// What a producer raises.
pub fn write_ready<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let py = slf.py();
    if !send(slf)? {
        return reason(slf, "CONNECTION_LOST");
    }
    if !lock(&slf.get().state).queue.is_empty() {
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
    slf.get().set(Flag::Writing, false);
    StreamTransport::unwatch(slf, Role::Write)
}
