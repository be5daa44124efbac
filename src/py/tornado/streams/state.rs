//! Where a read stands, in the stream's own attributes: its buffer, what of that is consumed,
//! and what Tornado's methods note.

use std::sync::atomic::Ordering;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use super::Entry;
use super::cache::Field;
use super::fields::{append, number, take};
use super::finding::{Wanted, What};
use super::received::ALL;
use super::source::{Came, Source};
use crate::py::transport::read_buffer::READ_SIZE;

/// `IOLoop.READ`.
pub const READ: u32 = 0x001;
/// `IOLoop.WRITE`.
pub const WRITE: u32 = 0x004;
/// `IOLoop.ERROR`.
pub const ERROR: u32 = 0x018;

/// `read_chunk_size`, where nobody has chosen another one.
const DEFAULT_CHUNK: usize = 65_536;

/// The stream's buffer, and how much may be in it.
pub struct Buffer<'py> {
    pub buffer: Bound<'py, PyByteArray>,
    /// How much is read at once.
    pub chunk: usize,
    pub most: usize,
}

impl<'py> Buffer<'py> {
    /// As much is read at once as a native reader takes, if that is what waits.
    pub fn for_read(mut self, wanted: &Wanted<'py>) -> Buffer<'py> {
        if matches!(
            wanted.what,
            What::Bytes {
                count: ALL,
                partial: true
            }
        ) && self.chunk == DEFAULT_CHUNK
        {
            self.chunk = READ_SIZE.min(self.most / 2).max(self.chunk);
        }
        self
    }

    /// Reads once.
    pub fn read(&self, source: &Source) -> Came<'py> {
        source.read(self.buffer.py(), self.chunk)
    }
}

/// What reading has come to.
pub enum Found<'py> {
    /// The read goes on.
    Nothing,
    /// The read ends there in the stream's buffer.
    At(usize),
    /// The read's result.
    Direct(Bound<'py, PyBytes>),
    /// Tornado's methods have finished the read.
    Done,
}

impl<'py> Entry<'_, 'py> {
    /// The buffer; `None` if Tornado's own methods must see to it.
    pub fn buffer(&self) -> PyResult<Option<Buffer<'py>>> {
        let fields = &self.fields;
        let Some(buffer) = fields.get(Field::ReadBuffer)? else {
            return Ok(None);
        };
        let Ok(buffer) = buffer.cast_into_exact::<PyByteArray>() else {
            return Ok(None);
        };
        let size = fields.number(Field::ReadBufferSize)?;
        let chunk = fields.number(Field::ReadChunkSize)?;
        let most = fields.number(Field::MaxBufferSize)?;
        match (size, chunk, most) {
            (Some(size), Some(chunk), Some(most))
                if size == buffer.len() && (1..=READ_SIZE).contains(&chunk) =>
            {
                Ok(Some(Buffer {
                    buffer,
                    chunk,
                    most,
                }))
            }
            _ => Ok(None),
        }
    }

    /// Whether it is certain that the stream isn't closed.
    pub fn is_open(&self) -> PyResult<bool> {
        let closed = self.fields.flag(Field::Closed)?;
        Ok(closed == Some(false))
    }

    /// Whether nothing waits to be written. Somebody waits for what does, unless `write` has
    /// failed after it had kept its bytes, which only the counts tell.
    pub fn nothing_waits(&self) -> PyResult<bool> {
        let fields = &self.fields;
        let Some(futures) = fields.some(Field::WriteFutures)? else {
            return Ok(false);
        };
        if futures.len()? > 0 {
            return Ok(false);
        }
        let all = fields.number(Field::TotalWriteIndex)?;
        Ok(all.is_some() && all == fields.number(Field::TotalWriteDoneIndex)?)
    }

    pub fn note_size(&self, buffer: &Bound<'py, PyByteArray>) -> PyResult<()> {
        self.fields
            .set(Field::ReadBufferSize, make::Unsigned(buffer.len()))
    }

    /// Takes so many bytes from the buffer.
    pub fn consume(
        &self,
        buffer: &Bound<'py, PyByteArray>,
        count: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let taken = take(buffer, count)?;
        self.note_size(buffer)?;
        Ok(taken)
    }

    pub fn keep(&self, buffer: &Bound<'py, PyByteArray>, data: &[u8]) -> PyResult<()> {
        append(buffer, data)?;
        self.note_size(buffer)
    }

    /// The part of these bytes that the read ends with; the rest is kept in the buffer, which
    /// is empty.
    pub fn split(
        &self,
        buffer: &Bound<'py, PyByteArray>,
        data: Bound<'py, PyBytes>,
        end: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match data.as_bytes().split_at_checked(end) {
            None | Some((_, [])) => Ok(data),
            Some((first, rest)) => {
                let first = make::bytes(data.py(), first)?;
                self.keep(buffer, rest)?;
                Ok(first)
            }
        }
    }

    /// `_maybe_add_error_listener`, of a stream that isn't closed.
    pub fn listen_for_the_end(&self) -> PyResult<()> {
        let fields = &self.fields;
        let state = fields.some(Field::State)?;
        let idle = match state {
            None => true,
            Some(state) => number(&state) == Some(ERROR as usize),
        };
        if idle
            && self.is_open()?
            && fields.number(Field::ReadBufferSize)? == Some(0)
            && fields.some(Field::CloseCallback)?.is_some()
        {
            self.add_io_state(READ)?;
        }
        Ok(())
    }

    pub fn add_io_state(&self, state: u32) -> PyResult<()> {
        let add = intern!(self.stream.py(), "_add_io_state");
        self.stream.call_method1(add, (state,))?;
        Ok(())
    }

    /// `_add_io_state(READ)`.
    pub fn listen(&self) -> PyResult<()> {
        self.fields
            .watch
            .get()
            .listens_still
            .store(false, Ordering::Relaxed);
        let state = self.fields.number(Field::State)?;
        if state.is_some_and(|state| state & READ as usize != 0) {
            return Ok(());
        }
        self.add_io_state(READ)
    }

    /// `_read_from_buffer`, once its result is known.
    pub fn finish(&self, wanted: &Wanted<'py>, result: Bound<'py, PyBytes>) -> PyResult<()> {
        let (py, fields) = (self.stream.py(), &self.fields);
        match wanted.what {
            What::Nothing => {}
            What::Bytes { partial, .. } => {
                fields.set(Field::ReadBytes, py.None())?;
                if partial {
                    fields.set(Field::ReadPartial, false)?;
                }
            }
            What::Until(_) => fields.set(Field::ReadDelimiter, py.None())?,
            What::Regex(_) | What::Head(_) => fields.set(Field::ReadRegex, py.None())?,
        }
        let name = Field::ReadFuture;
        if let Some(future) = fields.some(name)? {
            fields.set(name, py.None())?;
            if !future.call_method0(intern!(py, "cancelled"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (result,))?;
            }
        }
        self.listen_for_the_end()
    }

    /// `_find_read_pos`, after Tornado's methods have done something.
    pub fn find_anew(&self) -> PyResult<Found<'py>> {
        let py = self.stream.py();
        let found = self.stream.call_method0(intern!(py, "_find_read_pos"))?;
        if found.is_none() {
            return Ok(Found::Nothing);
        }
        let finish = intern!(py, "_read_from_buffer");
        self.stream.call_method1(finish, (found,))?;
        Ok(Found::Done)
    }
}
