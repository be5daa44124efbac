//! Reading: Tornado's `_try_inline_read`, `_read_to_buffer_loop` and what they call, in
//! Tornado's order. What has come and is all that a read waits for never gets into the
//! stream's buffer.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes};

use super::fields::{append, number, take};
use super::finding::{Wanted, What};
use super::source::{Came, Got, Source};
use super::{Entry, Streams};
use crate::py::support::error;
use crate::py::transport::read_buffer::READ_SIZE;

/// `IOLoop.READ`.
pub const READ: u32 = 0x001;
/// `IOLoop.WRITE`.
pub const WRITE: u32 = 0x004;
/// `IOLoop.ERROR`.
pub const ERROR: u32 = 0x018;

/// The stream's buffer, and how much may be in it.
pub struct Buffer<'py> {
    buffer: Bound<'py, PyByteArray>,
    /// How much is read at once.
    chunk: usize,
    most: usize,
}

impl<'py> Buffer<'py> {
    /// Reads once.
    pub fn read(&self, source: &Source) -> Came<'py> {
        source.read(self.buffer.py(), self.chunk)
    }
}

/// What reading has come to.
enum Found<'py> {
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
        let (py, fields) = (self.stream.py(), &self.fields);
        let Some(buffer) = fields.get(intern!(py, "_read_buffer"))? else {
            return Ok(None);
        };
        let Ok(buffer) = buffer.cast_into_exact::<PyByteArray>() else {
            return Ok(None);
        };
        let size = fields.number(intern!(py, "_read_buffer_size"))?;
        let chunk = fields.number(intern!(py, "read_chunk_size"))?;
        let most = fields.number(intern!(py, "max_buffer_size"))?;
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
        let closed = self.fields.flag(intern!(self.stream.py(), "_closed"))?;
        Ok(closed == Some(false))
    }

    fn note_size(&self, buffer: &Bound<'py, PyByteArray>) -> PyResult<()> {
        self.fields
            .set(intern!(self.stream.py(), "_read_buffer_size"), buffer.len())
    }

    /// Takes so many bytes from the buffer.
    fn consume(
        &self,
        buffer: &Bound<'py, PyByteArray>,
        count: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let taken = take(buffer, count)?;
        self.note_size(buffer)?;
        Ok(taken)
    }

    fn keep(&self, buffer: &Bound<'py, PyByteArray>, data: &[u8]) -> PyResult<()> {
        append(buffer, data)?;
        self.note_size(buffer)
    }

    /// The part of these bytes that the read ends with; the rest is kept in the buffer, which
    /// is empty.
    fn split(
        &self,
        buffer: &Bound<'py, PyByteArray>,
        data: Bound<'py, PyBytes>,
        end: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match data.as_bytes().split_at_checked(end) {
            None | Some((_, [])) => Ok(data),
            Some((first, rest)) => {
                self.keep(buffer, rest)?;
                Ok(PyBytes::new(data.py(), first))
            }
        }
    }

    /// `_maybe_add_error_listener`, of a stream that isn't closed.
    pub fn listen_for_the_end(&self) -> PyResult<()> {
        let (py, fields) = (self.stream.py(), &self.fields);
        let state = fields.some(intern!(py, "_state"))?;
        let idle = match state {
            None => true,
            Some(state) => number(&state) == Some(ERROR as usize),
        };
        if idle
            && self.is_open()?
            && fields.number(intern!(py, "_read_buffer_size"))? == Some(0)
            && fields.some(intern!(py, "_close_callback"))?.is_some()
        {
            self.add_io_state(READ)?;
        }
        Ok(())
    }

    fn add_io_state(&self, state: u32) -> PyResult<()> {
        let add = intern!(self.stream.py(), "_add_io_state");
        self.stream.call_method1(add, (state,))?;
        Ok(())
    }

    /// `_add_io_state(READ)`.
    pub fn listen(&self) -> PyResult<()> {
        let state = self.fields.number(intern!(self.stream.py(), "_state"))?;
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
                fields.set(intern!(py, "_read_bytes"), py.None())?;
                if partial {
                    fields.set(intern!(py, "_read_partial"), false)?;
                }
            }
            What::Until(_) => fields.set(intern!(py, "_read_delimiter"), py.None())?,
            What::Regex(_) => fields.set(intern!(py, "_read_regex"), py.None())?,
        }
        let name = intern!(py, "_read_future");
        if let Some(future) = fields.some(name)? {
            fields.set(name, py.None())?;
            if !future.call_method0(intern!(py, "cancelled"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (result,))?;
            }
        }
        self.listen_for_the_end()
    }

    /// `_find_read_pos`, after Tornado's methods have done something.
    fn find_anew(&self) -> PyResult<Found<'py>> {
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

