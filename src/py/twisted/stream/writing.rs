//! Writing: what is sent when, and what follows when everything is sent.
//!
//! What one iteration writes is sent at its end, or sooner if it is much. Only what the
//! socket doesn't take, and what needs more than sending, waits for it to be writable.
//! `WriteBuffer` decides; here is done what it says.

use crate::py::support::make::Said;
use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::attributes::twisted;
use super::own::Name;
use super::{Flag, Reason, State, StreamTransport, attributes, reason};
use crate::core::fifo::Fifo;
use crate::core::registrations::Role;
use crate::core::stream::send_queue::SendQueue;
use crate::core::stream::write_buffer::late::{Next, Sender, Writable};
use crate::py::dispatch::unflushed::Unflushed;
use crate::py::support::error;
use crate::py::support::make;
use crate::py::transport::owned_bytes::OwnedBytes;
use crate::py::twisted::Reactor;

/// What is written. Of a subclass only the bytes are kept: an instance could hold the
/// transport, or run code when it is dropped.
fn bytes(data: &Bound<'_, PyAny>) -> PyResult<OwnedBytes> {
    let data = match data.cast::<PyBytes>() {
        Ok(data) if data.is_exact_instance_of::<PyBytes>() => data.clone(),
        Ok(data) => make::bytes(data.py(), data.as_bytes())?,
        Err(_) => return Err(PyTypeError::new_err(Said("Data must be bytes"))),
    };
    Ok(OwnedBytes::from(data))
}

