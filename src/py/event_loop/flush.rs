//! What is sent at the end of an iteration.
//!
//! A stream that a callback writes to is noted here, and flushed when the iteration's
//! calls are made, together with the others; or before the next call, once what they have
//! to send is much.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::state::EventLoop;
use crate::core::fifo::Fifo;
use crate::core::room::NoRoom;
use crate::core::stream::write_buffer::HOLD;
use crate::core::sys::threads;
use crate::py::dispatch::call::Call;
use crate::py::dispatch::unflushed::Unflushed;
use crate::py::support::guarded::Guarded;

/// See the module's documentation.
#[derive(Default)]
pub struct FlushQueue {
    streams: Guarded<Fifo<Unflushed>>,
    /// How many bytes they had when they were noted.
    held: AtomicUsize,
}

impl FlushQueue {
    /// Whether there are at least so many bytes to send.
    #[inline]
    fn holds(&self, bytes: usize) -> bool {
        self.held.load(Ordering::Relaxed) >= bytes
    }

    /// The streams that have something to send, if that is at least `bytes`.
    fn take(&self, py: Python<'_>, bytes: usize) -> Option<Fifo<Unflushed>> {
        if !self.holds(bytes) {
            return None;
        }
        // GIL: the number and the streams change together.
        self.held.store(0, Ordering::Relaxed);
        Some(std::mem::take(&mut *self.streams.lock(py)))
    }

    /// Forgets the streams, without sending.
    pub fn clear(&self, py: Python<'_>) {
        drop(self.take(py, 0));
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(streams) = self.streams.visit(&visit) {
            for stream in streams.iter() {
                stream.traverse(visit)?;
            }
        }
        Ok(())
    }
}

impl EventLoop {
    /// Notes a stream that has `bytes` to send, for the end of the iteration.
    ///
    /// # Errors
    /// There is no memory for that: it has to be flushed at once.
    pub fn note_unflushed(
        &self,
        py: Python<'_>,
        stream: Unflushed,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        let outside = !self.is_iterating();
        if outside {
            self.calls.lock(py).make_room(1)?;
        }
        {
            let mut streams = self.unflushed.streams.lock(py);
            streams.make_room(1)?;
            streams.push(stream);
        }
        self.unflushed.held.fetch_add(bytes, Ordering::Relaxed);
        if outside {
            // Written from outside the loop. There is room for it.
            drop(self.schedule(py, Call::Flush));
        }
        Ok(())
    }

    /// Whether an iteration makes calls at this moment: it ends with a flush.
    pub fn is_iterating(&self) -> bool {
        self.turns.load(Ordering::Relaxed) != 0
    }

    /// The same, in this thread.
    pub fn is_iterating_here(&self) -> bool {
        self.is_iterating() && self.thread.load(Ordering::Relaxed) == threads::current()
    }
}

/// Flushes what was written, if it is much: before the next call begins.
#[inline]
pub fn flush_much(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    if event_loop.get().unflushed.holds(HOLD) {
        return flush_from(event_loop, HOLD);
    }
    Ok(())
}

/// Flushes everything that was written.
///
/// # Errors
/// Those exceptions that must end the loop; the other streams are flushed all the same.
#[inline]
pub fn flush(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    if event_loop.get().unflushed.holds(1) {
        return flush_from(event_loop, 1);
    }
    Ok(())
}

fn flush_from(event_loop: &Bound<'_, EventLoop>, bytes: usize) -> PyResult<()> {
    let mut outcome = Ok(());
    if !event_loop.get().is_here() {
        // The parent sends it.
        return outcome;
    }
    while let Some(mut streams) = event_loop.get().unflushed.take(event_loop.py(), bytes) {
        while let Some(stream) = streams.pop() {
            outcome = outcome.and(stream.flush(event_loop));
            if !event_loop.get().is_here() {
                // A protocol that was told of it has forked: the parent sends the others.
                return outcome;
            }
        }
    }
    outcome
}
