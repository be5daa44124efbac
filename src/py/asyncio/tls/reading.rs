//! Reading: ciphertext that has come, and the protocol that is told of what it says.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::seen::Flag;
use super::stock::{self, MAX_SIZE};
use super::{State, Tls};
use crate::core::tls::RECORD;
use crate::py::transport::buffers::{View, join};
use crate::py::transport::tls::Read;

impl Tls {
    /// Whether `take` and `taken` do what asyncio's `get_buffer` and `buffer_updated` do.
    /// If not, those are called; also if that can't be told: they raise what they do.
    pub fn takes(&self, py: Python<'_>) -> bool {
        self.is_ready(py).unwrap_or(false)
    }

    /// Takes what has come.
    ///
    /// # Errors
    /// Memory is short.
    pub fn take(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        if data.len() > RECORD
            && self.state(py)? == State::Wrapped
            && !self.is(py, Flag::AppReadingPaused)?
            && !self.is(py, Flag::Buffered)?
        {
            // `taken` reads it all.
            self.engine.feed_to_read(py, data)
        } else {
            self.engine.feed_bytes(py, data)
        }
    }

    /// Does what is to do with what was taken.
    ///
    /// # Errors
    /// Those that `buffer_updated` raises.
    pub fn taken(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        match this.state(py)? {
            State::Wrapped => Self::do_read(slf),
            State::Handshake => this.call(intern!(py, "_do_handshake")),
            State::Flushing => this.call(intern!(py, "_do_flush")),
            State::Shutdown => this.call(intern!(py, "_do_shutdown")),
            State::Unwrapped => Ok(()),
        }
    }

    /// asyncio's `_do_read`, of a connection that is established.
    fn do_read(slf: &Bound<'_, Self>) -> PyResult<()> {
        let outcome = Self::read_and_send(slf);
        slf.get().fatal(slf.py(), outcome)
    }

    fn read_and_send(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if !this.is(py, Flag::AppReadingPaused)? {
            let closed = if this.is(py, Flag::Buffered)? {
                Self::read_buffered(slf)?
            } else {
                this.read_copied(py)?
            };
            if closed {
                this.call(intern!(py, "_call_eof_received"))?;
                this.call(intern!(py, "_start_shutdown"))?;
            }
            if this.get(intern!(py, "_write_backlog"))?.is_empty()? {
                this.process_outgoing(py)?;
            } else {
                this.call(intern!(py, "_do_write"))?;
            }
        }
        this.control_ssl_reading(py)
    }

    /// asyncio's `_do_read__copied`. Whether the peer has said that nothing more comes.
    fn read_copied(&self, py: Python<'_>) -> PyResult<bool> {
        let mut data = None;
        let mut more = Vec::new();
        let closed = loop {
            if data.is_some() && self.engine.is_drained(py) {
                break false;
            }
            match self.read(py, MAX_SIZE)? {
                Read::Data(piece) if data.is_none() => data = Some(piece),
                Read::Data(piece) => more.push(piece),
                Read::Closed => break true,
                Read::Empty => break false,
                Read::Failed(error) => return Err(error),
            }
        };
        if let Some(first) = data {
            let data = if more.is_empty() {
                first
            } else {
                join(&make::list(py, std::iter::once(first).chain(more))?)?
            };
            let protocol = self.get(intern!(py, "_app_protocol"))?;
            protocol.call_method1(intern!(py, "data_received"), (data,))?;
        }
        Ok(closed)
    }

    /// asyncio's `_do_read__buffered`. Whether the peer has said that nothing more comes.
    fn read_buffered(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let pending = this.engine.incoming_pending(py)?;
        let buffer = this.get(intern!(py, "_app_protocol_get_buffer"))?;
        let buffer = buffer.call1((make::Unsigned(pending),))?;
        let mut wanted = buffer.len()?;
        let (count, closed) = match View::of_memory(&buffer) {
            Ok(mut view) if wanted.min(view.len()) > 0 => {
                // What it says may be more than there is.
                wanted = wanted.min(view.len());
                this.fill(py, &mut view, wanted)?
            }
            // Asked for nothing, or no memory: `ssl` says what that means.
            _ => {
                let sslobj = this.get(intern!(py, "_sslobj"))?;
                let count =
                    sslobj.call_method1(intern!(py, "read"), (make::Unsigned(wanted), &buffer))?;
                let count: usize = count.extract()?;
                (count, count == 0)
            }
        };
        if count > 0 && count == wanted {
            let again = slf.getattr(intern!(py, "_do_read"))?;
            let event_loop = this.get(intern!(py, "_loop"))?;
            event_loop.call_method1(intern!(py, "call_soon"), (again,))?;
        }
        if count > 0 {
            let updated = this.get(intern!(py, "_app_protocol_buffer_updated"))?;
            updated.call1((make::Unsigned(count),))?;
        }
        Ok(closed)
    }

    /// Fills memory as far as there is something. How far that was, and whether the peer
    /// has said that nothing more comes.
    fn fill(&self, py: Python<'_>, view: &mut View, wanted: usize) -> PyResult<(usize, bool)> {
        let mut count = 0;
        while count < wanted {
            match self.read(py, wanted - count)? {
                Read::Data(piece) => {
                    let room = |room: &mut [_]| {
                        copy(piece.as_bytes(), room.get_mut(count..).unwrap_or_default())
                    };
                    count += view.fill(room);
                }
                Read::Closed => return Ok((count, true)),
                Read::Empty => break,
                Read::Failed(error) => return Err(error),
            }
        }
        Ok((count, false))
    }

    /// Reads once. What asyncio takes for "not now" isn't a failure.
    fn read<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Read<'py>> {
        match self.engine.read(py, limit) {
            Read::Failed(error) if stock::means_again(py, &error)? => Ok(Read::Empty),
            read => Ok(read),
        }
    }
}

/// Copies as much as there is room for.
fn copy(bytes: &[u8], room: &mut [std::mem::MaybeUninit<u8>]) -> usize {
    let count = bytes.len().min(room.len());
    for (to, from) in room.iter_mut().zip(bytes) {
        to.write(*from);
    }
    count
}

#[pymethods]
impl Tls {
    /// asyncio's own method, called in another iteration.
    fn _do_read(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if !this.is_ready(py)? {
            return this.call(intern!(py, "_do_read"));
        }
        match this.state(py)? {
            State::Wrapped | State::Flushing => Self::do_read(slf),
            _ => Ok(()),
        }
    }
}
