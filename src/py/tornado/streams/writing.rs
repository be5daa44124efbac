//! Writing: Tornado's `write`, where nothing waits to be written.

use std::io::IoSlice;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use super::cache::Field;
use super::fields::number;
use super::source::{Sent, Source};
use super::{Entry, Kind, Streams};
use crate::core::sys::sockets;
use crate::py::event_loop::current::Promise;
use crate::py::support::error;
use crate::py::transport::buffers::View;

/// What is encrypted in a fraction of a millisecond. More is left to Tornado's method, which
/// lets other threads in.
const LONG: usize = 1 << 20;

/// How many parts are written at once.
pub const PARTS: usize = 3;

impl Streams {
    /// See `Streams::write`.
    pub(super) fn write_data<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Ok(bytes) = data.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            let whole = || Ok(data.clone());
            return self.send_all(entry, bytes.len(), whole, |source| send(source, bytes));
        }
        if !data.is_exact_instance_of::<PyMemoryView>() || data.len().is_err() {
            return Ok(None);
        }
        // What is wrong with it Tornado's method says.
        let Ok(view) = View::of_bytes(data) else {
            return Ok(None);
        };
        let length = view.len();
        let whole = || Ok(data.clone());
        self.send_all(entry, length, whole, |source| {
            // It is let go of before anything else is done.
            let view = view;
            view.read(|bytes| send(source, bytes))
        })
    }

    /// See `write_parts`.
    pub(super) fn write_in_parts<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        parts: &[&[u8]],
        together: impl FnOnce() -> PyResult<Bound<'py, PyBytes>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if entry.kind != Kind::Socket {
            return Ok(None);
        }
        let length = parts.iter().map(|part| part.len()).sum();
        let whole = || match together() {
            Ok(data) => Ok(data.into_any()),
            // There is no memory to keep the rest in.
            Err(error) => {
                entry
                    .stream
                    .call_method0(intern!(entry.stream.py(), "close"))?;
                Err(error)
            }
        };
        self.send_all(entry, length, whole, |source| source.write_parts(parts))
    }

    fn send_all<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        length: usize,
        whole: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
        send: impl FnOnce(&Source) -> (usize, Sent),
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = entry.stream.py();
        if !entry.may_write(length)? {
            return Ok(None);
        }
        // Before anything is sent: without a loop there is none. It asks that, by what may be
        // Python code that closes the stream, or writes: before anybody looks where to.
        let Ok(promise) = Promise::of(self.future.bind(py)) else {
            return Ok(None);
        };
        if !entry.nothing_waits()? || !entry.is_open()? {
            return Ok(None);
        }
        let Some(source) = entry.source(true)? else {
            return Ok(None);
        };
        match send(&source) {
            (_, Sent::Bytes(sent)) if sent == length => {
                let future = promise.done()?;
                entry.listen_for_the_end()?;
                Ok(Some(future))
            }
            (_, Sent::Bytes(sent)) => {
                let waits = intern!(py, "write_waits");
                let future = promise.pending()?;
                self.rare_write(waits, (entry.stream, whole()?, sent, future))
            }
            (sent, Sent::Refused(refused)) => {
                let refused = error::value(py, error::os_error(refused));
                let failed = intern!(py, "write_failed");
                let future = promise.pending()?;
                self.rare_write(failed, (entry.stream, whole()?, sent, future, refused))
            }
            (0, Sent::Unclear) => Ok(None),
            (sent, Sent::Unclear) => {
                let goes_on = intern!(py, "write_goes_on");
                let future = promise.pending()?;
                self.rare_write(goes_on, (entry.stream, whole()?, sent, future))
            }
        }
    }

    /// `write`, of what stands in two places, where that is one system call: whether all is sent.
    /// If not, `future` will be done when it is, or can't be. `None`: nothing was done.
    ///
    /// # Errors
    /// Those of Tornado's own methods.
    pub fn write_both<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        parts: (&Bound<'py, PyBytes>, &Bound<'py, PyBytes>),
        future: &Bound<'py, PyAny>,
    ) -> PyResult<Option<bool>> {
        let Some(entry) = self.enter(stream)? else {
            return Ok(None);
        };
        let py = stream.py();
        let (first, second) = (parts.0.as_bytes(), parts.1.as_bytes());
        let length = first.len().saturating_add(second.len());
        if entry.kind != Kind::Socket || !entry.may_write(length)? || !entry.is_open()? {
            return Ok(None);
        }
        let Some(source) = entry.source(true)? else {
            return Ok(None);
        };
        let (sent, outcome) = source.write_parts(&[first, second]);
        if sent == length {
            entry.listen_for_the_end()?;
            return Ok(Some(true));
        }
        match outcome {
            Sent::Bytes(_) => {
                let waits = intern!(py, "write_waits");
                self.rare_write(waits, (stream, parts, sent, future))?;
            }
            Sent::Refused(refused) => {
                let refused = error::value(py, error::os_error(refused));
                let failed = intern!(py, "write_failed");
                self.rare_write(failed, (stream, parts, sent, future, refused))?;
            }
            Sent::Unclear => {
                let goes_on = intern!(py, "write_goes_on");
                self.rare_write(goes_on, (stream, parts, sent, future))?;
            }
        }
        Ok(Some(false))
    }

    fn rare_write<'py>(
        &self,
        name: &Bound<'py, pyo3::types::PyString>,
        arguments: impl pyo3::call::PyCallArgs<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rare = self.rare.bind(name.py());
        rare.call_method1(name, arguments).map(Some)
    }
}

impl Source {
    /// `send`, of all parts in their order.
    fn write_parts(&self, parts: &[&[u8]]) -> (usize, Sent) {
        let Source::Socket(fd) = self else {
            return (0, Sent::Unclear);
        };
        let mut slices = [IoSlice::new(&[]); PARTS];
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        let (mut left, mut sent) = (&mut slices[..], 0);
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match Sent::from(sockets::send_vectored(*fd, left)) {
                Sent::Bytes(0) => break,
                Sent::Bytes(count) => {
                    sent += count;
                    IoSlice::advance_slices(&mut left, count);
                }
                other => return (sent, other),
            }
        }
        (sent, Sent::Bytes(sent))
    }
}

impl<'py> Entry<'_, 'py> {
    /// Whether so many bytes may be written at once; if not, Tornado's method must see to it.
    fn may_write(&self, length: usize) -> PyResult<bool> {
        let fields = &self.fields;
        if length == 0
            || (self.kind == Kind::Tls && length > LONG)
            || !self.nothing_waits()?
            || fields.flag(Field::Connecting)? != Some(false)
        {
            return Ok(false);
        }
        let most = fields.some(Field::MaxWriteBufferSize)?;
        Ok(most.is_none_or(|most| number(&most).is_some_and(|most| length <= most)))
    }
}

/// Sends until everything is sent or no more is taken. How much was sent before what the last
/// try has come to, or in all.
fn send(source: &Source, data: &[u8]) -> (usize, Sent) {
    let mut sent = 0;
    while let Some(rest) = data.get(sent..).filter(|rest| !rest.is_empty()) {
        match source.write(rest) {
            Sent::Bytes(0) => break,
            Sent::Bytes(count) => sent += count,
            other => return (sent, other),
        }
    }
    (sent, Sent::Bytes(sent))
}
