//! Reading into the application's own memory: `read_into`, once its attributes are set.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::cache::Field;
use super::finding::{Wanted, What};
use super::source::Got;
use super::{Entry, Streams};
use crate::py::support::error;
use crate::py::transport::buffers::View;

/// A read into memory that is under way.
pub struct Filling<'py> {
    memory: Bound<'py, PyAny>,
    count: usize,
    partial: bool,
    /// `max_buffer_size`.
    most: usize,
}

impl<'py> Filling<'py> {
    /// What the attributes say; `None` if Tornado's own methods must see to it.
    pub fn of(streams: &Streams, entry: &Entry<'_, 'py>) -> PyResult<Option<Filling<'py>>> {
        let fields = &entry.fields;
        let Some(wanted) = Wanted::of(streams, fields)? else {
            return Ok(None);
        };
        let What::Bytes { count, partial } = wanted.what else {
            return Ok(None);
        };
        let Some(memory) = fields.some(Field::ReadBuffer)? else {
            return Ok(None);
        };
        let Some(most) = fields.number(Field::MaxBufferSize)? else {
            return Ok(None);
        };
        // What isn't bytes is longer than it says.
        match View::of_memory(&memory) {
            Ok(view) if view.len() == count => {}
            _ => return Ok(None),
        }
        Ok(Some(Filling {
            memory,
            count,
            partial,
            most,
        }))
    }

    /// How much of the memory is filled.
    fn filled(entry: &Entry<'_, 'py>) -> PyResult<usize> {
        let size = Field::ReadBufferSize;
        Ok(entry.fields.number(size)?.unwrap_or_default())
    }

    /// Where the read ends, once so much is filled.
    fn end(&self, filled: usize) -> Option<usize> {
        let enough = filled >= self.count || (self.partial && filled > 0);
        enough.then(|| filled.min(self.count))
    }

    fn receive(&self, entry: &Entry<'_, 'py>, filled: usize) -> PyResult<Got> {
        // Before anybody looks where to read from: this may run Python code, which may close
        // the stream.
        let mut view = View::of_memory(&self.memory)?;
        let Some(source) = entry.source(false)? else {
            return Ok(Got::Unclear);
        };
        Ok(view.fill(|memory| match memory.get_mut(filled..) {
            Some(room) if !room.is_empty() => source.receive(room),
            _ => Got::Unclear,
        }))
    }
}

impl Streams {
    /// Whether a stream reads into the application's memory.
    pub(super) fn fills(entry: &Entry<'_, '_>) -> PyResult<bool> {
        let flag = Field::UserReadBuffer;
        Ok(entry.fields.flag(flag)? == Some(true))
    }

    /// `_try_inline_read`.
    pub(super) fn fill_inline(&self, entry: &Entry<'_, '_>) -> PyResult<bool> {
        let Some(filling) = Filling::of(self, entry)? else {
            return Ok(false);
        };
        if !entry.is_open()? || entry.source(false)?.is_none() {
            return Ok(false);
        }
        let end = match filling.end(Filling::filled(entry)?) {
            Some(end) => Some(end),
            None => self.fill(entry, &filling)?,
        };
        match end {
            Some(end) => Self::fill_done(entry, end)?,
            None if entry.is_open()? => entry.listen()?,
            None => {}
        }
        Ok(true)
    }

    /// `_read_from_buffer`.
    pub(super) fn fill_done(entry: &Entry<'_, '_>, end: usize) -> PyResult<()> {
        let done = intern!(entry.stream.py(), "_read_from_buffer");
        entry.stream.call_method1(done, (make::Unsigned(end),))?;
        Ok(())
    }

    /// `_read_to_buffer_loop`: where the read ends.
    pub(super) fn fill<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        filling: &Filling<'py>,
    ) -> PyResult<Option<usize>> {
        let py = entry.stream.py();
        let rare = self.rare.bind(py);
        loop {
            let filled = Filling::filled(entry)?;
            let got = match filling.receive(entry, filled)? {
                Got::Unclear if entry.is_open()? => {
                    let read = rare.call_method1(intern!(py, "read_into"), (entry.stream,))?;
                    match read.extract::<Option<isize>>()? {
                        None => Got::Nothing,
                        Some(0) => Got::End,
                        Some(count) => usize::try_from(count).map_or(Got::Unclear, Got::Bytes),
                    }
                }
                got => got,
            };
            match got {
                Got::Bytes(count) => {
                    let filled = filled.saturating_add(count);
                    entry
                        .fields
                        .set(Field::ReadBufferSize, make::Unsigned(filled))?;
                    if filled > filling.most {
                        rare.call_method1(intern!(py, "buffer_full"), (entry.stream,))?;
                    }
                    if let Some(end) = filling.end(filled) {
                        return Ok(Some(end));
                    }
                }
                Got::Nothing if entry.is_open()? => return Ok(None),
                Got::End => {
                    entry.stream.call_method0(intern!(py, "close"))?;
                    return Self::end_anew(entry);
                }
                Got::Refused(refused) => {
                    let refused = error::value(py, error::os_error(refused));
                    rare.call_method1(intern!(py, "lost"), (entry.stream, refused))?;
                    return Self::end_anew(entry);
                }
                // The stream is closed.
                Got::Nothing | Got::Unclear => return Self::end_anew(entry),
            }
        }
    }

    /// `_find_read_pos`, after Tornado's methods have done something.
    fn end_anew(entry: &Entry<'_, '_>) -> PyResult<Option<usize>> {
        let find = intern!(entry.stream.py(), "_find_read_pos");
        entry.stream.call_method0(find)?.extract()
    }
}
