//! What a read waits for, and where in what has come it ends.

use crate::py::support::make;
use crate::py::support::names::intern;
use memchr::memmem;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use super::cache::Field;
use super::fields::{Fields, look};
use super::received::{ALL, LEAST};
use super::{Entry, Streams};
use crate::core::http;

/// What a read waits for.
pub enum What<'py> {
    /// No end that could be found: nobody reads, or until the stream is closed.
    Nothing,
    Bytes {
        count: usize,
        partial: bool,
    },
    Until(Bound<'py, PyBytes>),
    Regex(Bound<'py, PyAny>),
    /// The regex `http::END`, which is known without asking it.
    Head(Bound<'py, PyAny>),
}

/// A read that is under way, if any is.
pub struct Wanted<'py> {
    pub what: What<'py>,
    /// `_read_max_bytes`.
    pub most: Option<usize>,
    /// Whether somebody waits for it.
    pub reading: bool,
}

impl<'py> Wanted<'py> {
    /// What the attributes say; `None` if that is nothing that is known here.
    pub fn of(streams: &Streams, fields: &Fields<'py>) -> PyResult<Option<Wanted<'py>>> {
        let bytes = fields.some(Field::ReadBytes)?;
        let delimiter = fields.some(Field::ReadDelimiter)?;
        let regex = fields.some(Field::ReadRegex)?;
        let what = match (bytes, delimiter, regex) {
            (None, None, None) => What::Nothing,
            (Some(bytes), None, None) => {
                let partial = fields.flag(Field::ReadPartial)?;
                match (super::fields::number(&bytes), partial) {
                    (Some(count), Some(partial)) => What::Bytes { count, partial },
                    _ => return Ok(None),
                }
            }
            (None, Some(delimiter), None) => match delimiter.cast_into_exact() {
                Ok(delimiter) => What::Until(delimiter),
                Err(_) => return Ok(None),
            },
            (None, None, Some(regex)) if regex.is(&streams.head) => What::Head(regex),
            (None, None, Some(regex)) => What::Regex(regex),
            _ => return Ok(None),
        };
        let most = match fields.some(Field::ReadMaxBytes)? {
            None => None,
            Some(most) => match super::fields::number(&most) {
                None => return Ok(None),
                most => most,
            },
        };
        let reading = fields.some(Field::ReadFuture)?.is_some();
        Ok(Some(Wanted {
            what,
            most,
            reading,
        }))
    }

    /// How many bytes are enough to stop reading; `None`: there is no such number.
    pub fn target(&self) -> Option<usize> {
        match self.what {
            What::Bytes { count, .. } => Some(count),
            _ if self.most.is_some() => self.most,
            _ if self.reading => None,
            _ => Some(0),
        }
    }

    /// Where in these bytes the read ends, if that can be told without an object.
    pub fn end(&self, data: &[u8]) -> Option<usize> {
        match &self.what {
            What::Bytes { count, partial } => {
                let least = if *count == ALL { LEAST } else { 1 };
                let enough = data.len() >= *count || (*partial && data.len() >= least);
                enough.then(|| data.len().min(*count))
            }
            What::Until(delimiter) if !data.is_empty() => {
                let delimiter = delimiter.as_bytes();
                memmem::find(data, delimiter).map(|at| at + delimiter.len())
            }
            What::Head(_) => http::end_of_head(data),
            _ => None,
        }
    }

    /// `end`, and refuses what is too long.
    ///
    /// # Errors
    /// `UnsatisfiableReadError`.
    pub fn find_in(&self, entry: &Entry<'_, 'py>, data: &[u8]) -> PyResult<Option<usize>> {
        let end = self.end(data);
        if let Some(mark) = self.mark()
            && !data.is_empty()
        {
            self.check(entry, mark, end.unwrap_or(data.len()))?;
        }
        Ok(end)
    }

    /// What it looks for, if that can be looked for without an object.
    fn mark(&self) -> Option<&Bound<'py, PyAny>> {
        match &self.what {
            What::Until(delimiter) => Some(delimiter.as_any()),
            What::Head(regex) => Some(regex),
            What::Nothing | What::Bytes { .. } | What::Regex(_) => None,
        }
    }

    /// Where in the stream's buffer the read ends.
    ///
    /// # Errors
    /// `UnsatisfiableReadError`, and those of a search.
    pub fn find(
        &self,
        entry: &Entry<'_, 'py>,
        buffer: &Bound<'py, PyByteArray>,
    ) -> PyResult<Option<usize>> {
        let py = buffer.py();
        let What::Regex(regex) = &self.what else {
            let (end, size) = look(buffer, |data| (self.end(data), data.len()));
            if let Some(mark) = self.mark()
                && size > 0
            {
                self.check(entry, mark, end.unwrap_or(size))?;
            }
            return Ok(end);
        };
        if buffer.is_empty() {
            return Ok(None);
        }
        let found = regex.call_method1(intern!(py, "search"), (buffer,))?;
        let end = if found.is_none() {
            None
        } else {
            Some(found.call_method0(intern!(py, "end"))?.extract()?)
        };
        self.check(entry, regex, end.unwrap_or_else(|| buffer.len()))?;
        Ok(end)
    }

    /// Refuses a read that takes so many bytes, if that is too many.
    ///
    /// # Errors
    /// `UnsatisfiableReadError`.
    fn check(&self, entry: &Entry<'_, 'py>, what: &Bound<'py, PyAny>, size: usize) -> PyResult<()> {
        if self.most.is_some_and(|most| size > most) {
            let check = intern!(what.py(), "_check_max_bytes");
            entry
                .stream
                .call_method1(check, (what, make::Unsigned(size)))?;
        }
        Ok(())
    }
}
