//! What a stream's attributes were when they were looked up last.
//!
//! A method looks at twenty of them, and most stay as they are from one to the next. Up to
//! Python 3.12 one comparison tells that none has changed (`support/dict_version.rs`); what was
//! found is used again then. Later ones are looked up each time.
#![allow(unsafe_code)]

use std::ptr::null_mut;

use crate::py::support::names::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The attributes of a stream that are looked at, under Tornado's names.
#[derive(Clone, Copy)]
pub enum Field {
    CloseCallback,
    Closed,
    Connecting,
    Fio,
    ReadBuffer,
    ReadBufferSize,
    ReadBytes,
    ReadDelimiter,
    ReadFuture,
    ReadMaxBytes,
    ReadPartial,
    ReadRegex,
    SslAccepting,
    State,
    UserReadBuffer,
    WriteFutures,
    Fd,
    MaxBufferSize,
    MaxWriteBufferSize,
    ReadChunkSize,
    Socket,
}

/// How many there are.
const FIELDS: usize = Field::Socket as usize + 1;

impl Field {
    /// What Tornado calls it.
    pub fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Field::CloseCallback => intern!(py, "_close_callback"),
            Field::Closed => intern!(py, "_closed"),
            Field::Connecting => intern!(py, "_connecting"),
            Field::Fio => intern!(py, "_fio"),
            Field::ReadBuffer => intern!(py, "_read_buffer"),
            Field::ReadBufferSize => intern!(py, "_read_buffer_size"),
            Field::ReadBytes => intern!(py, "_read_bytes"),
            Field::ReadDelimiter => intern!(py, "_read_delimiter"),
            Field::ReadFuture => intern!(py, "_read_future"),
            Field::ReadMaxBytes => intern!(py, "_read_max_bytes"),
            Field::ReadPartial => intern!(py, "_read_partial"),
            Field::ReadRegex => intern!(py, "_read_regex"),
            Field::SslAccepting => intern!(py, "_ssl_accepting"),
            Field::State => intern!(py, "_state"),
            Field::UserReadBuffer => intern!(py, "_user_read_buffer"),
            Field::WriteFutures => intern!(py, "_write_futures"),
            Field::Fd => intern!(py, "fd"),
            Field::MaxBufferSize => intern!(py, "max_buffer_size"),
            Field::MaxWriteBufferSize => intern!(py, "max_write_buffer_size"),
            Field::ReadChunkSize => intern!(py, "read_chunk_size"),
            Field::Socket => intern!(py, "socket"),
        }
    }
}

/// The values of attributes in one version of a stream's dict, which owns them as long as it has
/// that version.
pub struct Cache {
    version: u64,
    /// A bit for each field that was looked up.
    known: u32,
    /// Null: there is no such attribute.
    values: [*mut ffi::PyObject; FIELDS],
}

// SAFETY: the values are used by threads that are attached.
unsafe impl Send for Cache {}

impl Default for Cache {
    fn default() -> Cache {
        Cache {
            version: 0,
            known: 0,
            values: [null_mut(); FIELDS],
        }
    }
}

impl Cache {
    /// The value in this version of the dict; `None`: it is to be looked up.
    ///
    /// # Safety
    /// It is the version that the stream's dict has.
    #[inline]
    pub unsafe fn get<'py>(
        &self,
        py: Python<'py>,
        version: u64,
        field: Field,
    ) -> Option<Option<Bound<'py, PyAny>>> {
        if self.version != version || self.known & 1 << field as u32 == 0 {
            return None;
        }
        let value = *self.values.get(field as usize)?;
        // SAFETY: attached. A dict has no version that it, or another one, has had before. So
        // this is the very dict in which the value was found, and it has the value still.
        Some(unsafe { Bound::from_borrowed_ptr_or_opt(py, value) })
    }

    /// Notes what a dict has in this version.
    #[inline]
    pub fn note(&mut self, version: u64, field: Field, value: Option<&Bound<'_, PyAny>>) {
        if self.version != version {
            self.version = version;
            self.known = 0;
        }
        if let Some(place) = self.values.get_mut(field as usize) {
            *place = value.map_or(null_mut(), Bound::as_ptr);
            self.known |= 1 << field as u32;
        }
    }

    /// Notes that a dict has changed from one version to another by this value alone.
    #[inline]
    pub fn change(&mut self, before: u64, after: u64, field: Field, value: &Bound<'_, PyAny>) {
        if self.version == before {
            self.version = after;
        }
        self.note(after, field, Some(value));
    }
}
