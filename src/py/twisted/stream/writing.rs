//! Writing: what is sent when, and what follows when everything is sent.
//!
//! What a callback writes is sent at the end of the turn, or sooner if it is much: the
//! loop keeps a list of the transports that have something unsent. Only what the socket
//! doesn't take, and what needs more than sending, waits for it to be writable.

use std::sync::MutexGuard;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use super::attributes::twisted;
use super::own::Name;
use super::{Flag, Reason, State, StreamTransport, reason};
use crate::core::fifo::Fifo;
use crate::core::lock::lock;
use crate::core::registrations::Role;
use crate::core::stream::send_queue::SendQueue;
use crate::core::stream::write_buffer::HOLD;
use crate::py::dispatch::unflushed::Unflushed;

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
        None => {
            state.own.note(Name::DataBuffer as u32);
            written(slf, state)
        }
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
    state.own.note(Name::DataBuffer as u32);
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
        && let Some(core) = state.core()
    {
        let core = core.bind(py).clone();
        // A producer is paused by what was written, sent or not.
        let much = full || state.producer.is_none() && state.queue.len() >= HOLD;
        if much && !state.sends_by_method() {
            let sent;
            (sent, state) = send(slf, state)?;
            if !sent || !state.queue.is_empty() {
                drop(state);
                return ask_to_write(slf);
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
        core.get().event_loop().note_unflushed(
            slf.py(),
            Unflushed::Stream(slf.clone().unbind()),
            bytes,
        );
        return Ok(());
    }
    drop(state);
    // Again, as somebody may have removed it.
    ask_to_write(slf)
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
        return ask_to_write(slf);
    }
    let (sent, state) = send(slf, state)?;
    let more = !sent
        || !state.queue.is_empty()
        || state.producer.is_some() && state.resumes_producer()
        || state.is(Flag::Disconnecting)
        || state.is(Flag::WriteDisconnecting) && !state.is(Flag::WriteDisconnected);
    drop(state);
    // A failure is told when the socket is writable, and ends the connection then.
    if more { ask_to_write(slf) } else { Ok(()) }
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

/// Calls `doWrite`, the native one without a detour.
///
/// # Errors
/// Those of `doWrite`.
pub fn write_directly<'py>(object: &Bound<'py, PyAny>) -> Reason<'py> {
    if let Ok(stream) = object.cast::<StreamTransport>() {
        let state = lock(&stream.get().state);
        if state.is_direct() && !state.sends_by_method() {
            drop(state);
            return write_ready(stream);
        }
    }
    object
        .call_method0(intern!(object.py(), "doWrite"))
        .map(Some)
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
    let native = slf.get().is_native();
    if native {
        stop_writing(slf)?;
    } else {
        slf.call_method0(intern!(py, "stopWriting"))?;
    }
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
    if native && disconnecting {
        return reason(slf, "CONNECTION_DONE");
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

/// Calls `startWriting`, a class's own one if it has one.
fn ask_to_write(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    if slf.get().is_native() {
        return start_writing(slf);
    }
    slf.call_method0(intern!(slf.py(), "startWriting"))?;
    Ok(())
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
