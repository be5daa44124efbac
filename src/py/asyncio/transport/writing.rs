//! Writing: what is added to what waits, and by which methods.

use crate::py::support::make::Said;
use crate::py::support::names::intern;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyTuple, PyType};

use super::{EventLoop, Flag, SocketTransport, State, stock};
use crate::core::stream::send_queue::SendQueue;
use crate::core::stream::write_buffer::Next;
use crate::core::sys::sockets;
use crate::py::dispatch::unflushed::Unflushed;
use crate::py::support::attributes;
use crate::py::support::class_version::ClassVersion;
use crate::py::support::context;
use crate::py::support::error::{self, os_error};
use crate::py::support::imports;
use crate::py::support::make;
use crate::py::transport::buffers::View;
use crate::py::transport::owned_bytes::OwnedBytes;
use crate::py::transport::stream;

impl State {
    /// Refuses what can't be written any more.
    fn check_writable(&self, after_eof: &'static str, in_sendfile: &'static str) -> PyResult<()> {
        if self.is(Flag::Eof) {
            return Err(PyRuntimeError::new_err(Said(after_eof)));
        }
        if self.empty_waiter.is_some() {
            return Err(PyRuntimeError::new_err(Said(in_sendfile)));
        }
        Ok(())
    }
}

/// What is written, as bytes that nobody can change.
enum Chunk<'a, 'py> {
    Bytes(Bound<'py, PyBytes>),
    /// May be changed by the caller.
    Mutable(&'a Bound<'py, PyAny>),
}

impl SocketTransport {
    /// Adds so many chunks to what waits, and does what has to follow.
    fn add(slf: &Bound<'_, Self>, chunks: usize, add: impl FnOnce(&mut State)) -> PyResult<()> {
        if Self::is_of_parents_session(slf)? {
            return Ok(());
        }
        let (next, pauses, own, event_loop, bytes) = {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.buffer.make_room(chunks)?;
            add(&mut state);
            let through = state.is_through();
            let next = state.stream.buffer.written(through);
            let pauses = next == Next::Wait && state.stream.buffer.pauses();
            let event_loop = state.event_loop.as_ref().filter(|_| next == Next::Note);
            let event_loop = event_loop.map(|event_loop| event_loop.clone_ref(slf.py()));
            let own = state.is(Flag::OwnContext);
            (next, pauses, own, event_loop, state.stream.buffer.len())
        };
        if let Some(event_loop) = event_loop {
            if !own {
                Self::keep_context(slf)?;
            }
            let noted = Unflushed::Socket(slf.clone().unbind());
            let noted = event_loop.get().note_unflushed(slf.py(), noted, bytes);
            if noted.is_err() {
                return Self::flush(slf);
            }
        }
        if next == Next::Send {
            return Self::send(slf);
        }
        if pauses {
            return Self::tell(slf, "pause_writing");
        }
        Ok(())
    }

    /// Whether this is a forked child, and the stream a TLS session of its parent's. What it
    /// would send takes the place of what the parent sends next, and the peer would take a
    /// close_notify for the parent's. It is closed in the child by `finally` clauses as well.
    #[inline]
    fn is_of_parents_session(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let protocol = {
            let state = slf.get().state.lock(slf.py());
            let parents = |event_loop: &Py<EventLoop>| event_loop.get().is_parents();
            if !state.event_loop.as_ref().is_some_and(parents) {
                return Ok(false);
            }
            let protocol = state.stream.protocol.as_ref();
            protocol.map(|protocol| protocol.clone_ref(slf.py()))
        };
        let tls = imports::ssl_protocol_class(slf.py())?;
        protocol.map_or(Ok(false), |it| it.bind(slf.py()).is_instance(tls))
    }

    /// Writes bytes that the caller may change later: what is sent is what they are now.
    fn write_mutable(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let view = match View::of_bytes(data) {
            Ok(view) => view,
            Err(error) => return Self::write_refused(slf, data, error),
        };
        let fd = match stream::fd(slf) {
            Ok(fd) => fd,
            Err(error) => return Self::send_failed(slf, error),
        };
        let sent = view.read(|bytes| {
            let at_once = {
                let state = slf.get().state.lock(slf.py());
                state.stream.buffer.is_empty()
                    && state
                        .stream
                        .buffer
                        .would_send(bytes.len(), state.is_through())
            };
            if !at_once {
                return Ok(0);
            }
            match sockets::send(fd, bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
                outcome => outcome,
            }
        });
        let rest =
            |sent: usize| view.read(|bytes| make::bytes(py, bytes.get(sent..).unwrap_or_default()));
        match sent.map(|sent| (sent, sent >= view.len())) {
            Ok((_, true)) => Ok(()),
            Ok((sent, false)) => {
                let rest = rest(sent)?;
                Self::add(slf, 1, |state| {
                    drop(state.stream.buffer.push(OwnedBytes::from(rest)));
                })
            }
            Err(error) => Self::send_failed(slf, os_error(error)),
        }
    }