/// Calls a method of the TLS layer, as long as there is a connection.
fn through_tls(
    slf: &Bound<'_, StreamTransport>,
    method: &Bound<'_, PyString>,
    data: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if slf.get().is(slf.py(), Flag::Connected) {
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
    if slf.get().is(slf.py(), Flag::Tls) {
        return through_tls(slf, intern!(slf.py(), "write"), data);
    }
    write_plain(slf, data)
}

/// Writes several pieces, through the TLS layer if there is one.
///
/// # Errors
/// `TypeError` for anything but bytes.
pub fn write_sequence(slf: &Bound<'_, StreamTransport>, iovec: &Bound<'_, PyAny>) -> PyResult<()> {
    if slf.get().is(slf.py(), Flag::Tls) {
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
    if data.is_empty() {
        return Ok(());
    }
    let mut data = Some(data);
    let mut state = slf.get().state.lock(slf.py());
    state.stream.buffer.make_room(1)?;
    let step = state.write(slf.py(), |state| {
        // It isn't empty, so nothing is handed back.
        data = data.take().and_then(|data| state.stream.buffer.push(data));
    });
    drop(state);
    perform(slf, step)
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
    let mut any = false;
    for piece in iovec.try_iter()? {
        pieces.make_room(1)?;
        drop(pieces.push(bytes(&piece?)?));
        any = true;
    }
    // Pieces of nothing count: a pull producer that writes them is asked again.
    if !any {
        return Ok(());
    }
    let mut state = slf.get().state.lock(slf.py());
    state.stream.buffer.make_room(pieces.chunks())?;
    let mut pieces = Some(pieces);
    let step = state.write(slf.py(), |state| {
        if let Some(pieces) = pieces.take() {
            state.stream.buffer.append(pieces);
        }
    });
    drop(state);
    perform(slf, step)
}

/// What has to be done, with no lock held.
enum Step {
    Nothing,
    /// Pause the producer, and go on.
    Pause(Py<PyAny>),
    Send,
    Watch,
    /// Note the transport for the end of the iteration, with so many bytes.
    Note(Py<Reactor>, usize),
}

impl State {
    /// Writes by `add`, if that is possible.
    fn write(&mut self, py: Python<'_>, add: impl FnOnce(&mut State)) -> Step {
        if !self.is(Flag::Connected) || self.is(Flag::WriteDisconnected) {
            return Step::Nothing;
        }
        self.own.note(Name::DataBuffer as u32);
        add(self);
        if self.stream.buffer.is_above()
            && self.is(Flag::StreamingProducer)
            && let Some(producer) = &self.producer
        {
            let producer = producer.clone_ref(py);
            self.set(Flag::ProducerPaused, true);
            return Step::Pause(producer);
        }
        self.written(py)
    }

    /// Something was written, and the producer paused if that is too much.
    fn written(&mut self, py: Python<'_>) -> Step {
        if self.is(Flag::Aborting) {
            return Step::Nothing;
        }
        let sender = self.sender();
        // A producer is paused by what was written, sent or not.
        let next = self.stream.buffer.added(sender, self.producer.is_some());
        self.step(py, next)
    }

    /// Who sends.
    fn sender(&self) -> Sender {
        match self.core() {
            None => Sender::OwnerAtOnce,
            Some(_) if self.sends_by_method() => Sender::Owner,
            Some(_) => Sender::Stream,
        }
    }

    fn step(&self, py: Python<'_>, next: Next) -> Step {
        match (next, self.core()) {
            (Next::Wait, _) => Step::Nothing,
            (Next::Send, _) => Step::Send,
            (Next::Note, Some(core)) => {
                Step::Note(core.clone_ref(py), self.stream.buffer.len().max(1))
            }
            (Next::Note, None) | (Next::Watch, _) => Step::Watch,
        }
    }

    /// The end of the iteration has come.
    fn noted(&mut self) -> Next {
        let sender = self.sender();
        let next = self.stream.buffer.noted(sender);
        if self.is(Flag::Aborting) || !self.is(Flag::Connected) {
            return Next::Wait;
        }
        next
    }

    /// Sends what the socket takes. What is left is `bytes`, whatever was set.
    fn send(&mut self, fd: RawFd, sent: &mut Fifo<OwnedBytes>) -> Writable {
        self.own.note(Name::DataBuffer as u32);
        self.stream.buffer.send_or_note(fd, sent)
    }

    /// Sends what the iteration has written.
    fn flush(&mut self, fd: RawFd, sent: &mut Fifo<OwnedBytes>) -> Next {
        let outcome = self.send(fd, sent);
        self.stream.buffer.flushed(outcome, self.pending().any())
    }
}

fn perform(slf: &Bound<'_, StreamTransport>, mut step: Step) -> PyResult<()> {
    let py = slf.py();
    loop {
        step = match step {
            Step::Nothing => return Ok(()),
            Step::Pause(producer) => {
                producer.call_method0(py, intern!(py, "pauseProducing"))?;
                slf.get().state.lock(py).written(py)
            }
            Step::Send => {
                let sent = send(slf)?;
                let mut state = slf.get().state.lock(py);
                let next = state.stream.buffer.sent_at_once(sent);
                state.step(py, next)
            }
            Step::Watch => return ask_to_write(slf),
            Step::Note(core, bytes) => {
                let event_loop = core.get().event_loop();
                let stream = Unflushed::Stream(slf.clone().unbind());
                if event_loop.note_unflushed(py, stream, bytes).is_err() {
                    flush(slf);
                }
                return Ok(());
            }
        }
    }
}

/// Sends what the iteration has written. A transport that can't be watched for more is
/// disconnected: it is no business of the callback, nor of the other transports.
pub fn flush(slf: &Bound<'_, StreamTransport>) {
    let py = slf.py();
    let (Err(error), Some(core)) = (try_flush(slf), slf.get().core(slf.py())) else {
        return;
    };
    let core = core.bind(py).get();
    let error = error::value(py, error);
    // Reports can't fail, and if they do there is nobody to tell.
    drop(core.report(py, "selectable", (error, py.None())));
    let lost = twisted(slf, "CONNECTION_LOST");
    if let Err(error) = lost.and_then(|lost| core.disconnect(slf.as_any(), &lost, false)) {
        drop(core.report(py, "selectable", (error::value(py, error), py.None())));
    }
}

fn try_flush(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let py = slf.py();
    let mut sent = Fifo::default();
    let mut next = {
        let mut state = slf.get().state.lock(py);
        match state.noted() {
            Next::Send if state.stream.socket.is_none() => {
                let fd = state.stream.fd;
                state.flush(fd, &mut sent)
            }
            next => next,
        }
    };
    if next == Next::Send {
        let fd = StreamTransport::fd(slf)?;
        next = slf.get().state.lock(py).flush(fd, &mut sent);
    }
    // Objects of Python's, so with no lock held.
    drop(sent);
    // A failure is told when the socket is writable, and ends the connection then.
    if next == Next::Watch {
        return ask_to_write(slf);
    }
    Ok(())
}

/// Sends what the socket takes.
fn send(slf: &Bound<'_, StreamTransport>) -> PyResult<Writable> {
    let py = slf.py();
    let mut sent = Fifo::default();
    let socket = {
        let mut state = slf.get().state.lock(py);
        match &state.stream.socket {
            Some(socket) => Ok(socket.bind(py).clone()),
            None => {
                let fd = state.stream.fd;
                Err(state.send(fd, &mut sent))
            }
        }
    };
    let outcome = match socket {
        Ok(socket) => {
            let fd = attributes::fileno(&socket)?;
            slf.get().state.lock(py).send(fd, &mut sent)
        }
        Err(outcome) => outcome,
    };
    drop(sent);
    Ok(outcome)
}

/// Calls `doWrite`, the native one without a detour.
///
/// # Errors
/// Those of `doWrite`.
pub fn write_directly<'py>(object: &Bound<'py, PyAny>) -> Reason<'py> {
    if let Ok(stream) = object.cast::<StreamTransport>() {
        let state = stream.get().state.lock(stream.py());
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
    let sent = send(slf)?;
    let (ended, native) = {
        let state = slf.get().state.lock(py);
        (state.is(Flag::WriteDisconnected), state.is_native())
    };
    match sent {
        Writable::Rest => return Ok(None),
        Writable::All if !ended => {}
        // Twisted's own transports find that out by sending nothing.
        Writable::All | Writable::Failed => return reason(slf, "CONNECTION_LOST"),
    }
    if native {
        stop_writing(slf)?;
    } else {
        slf.call_method0(intern!(py, "stopWriting"))?;
    }
    let (pending, producer) = {
        let mut state = slf.get().state.lock(py);
        let pending = state.pending();
        let producer = state.producer.as_ref().filter(|_| pending.resume);
        let producer = producer.map(|producer| producer.clone_ref(py));
        if producer.is_some() {
            state.set(Flag::ProducerPaused, false);
        } else if pending.end_writing && !pending.end {
            state.set(Flag::WriteDisconnected, true);
        }
        (pending, producer)
    };
    if let Some(producer) = producer {
        producer.call_method0(py, intern!(py, "resumeProducing"))?;
        return Ok(None);
    }
    if native && pending.end {
        return reason(slf, "CONNECTION_DONE");
    }
    let method = if pending.end {
        intern!(py, "_postLoseConnection")
    } else if pending.end_writing {
        intern!(py, "_closeWriteConnection")
    } else {
        return Ok(None);
    };
    slf.call_method0(method).map(Some)
}

/// Calls `startWriting`, a class's own one if it has one.
fn ask_to_write(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    if slf.get().is_native(slf.py()) {
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
    slf.get().state.lock(slf.py()).stream.buffer.watch(true);
    Ok(())
}

/// Watches for that no longer.
///
/// # Errors
/// Those of `removeWriter`.
pub fn stop_writing(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    // Whoever asks for this keeps what was written, until it is asked for again.
    slf.get().state.lock(slf.py()).stream.buffer.rest();
    StreamTransport::unwatch(slf, Role::Write)
}
