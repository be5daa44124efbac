//! Reading: Tornado's `_try_inline_read`, `_read_to_buffer_loop` and what they call, in
//! Tornado's order. What has come and is all that a read waits for never gets into the
//! stream's buffer.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};

use super::cache::Field;
use super::fields::number;
use super::finding::{Wanted, What};
use super::source::{Came, Got};
use super::state::{Buffer, Found};
use super::{Entry, Streams};
use crate::core::http;
use crate::py::event_loop::current::new_future;
use crate::py::support::error;

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
        // That of the last read until something: Tornado leaves it.
        let most = match entry.fields.some(Field::ReadMaxBytes)? {
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
        if let Ok(regex) = regex.cast_exact::<PyBytes>()
            && regex.as_bytes() == http::END
        {
            let head = self.head.bind(regex.py()).clone();
            return self.start_search(entry, What::Head(head), most);
        }
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
        let under_way = fields.get(Field::ReadFuture)?;
        if !under_way.is_some_and(|future| future.is_none())
            || fields.flag(Field::UserReadBuffer)? != Some(false)
        {
            return Ok(None);
        }
        // It asks the loop, by what may be Python code that closes the stream: before anybody
        // looks where to read from.
        let Ok(future) = new_future(self.future.bind(py)) else {
            return Ok(None);
        };
        if !entry.is_open()? {
            return Ok(None);
        }
        let Some(buffer) = entry.buffer()? else {
            return Ok(None);
        };
        let buffer = buffer.for_read(wanted);
        let Some(source) = entry.source(false)? else {
            return Ok(None);
        };
        if !matches!(wanted.what, What::Bytes { .. }) {
            fields.set(Field::ReadMaxBytes, wanted.most.map(make::Unsigned))?;
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
        let fields = &entry.fields;
        fields.set(Field::ReadFuture, future)?;
        match &wanted.what {
            What::Nothing => Ok(()),
            What::Bytes { count, partial } => {
                fields.set(Field::ReadBytes, make::Unsigned(*count))?;
                fields.set(Field::ReadPartial, *partial)
            }
            What::Until(delimiter) => fields.set(Field::ReadDelimiter, delimiter),
            What::Regex(regex) | What::Head(regex) => fields.set(Field::ReadRegex, regex),
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
        let Some(wanted) = Wanted::of(self, &entry.fields)? else {
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
            .call_method1(read, (entry.stream, make::Unsigned(chunk)))?;
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