    /// Keeps the current context, for what the protocol is told once the socket takes more.
    fn keep_context(slf: &Bound<'_, Self>) -> PyResult<()> {
        let context = context::copy_current(slf.py())?;
        let before = slf
            .get()
            .state
            .lock(slf.py())
            .write_context
            .replace(context);
        drop(before);
        Ok(())
    }

    /// What can't be sent was written: memory that isn't contiguous. With nothing before it
    /// that ends the connection. Behind what waits for the socket it is refused, or, from
    /// Python 3.12 on, ends the connection when its turn comes.
    fn write_refused(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>, error: PyErr) -> PyResult<()> {
        let py = slf.py();
        // Nothing of what was written before it gets lost.
        Self::flush_now(slf)?;
        let (lost, waits) = {
            let state = slf.get().state.lock(py);
            (state.lost > 0, !state.stream.buffer.is_empty())
        };
        if lost {
            return Self::write_after_end(slf);
        }
        if !waits {
            return Self::send_failed(slf, error);
        }
        if !cfg!(Py_3_12) {
            let message = "can't set bytearray slice from memoryview";
            return Err(PyTypeError::new_err(Said(message)));
        }
        let bytes = data.call_method0(intern!(py, "tobytes"))?;
        let bytes = bytes.cast_into::<PyBytes>()?;
        let error = error::value(py, error).into_any();
        let before = slf.get().state.lock(py).reason.replace(error);
        drop(before);
        Self::add(slf, 1, |state| {
            drop(state.stream.buffer.push(OwnedBytes::from(bytes)));
        })
    }

    /// The transport, if `write` of it is the native method.
    pub fn with_native_write<'a, 'py>(
        transport: &'a Bound<'py, PyAny>,
    ) -> PyResult<Option<&'a Bound<'py, Self>>> {
        static SEEN: ClassVersion = ClassVersion::new();
        let (py, class) = (transport.py(), transport.get_type());
        let (Ok(socket), Ok(own)) = (transport.cast::<Self>(), attributes::dict(transport)) else {
            return Ok(None);
        };
        if !own.is_empty()? && own.contains(intern!(py, "write"))? {
            return Ok(None);
        }
        let native = SEEN.holds(&class, || {
            let name = intern!(py, "write");
            let native = PyType::new::<Self>(py).getattr(name)?;
            Ok(class.getattr(name)?.is(native))
        })?;
        Ok(native.then_some(socket))
    }

    /// Counts a write after the end, and says so when there are many.
    fn write_after_end(slf: &Bound<'_, Self>) -> PyResult<()> {
        let count = {
            let mut state = slf.get().state.lock(slf.py());
            state.lost = state.lost.saturating_add(1);
            state.lost - 1
        };
        slf.call_method1(
            intern!(slf.py(), "_wrote_after_end"),
            (make::Unsigned(count),),
        )?;
        Ok(())
    }
}

fn chunk<'a, 'py>(data: &'a Bound<'py, PyAny>) -> PyResult<Option<Chunk<'a, 'py>>> {
    if let Ok(bytes) = data.cast_exact::<PyBytes>() {
        let full = !bytes.as_bytes().is_empty();
        return Ok(full.then(|| Chunk::Bytes(bytes.clone())));
    }
    if let Ok(bytes) = data.cast::<PyBytes>() {
        // An instance of a subclass could hold the transport, or run code when dropped.
        let copy = make::bytes(data.py(), bytes.as_bytes())?;
        return Ok((!copy.as_bytes().is_empty()).then_some(Chunk::Bytes(copy)));
    }
    if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
        return Ok(data.is_truthy()?.then_some(Chunk::Mutable(data)));
    }
    Err(stock::not_bytes_like(data)?)
}

