//! What a stream's attributes were when they were looked up last.
//!
//! A method looks at twenty of them, and most are flags and numbers that stay as they are from
//! one to the next. Up to Python 3.12 one comparison tells that none has changed
//! (`support/dict_version.rs`); what was found is used again then. Later ones are looked up each
//! time, and so is every other object: an assignment in Python 3.11 and 3.12 frees the value that
//! it replaces before the dict has its new version, and what frees it may run code that comes by
//! here. Nothing of that kind happens when None, a flag or a number is replaced.
#![allow(unsafe_code)]

use std::cell::Cell;

use crate::py::support::dict_version::dict_version;
use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

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
    TotalWriteDoneIndex,
    TotalWriteIndex,
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
            Field::TotalWriteDoneIndex => intern!(py, "_total_write_done_index"),
            Field::TotalWriteIndex => intern!(py, "_total_write_index"),
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

/// What an attribute was.
#[derive(Clone, Copy)]
pub enum Known {
    /// There was none.
    Missing,
    None,
    Flag(bool),
    /// Exactly an `int`.
    Number(usize),
}

/// The attributes of these kinds in one version of a stream's dict.
pub struct Cache {
    // GIL: who is attached has all of it alone. Without one there are no versions of dicts.
    version: Cell<u64>,
    /// A bit for each attribute that is known.
    known: Cell<u32>,
    values: [Cell<Known>; FIELDS],
}

// SAFETY: it is used by threads that are attached, one after the other.
unsafe impl Send for Cache {}
// SAFETY: the same.
unsafe impl Sync for Cache {}

impl Default for Cache {
    fn default() -> Cache {
        Cache {
            version: Cell::new(0),
            known: Cell::new(0),
            values: [const { Cell::new(Known::Missing) }; FIELDS],
        }
    }
}

impl Cache {
    /// What the stream's dict has; `None`: it is to be looked up.
    #[inline]
    pub fn get(&self, dict: &Bound<'_, PyDict>, field: Field) -> Option<Known> {
        let version = dict_version(dict)?;
        if self.version.get() != version || self.known.get() & 1 << field as u32 == 0 {
            return None;
        }
        // A dict has no version that it, or another one, has had before. So this is the very
        // dict in which it was found.
        self.values.get(field as usize).map(Cell::get)
    }

    /// Notes what a dict has in this version; `None`: it is to be looked up.
    #[inline]
    pub fn note(&self, version: u64, field: Field, value: Option<Known>) {
        if self.version.get() != version {
            self.version.set(version);
            self.known.set(0);
        }
        let bit = 1 << field as u32;
        let known = self.known.get();
        match (value, self.values.get(field as usize)) {
            (Some(value), Some(place)) => {
                place.set(value);
                self.known.set(known | bit);
            }
            _ => self.known.set(known & !bit),
        }
    }

    /// Notes that a dict has changed from one version to another by this value alone.
    #[inline]
    pub fn change(&self, before: u64, after: u64, field: Field, value: Option<Known>) {
        if self.version.get() == before {
            self.version.set(after);
        }
        self.note(after, field, value);
    }
}