impl Streams {
    /// `read_bytes`.
    pub(super) fn start_bytes<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        count: &Bound<'py, PyAny>,
        partial: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (Some(count), Ok(partial)) = (number(count), partial.cast_exact::<PyBool>()) else {
            return Ok(None);
        };
        let partial = partial.is_true();
        let py = entry.stream.py();
        // That of the last read until something: Tornado leaves it.
        let most = match entry.fields.some(intern!(py, "_read_max_bytes"))? {
            None => None,
            Some(most) => match number(&most) {
                None => return Ok(None),
                most => most,
            },
        };
        self.start(
            entry,
            &Wanted {
                what: What::Bytes { count, partial },
                most,
                reading: true,
            },
        )
    }

    /// `read_until`.
    pub(super) fn start_until<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        delimiter: &Bound<'py, PyAny>,
        most: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match delimiter.cast_exact::<PyBytes>() {
            Ok(delimiter) => self.start_search(entry, What::Until(delimiter.clone()), most),
            Err(_) => Ok(None),
        }
    }

    /// `read_until_regex`.
    pub(super) fn start_regex<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        regex: &Bound<'py, PyAny>,
        most: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // What is wrong with it Tornado's method says.
        match self.compile.bind(entry.stream.py()).call1((regex,)) {
            Ok(regex) => self.start_search(entry, What::Regex(regex), most),
            Err(_) => Ok(None),
        }
    }

    fn start_search<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        what: What<'py>,
        most: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let most = match number(most) {
            None if !most.is_none() => return Ok(None),
            most => most,
        };
        self.start(
            entry,
            &Wanted {
                what,
                most,
                reading: true,
            },
        )
    }

    /// Starts a read. Its attributes are set only if it isn't done at once.
    fn start<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        wanted: &Wanted<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, fields) = (entry.stream.py(), &entry.fields);
        let under_way = fields.get(intern!(py, "_read_future"))?;
        if !under_way.is_some_and(|future| future.is_none())
            || fields.flag(intern!(py, "_user_read_buffer"))? != Some(false)
        {
            return Ok(None);
        }
        // It asks the loop, by what may be Python code that closes the stream: before anybody
        // looks where to read from.
        let Ok(future) = self.future.bind(py).call0() else {
            return Ok(None);
        };
        if !entry.is_open()? {
            return Ok(None);
        }
        let Some(buffer) = entry.buffer()? else {
            return Ok(None);
        };
        let Some(source) = entry.source(false)? else {
            return Ok(None);
        };
        if !matches!(wanted.what, What::Bytes { .. }) {
            fields.set(intern!(py, "_read_max_bytes"), wanted.most)?;
        }
        let mut came = None;
        if buffer.buffer.is_empty() && wanted.end(&[]).is_none() {
            let read = buffer.read(&source);
            if let Came::Data(data) = &read
                && data.as_bytes().len() <= buffer.most
            {
                match wanted.find_in(entry, data.as_bytes()) {
                    Ok(Some(end)) => {
                        let result = entry.split(&buffer.buffer, data.clone(), end)?;
                        return Self::start_done(entry, future, result).map(Some);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        entry.keep(&buffer.buffer, data.as_bytes())?;
                        Self::publish(entry, wanted, &future)?;
                        return self.start_failed(entry, &future, error).map(Some);
                    }
                }
            }
            came = Some(read);
        } else {
            match wanted.find(entry, &buffer.buffer) {
                Ok(Some(end)) => {
                    let result = entry.consume(&buffer.buffer, end)?;
                    return Self::start_done(entry, future, result).map(Some);
                }
                Ok(None) => {}
                Err(error) => {
                    Self::publish(entry, wanted, &future)?;
                    return self.start_failed(entry, &future, error).map(Some);
                }
            }
        }
        Self::publish(entry, wanted, &future)?;
        let read = self.read_to_the_end(entry, wanted, &buffer, came);
        match read.and_then(|found| Self::conclude(entry, wanted, &buffer, found)) {
            Ok(()) => Ok(Some(future)),
            Err(error) => self.start_failed(entry, &future, error).map(Some),
        }
    }

    /// A read that is done at once.
    fn start_done<'py>(
        entry: &Entry<'_, 'py>,
        future: Bound<'py, PyAny>,
        result: Bound<'py, PyBytes>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let set_result = intern!(future.py(), "set_result");
        future.call_method1(set_result, (result,))?;
        entry.listen_for_the_end()?;
        Ok(future)
    }

    /// Sets a read's attributes.
    fn publish<'py>(
        entry: &Entry<'_, 'py>,
        wanted: &Wanted<'py>,
        future: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let (py, fields) = (entry.stream.py(), &entry.fields);
        fields.set(intern!(py, "_read_future"), future)?;
        match &wanted.what {
            What::Nothing => Ok(()),
            What::Bytes { count, partial } => {
                fields.set(intern!(py, "_read_bytes"), *count)?;
                fields.set(intern!(py, "_read_partial"), *partial)
            }
            What::Until(delimiter) => fields.set(intern!(py, "_read_delimiter"), delimiter),
            What::Regex(regex) => fields.set(intern!(py, "_read_regex"), regex),
        }
    }

    /// What a method that starts a read does when that fails.
    fn start_failed<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        future: &Bound<'py, PyAny>,
        error: PyErr,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = future.py();
        let error = error::value(py, error);
        let rare = self.rare.bind(py);
        rare.call_method1(intern!(py, "start_failed"), (entry.stream, future, error))
    }

    /// `_try_inline_read`, of a read whose attributes are set.
    pub(super) fn read_inline(&self, entry: &Entry<'_, '_>) -> PyResult<bool> {
        if Self::fills(entry)? {
            return self.fill_inline(entry);
        }
        let Some(wanted) = Wanted::of(&entry.fields, entry.stream.py())? else {
            return Ok(false);
        };
        if !entry.is_open()? {
            return Ok(false);
        }
        let Some(buffer) = entry.buffer()? else {
            return Ok(false);
        };
        let found = match wanted.find(entry, &buffer.buffer)? {
            Some(end) => Found::At(end),
            // Now, not before: a search may run signal handlers, which may close the stream.
            None => match entry.source(false)? {
                Some(source) => {
                    let first = buffer.read(&source);
                    self.read_to_the_end(entry, &wanted, &buffer, Some(first))?
                }
                None => return Ok(false),
            },
        };
        Self::conclude(entry, &wanted, &buffer, found)?;
        Ok(true)
    }

    /// `_handle_read`, up to what Tornado does outside of its `try`.
    pub(super) fn read_event<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        wanted: &Wanted<'py>,
        buffer: &Buffer<'py>,
        first: Came<'py>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match self.read_to_the_end(entry, wanted, buffer, Some(first))? {
            Found::At(end) => entry.consume(&buffer.buffer, end).map(Some),
            Found::Direct(result) => Ok(Some(result)),
            Found::Nothing | Found::Done => Ok(None),
        }
    }

    /// What follows reading in `_try_inline_read`.
    fn conclude<'py>(
        entry: &Entry<'_, 'py>,
        wanted: &Wanted<'py>,
        buffer: &Buffer<'py>,
        found: Found<'py>,
    ) -> PyResult<()> {
        match found {
            Found::At(end) => {
                let result = entry.consume(&buffer.buffer, end)?;
                entry.finish(wanted, result)
            }
            Found::Direct(result) => entry.finish(wanted, result),
            Found::Nothing if entry.is_open()? => entry.listen(),
            Found::Nothing | Found::Done => Ok(()),
        }
    }

    /// `_read_to_buffer_loop`. `first` is what was read already; what is in the buffer was
    /// looked at.
    fn read_to_the_end<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        wanted: &Wanted<'py>,
        buffer: &Buffer<'py>,
        mut first: Option<Came<'py>>,
    ) -> PyResult<Found<'py>> {
        let py = entry.stream.py();
        let target = wanted.target();
        let content = &buffer.buffer;
        let (mut next_find, mut looked_at) = (0, content.len());
        loop {
            let came = match first.take() {
                Some(came) => came,
                None => match entry.source(false)? {
                    Some(source) => buffer.read(&source),
                    None => Came::Not(Got::Unclear),
                },
            };
            let came = match came {
                Came::Not(Got::Unclear) if entry.is_open()? => {
                    self.read_anew(entry, buffer.chunk)?
                }
                came => came,
            };
            let data = match came {
                Came::Data(data) => data,
                Came::Not(Got::Nothing) if entry.is_open()? => break,
                Came::Not(Got::End) => {
                    entry.stream.call_method0(intern!(py, "close"))?;
                    return entry.find_anew();
                }
                Came::Not(Got::Refused(refused)) => {
                    let refused = error::value(py, error::os_error(refused));
                    self.lost(entry, refused.into_any())?;
                    return entry.find_anew();
                }
                // The stream is closed.
                Came::Not(_) => return entry.find_anew(),
            };
            let fresh = data.as_bytes();
            if content.is_empty()
                && fresh.len() <= buffer.most
                && !matches!(wanted.what, What::Regex(_))
            {
                match wanted.find_in(entry, fresh) {
                    Ok(Some(end)) => {
                        return entry.split(content, data, end).map(Found::Direct);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        entry.keep(content, fresh)?;
                        return Err(error);
                    }
                }
            }
            entry.keep(content, fresh)?;
            let size = content.len();
            if size > buffer.most {
                let full = intern!(py, "buffer_full");
                self.rare.bind(py).call_method1(full, (entry.stream,))?;
                return entry.find_anew();
            }
            if target.is_some_and(|target| size >= target) {
                break;
            }
            if size >= next_find {
                if let Some(end) = wanted.find(entry, content)? {
                    return Ok(Found::At(end));
                }
                next_find = size.saturating_mul(2);
                looked_at = size;
            }
        }
        if looked_at == content.len() {
            return Ok(Found::Nothing);
        }
        let end = wanted.find(entry, content)?;
        Ok(end.map_or(Found::Nothing, Found::At))
    }

    /// Reads once by Tornado's own method.
    fn read_anew<'py>(&self, entry: &Entry<'_, 'py>, chunk: usize) -> PyResult<Came<'py>> {
        let py = entry.stream.py();
        let read = intern!(py, "read");
        let read = self
            .rare
            .bind(py)
            .call_method1(read, (entry.stream, chunk))?;
        if read.is_none() {
            return Ok(Came::Not(Got::Nothing));
        }
        Ok(match read.cast_into::<PyBytes>() {
            Ok(data) if data.as_bytes().is_empty() => Came::Not(Got::End),
            Ok(data) => Came::Data(data),
            // It has failed, and the stream is closed.
            Err(_) => Came::Not(Got::Unclear),
        })
    }

    /// What `_read_to_buffer` does when the system refuses.
    fn lost(&self, entry: &Entry<'_, '_>, error: Py<PyAny>) -> PyResult<()> {
        let py = entry.stream.py();
        let lost = intern!(py, "lost");
        self.rare
            .bind(py)
            .call_method1(lost, (entry.stream, error))?;
        Ok(())
    }
}