#[pymethods]
impl SocketTransport {
    /// Write data; doesn't block. Follows asyncio.WriteTransport.
    ///
    /// What one iteration writes is sent together at its end, or sooner if it is much.
    pub fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let chunk = chunk(data)?;
        let lost = {
            let state = slf.get().state.lock(slf.py());
            state.check_writable(
                "Cannot call write() after write_eof()",
                "unable to write; sendfile is in progress",
            )?;
            state.lost > 0
        };
        let Some(chunk) = chunk else {
            return Ok(());
        };
        if lost {
            return Self::write_after_end(slf);
        }
        match chunk {
            Chunk::Bytes(bytes) => Self::add(slf, 1, |state| {
                // Not empty, so nothing is handed back.
                drop(state.stream.buffer.push(OwnedBytes::from(bytes)));
            }),
            Chunk::Mutable(data) => Self::write_mutable(slf, data),
        }
    }

    /// Write a list, or any iterable, of data; sent by one system call if it can be.
    /// Follows asyncio.WriteTransport.
    fn writelines(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let (after_eof, in_sendfile) = stock::refused_lines();
        let check = || {
            let state = slf.get().state.lock(slf.py());
            state.check_writable(after_eof, in_sendfile)?;
            Ok::<_, PyErr>(state.lost > 0)
        };
        check()?;
        let mut pieces = SendQueue::default();
        let mut refused = None;
        // Errors of what isn't bytes-like are worded by Python's own code.
        let listed = slf.call_method1(intern!(py, "_pieces"), (list_of_data,))?;
        for piece in listed.try_iter()? {
            match piece?.cast_into::<PyBytes>() {
                Ok(piece) => {
                    pieces.make_room(1)?;
                    // An empty one is nothing.
                    drop(pieces.push(OwnedBytes::from(piece)));
                }
                // One that isn't contiguous.
                Err(error) => refused = View::of_bytes(&error.into_inner()).err(),
            }
        }
        // Again, as listing them may have run anything.
        let lost = check()?;
        if let Some(error) = refused.filter(|_| !lost) {
            // None of them is sent, but what was written before.
            Self::flush_now(slf)?;
            return Self::send_failed(slf, error);
        }
        if pieces.is_empty() {
            return Ok(());
        }
        if lost {
            return Self::write_after_end(slf);
        }
        // Each of them asks anew for being told when the socket takes more.
        if cfg!(Py_3_12) && slf.get().state.lock(py).stream.buffer.is_watched() {
            Self::keep_context(slf)?;
        }
        let chunks = pieces.chunks();
        Self::add(slf, chunks, |state| state.stream.buffer.append(pieces))
    }

    /// Close the write end after flushing buffered data. Follows asyncio.WriteTransport.
    fn write_eof(slf: &Bound<'_, Self>) -> PyResult<()> {
        let over = |state: &State| state.is(Flag::Closing) || state.is(Flag::Eof);
        if over(&slf.get().state.lock(slf.py())) {
            return Ok(());
        }
        Self::flush_now(slf)?;
        let empty = {
            let mut state = slf.get().state.lock(slf.py());
            if over(&state) {
                return Ok(());
            }
            state.set(Flag::Eof, true);
            state.stream.buffer.is_empty()
        };
        if empty { Self::shut_down(slf) } else { Ok(()) }
    }

    /// Return True: a stream socket can be closed for writing alone.
    #[allow(clippy::unused_self)]
    fn can_write_eof(&self) -> bool {
        true
    }

    /// Return the number of bytes that the socket hasn't taken yet.
    fn get_write_buffer_size(slf: &Bound<'_, Self>) -> PyResult<make::Unsigned<usize>> {
        Self::flush_now(slf)?;
        let len = slf.get().state.lock(slf.py()).stream.buffer.len();
        Ok(make::Unsigned(len))
    }

    /// Return the water marks in bytes, as (low, high).
    fn get_write_buffer_limits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (low, high) = self.state.lock(py).stream.buffer.limits();
        let (low, high) = (make::size(py, low)?, make::size(py, high)?);
        make::tuple(py, [low.into_any(), high.into_any()])
    }

    fn _set_limits(slf: &Bound<'_, Self>, low: usize, high: usize) -> PyResult<()> {
        slf.get()
            .state
            .lock(slf.py())
            .stream
            .buffer
            .set_limits(low, high);
        Self::flush_now(slf)?;
        Self::pause_if_full(slf)
    }

    /// Send what is held back until the end of the iteration.
    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::flush_now(slf)
    }

    /// Hold nothing back from now on: somebody knows the descriptor.
    fn _write_through(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::flush_now(slf)?;
        slf.get().state.lock(slf.py()).set(Flag::Through, true);
        Ok(())
    }

    fn _write_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::write_ready(slf)
    }
}
