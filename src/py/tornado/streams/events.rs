//! What follows when a stream's descriptor is ready: Tornado's `_handle_events`.

use std::sync::atomic::Ordering;

use crate::py::support::make::Said;
use crate::py::support::names::intern;
use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

use super::cache::Field;
use super::fields::number;
use super::filling::Filling;
use super::finding::Wanted;
use super::state::{ERROR, READ, WRITE};
use super::{Entry, Streams};
use crate::py::support::error;

impl Streams {
    /// `_handle_events`, where there may be something to read; false: nothing was done.
    pub(super) fn handle(&self, entry: &Entry<'_, '_>, events: u32) -> PyResult<bool> {
        let fields = &entry.fields;
        if events & READ == 0 || !entry.is_open()? || fields.flag(Field::Connecting)? != Some(false)
        {
            return Ok(false);
        }
        if entry.listens_in_vain()? {
            let outcome = Self::after_reading(entry, events & !READ, false);
            return self.concluded(entry, outcome.map_err(|error| (error, false)));
        }
        let outcome = if Self::fills(entry)? {
            let Some(filling) = Filling::of(self, entry)? else {
                return Ok(false);
            };
            if entry.source(false)?.is_none() {
                return Ok(false);
            }
            match self.fill(entry, &filling) {
                Err(error) => Err((error, true)),
                Ok(None) => Ok(()),
                Ok(Some(end)) => Self::fill_done(entry, end).map_err(|error| (error, false)),
            }
        } else {
            let Some(wanted) = Wanted::of(self, fields)? else {
                return Ok(false);
            };
            let (Some(buffer), Some(source)) = (entry.buffer()?, entry.source(false)?) else {
                return Ok(false);
            };
            let buffer = buffer.for_read(&wanted);
            let first = buffer.read(&source);
            match self.read_event(entry, &wanted, &buffer, first) {
                Err(error) => Err((error, true)),
                Ok(None) => Ok(()),
                Ok(Some(result)) => entry
                    .finish(&wanted, result)
                    .map_err(|error| (error, false)),
            }
        };
        let outcome = outcome.and_then(|()| {
            Self::after_reading(entry, events, true).map_err(|error| (error, false))
        });
        self.concluded(entry, outcome)
    }

    /// Ends `_handle_events`, with an error perhaps, and whether that was one of reading.
    fn concluded(
        &self,
        entry: &Entry<'_, '_>,
        outcome: Result<(), (PyErr, bool)>,
    ) -> PyResult<bool> {
        let py = entry.stream.py();
        if let Err((error, reading)) = outcome {
            let error = error::value(py, error);
            let failed = intern!(py, "event_failed");
            let rare = self.rare.bind(py);
            rare.call_method1(failed, (entry.stream, error, reading))?;
        }
        Ok(true)
    }

    /// What follows `_handle_read` in `_handle_events`. `reads`: whether it may listen for what
    /// nobody waits for.
    fn after_reading(entry: &Entry<'_, '_>, events: u32, reads: bool) -> PyResult<()> {
        let (py, stream) = (entry.stream.py(), entry.stream);
        if events & WRITE != 0 {
            if !entry.is_open()? {
                return Ok(());
            }
            stream.call_method0(intern!(py, "_handle_write"))?;
        }
        if !entry.is_open()? {
            return Ok(());
        }
        if events & ERROR != 0 {
            let error = stream.call_method0(intern!(py, "get_fd_error"))?;
            stream.setattr(intern!(py, "error"), error)?;
            let close = stream.getattr(intern!(py, "close"))?;
            let io_loop = stream.getattr(intern!(py, "io_loop"))?;
            io_loop.call_method1(intern!(py, "add_callback"), (close,))?;
            return Ok(());
        }
        entry.listen_on(reads)
    }
}

impl Entry<'_, '_> {
    /// Whether nobody reads, and a native reader has taken all that came when somebody last did:
    /// Tornado would have had a rest then, and not listen any more.
    fn listens_in_vain(&self) -> PyResult<bool> {
        let fields = &self.fields;
        let still = &fields.watch.get().listens_still;
        Ok(still.swap(false, Ordering::Relaxed)
            && fields.some(Field::ReadFuture)?.is_none()
            && (fields.some(Field::CloseCallback)?.is_none()
                || fields.number(Field::ReadBufferSize)? != Some(0)))
    }

    /// Listens for what the stream waits for now.
    fn listen_on(&self, reads: bool) -> PyResult<()> {
        let (py, fields, stream) = (self.stream.py(), &self.fields, self.stream);
        let mut state = ERROR;
        if fields.some(Field::ReadFuture)?.is_some() {
            state |= READ;
        }
        if self.is_writing()? {
            state |= WRITE;
        }
        if reads && state == ERROR && fields.number(Field::ReadBufferSize)? == Some(0) {
            state |= READ;
        }
        let name = Field::State;
        let before = fields.some(name)?;
        if before.as_ref().and_then(number) == Some(state as usize) {
            return Ok(());
        }
        if before.is_none() {
            return Err(PyAssertionError::new_err(Said(
                "shouldn't happen: _handle_events without self._state",
            )));
        }
        fields.set(name, state)?;
        let fd = stream.call_method0(intern!(py, "fileno"))?;
        let io_loop = stream.getattr(intern!(py, "io_loop"))?;
        io_loop.call_method1(intern!(py, "update_handler"), (fd, state))?;
        Ok(())
    }

    /// `writing()`.
    fn is_writing(&self) -> PyResult<bool> {
        let py = self.stream.py();
        if self.nothing_waits()? {
            return Ok(false);
        }
        self.stream
            .call_method0(intern!(py, "writing"))?
            .is_truthy()
    }
}
