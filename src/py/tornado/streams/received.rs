//! What a stream has received and nobody has read yet, for a reader that is native itself: it
//! takes from the stream's buffer what `read_bytes` would return at once.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use super::cache::Field;
use super::fields::{append, change, discard, look};
use super::{Entry, Streams};
use crate::py::transport::read_buffer::READ_SIZE;

/// How much a native reader reads where nothing has come yet, partially: all that comes, as soon
/// as there are `LEAST` bytes. Nobody else reads just so much.
pub const ALL: usize = usize::MAX / 2 - READ_SIZE;

/// As many as Tornado reads then.
pub const LEAST: usize = 2;

/// See the module's documentation. It holds as long as no Python code has run.
pub struct Received<'a, 'py> {
    entry: Entry<'a, 'py>,
    buffer: Bound<'py, PyByteArray>,
}

impl Streams {
    /// What there is of a stream; `None` if it has to be asked by its own methods.
    pub fn received<'a, 'py>(
        &self,
        stream: &'a Bound<'py, PyAny>,
    ) -> PyResult<Option<Received<'a, 'py>>> {
        let Some(entry) = self.enter(stream)? else {
            return Ok(None);
        };
        let under_way = entry.fields.get(Field::ReadFuture)?;
        if !under_way.is_some_and(|future| future.is_none())
            || entry.fields.flag(Field::UserReadBuffer)? != Some(false)
        {
            return Ok(None);
        }
        let buffer = entry.buffer()?.map(|buffer| buffer.buffer);
        Ok(buffer.map(|buffer| Received { entry, buffer }))
    }
}

impl Received<'_, '_> {
    /// Whether reading more is native too.
    ///
    /// # Errors
    /// Those of asking for the descriptor.
    pub fn is_read_natively(&self) -> PyResult<bool> {
        Ok(self.entry.source(false)?.is_some())
    }

    /// Looks at it. `see` runs no Python code.
    pub fn look<R>(&self, see: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.buffer, see)
    }

    /// Drops so many bytes that there are: somebody has them.
    ///
    /// # Errors
    /// Those of listening for the stream's end. Nothing is dropped if memory is short.
    pub fn discard(&self, count: usize) -> PyResult<()> {
        discard(&self.buffer, count)?;
        self.entry.note_size(&self.buffer)?;
        self.entry.listen_for_the_end()
    }

    /// Puts back, before all else, the end of what was taken by a read of `ALL`.
    ///
    /// # Errors
    /// Memory is short: nothing is put back.
    pub fn put_back(&self, data: &[u8]) -> PyResult<()> {
        if data.is_empty() {
            return Ok(());
        }
        let size = self.buffer.len();
        append(&self.buffer, data)?;
        if size > 0 {
            change(&self.buffer, |bytes| bytes.rotate_left(size));
        }
        self.entry.note_size(&self.buffer)
    }

    /// Notes that all was taken that came for a read that Tornado would have had a rest of. It
    /// wouldn't listen then until somebody reads; that is done when something comes.
    pub fn left_a_rest(&self) {
        let still = &self.entry.fields.watch.get().listens_still;
        still.store(true, Ordering::Relaxed);
    }
}
