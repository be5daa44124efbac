//! What waits to be sent on a stream.
//!
//! Chunks are kept as they were given, and sent many at a time. What is sent is
//! handed back, so that the caller drops it when no lock is held.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;

use crate::core::fifo::Fifo;
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
    /// receives the chunks that are done.
    ///
    /// # Errors
    /// Those of the system but `WouldBlock`; what wasn't sent stays.
    pub fn send(&mut self, fd: RawFd, sent: &mut Fifo<B>) -> io::Result<()> {
        while let Some(first) = self.chunks.first() {
            let bytes = first.as_ref().get(self.offset..).unwrap_or_default();
            let (outcome, offered) = if self.chunks.has_more() {
                self.send_many(fd, bytes)
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

    /// Everything that is unsent, as one string of bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.first(self.len)
    }

    /// The first chunk, and how much of it is sent already.
    #[must_use]
    pub fn front(&self) -> Option<(&B, usize)> {
        self.chunks.first().map(|chunk| (chunk, self.offset))
    }

    /// The first bytes that are unsent, `limit` of them at most.
    #[must_use]
    pub fn first(&self, limit: usize) -> Vec<u8> {
        let mut left = limit.min(self.len);
        let mut bytes = Vec::with_capacity(left);
        let mut offset = self.offset;
        for chunk in self.chunks.iter() {
            let chunk = chunk.as_ref().get(offset..).unwrap_or_default();
            let part = chunk.get(..left).unwrap_or(chunk);
            bytes.extend_from_slice(part);
            left -= part.len();
            if left == 0 {
                break;
            }
            offset = 0;
        }
        bytes
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
mod tests;
