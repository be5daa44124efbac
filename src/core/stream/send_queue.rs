//! What waits to be sent on a stream.
//!
//! Chunks are kept as they were given, and sent many at a time. What is sent is
//! handed back, so that the caller drops it when no lock is held.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;

use crate::core::fifo::Fifo;
use crate::core::room::NoRoom;
use crate::core::sys::sockets as socket;

/// How many chunks one system call takes at most.
const SLICES: usize = 64;

/// Chunks of bytes in the order of their writing.
#[derive(Debug)]
pub struct SendQueue<B> {
    chunks: Fifo<B>,
    /// How much of the first chunk is sent already.
    offset: usize,
    /// How much is unsent.
    len: usize,
}

impl<B> Default for SendQueue<B> {
    fn default() -> Self {
        SendQueue {
            chunks: Fifo::default(),
            offset: 0,
            len: 0,
        }
    }
}

impl<B: AsRef<[u8]>> SendQueue<B> {
    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many chunks there are.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Makes room for so many chunks more, which adding them then needs no memory for.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        self.chunks.make_room(more)
    }

    /// Adds a chunk at the end; an empty one is handed back.
    pub fn push(&mut self, chunk: B) -> Option<B> {
        let len = chunk.as_ref().len();
        if len == 0 {
            return Some(chunk);
        }
        self.len += len;
        self.chunks.push(chunk);
        None
    }

    /// Adds everything of another queue, which was written later.
    pub fn append(&mut self, later: SendQueue<B>) {
        debug_assert_eq!(later.offset, 0, "a queue that was sent from isn't later");
        self.len += later.len;
        self.chunks.append(later.chunks);
    }

    /// Sends until everything is sent or the kernel takes no more; `sent`
    /// receives the chunks that are done. Where there is no memory for those, less is sent.
    ///
    /// # Errors
    /// Those of the system but `WouldBlock`; what wasn't sent stays.
    pub fn send(&mut self, fd: RawFd, sent: &mut Fifo<B>) -> io::Result<()> {
        while let Some(first) = self.chunks.first() {
            let bytes = first.as_ref().get(self.offset..).unwrap_or_default();
            let slices = SLICES.min(self.chunks.len());
            let (outcome, offered) = if slices > 1 && sent.make_room(slices).is_ok() {
                self.send_many(fd, bytes)
            } else if sent.make_room(1).is_err() {
                return Ok(());
            } else {
                (socket::send(fd, bytes), bytes.len())
            };
            let count = match outcome {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
            self.consume(count, sent);
            if count < offered {
                break;
            }
        }
        Ok(())
    }

    fn send_many(&self, fd: RawFd, first: &[u8]) -> (io::Result<usize>, usize) {
        let mut slices = [IoSlice::new(first); SLICES];
        let (mut filled, mut offered) = (1, first.len());
        for (slice, chunk) in slices.iter_mut().zip(self.chunks.iter()).skip(1) {
            *slice = IoSlice::new(chunk.as_ref());
            offered += slice.len();
            filled += 1;
        }
        let slices = slices.get(..filled).unwrap_or_default();
        (socket::send_vectored(fd, slices), offered)
    }

    /// Copies what is unsent to `room`, as far as either goes. Says how much that was.
    pub fn copy_to(&self, room: &mut [u8]) -> usize {
        let (mut filled, mut offset) = (0, self.offset);
        for chunk in self.chunks.iter() {
            let chunk = chunk.as_ref().get(offset..).unwrap_or_default();
            let left = room.get_mut(filled..).unwrap_or_default();
            let count = chunk.len().min(left.len());
            if let (Some(left), Some(chunk)) = (left.get_mut(..count), chunk.get(..count)) {
                left.copy_from_slice(chunk);
            }
            filled += count;
            offset = 0;
        }
        filled
    }

    /// The first chunk, and how much of it is sent already.
    #[must_use]
    pub fn front(&self) -> Option<(&B, usize)> {
        self.chunks.first().map(|chunk| (chunk, self.offset))
    }

    /// Forgets `count` bytes that were sent.
    pub fn consume(&mut self, count: usize, sent: &mut Fifo<B>) {
        self.len = self.len.saturating_sub(count);
        self.offset += count;
        while let Some(first) = self.chunks.first() {
            let len = first.as_ref().len();
            if self.offset < len {
                return;
            }
            self.offset -= len;
            if let Some(chunk) = self.chunks.pop() {
                sent.push(chunk);
            }
        }
        self.offset = 0;
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
