//! What waits to be sent on a stream.
//!
//! Chunks are kept as they were given, and sent many at a time. What is sent is
//! handed back, so that the caller drops it when no lock is held.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;

use super::sys::socket;

/// How many chunks one system call takes at most.
const SLICES: usize = 64;

/// Chunks of bytes in the order of their writing.
#[derive(Debug)]
pub struct SendQueue<B> {
    /// Mostly the only one; kept apart, it needs no memory of its own.
    first: Option<B>,
    rest: VecDeque<B>,
    /// How much of the first chunk is sent already.
    offset: usize,
    /// How much is unsent.
    len: usize,
}

impl<B> Default for SendQueue<B> {
    fn default() -> Self {
        SendQueue {
            first: None,
            rest: VecDeque::new(),
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
        match self.first {
            None => self.first = Some(chunk),
            Some(_) => self.rest.push_back(chunk),
        }
        None
    }

    /// Adds everything of another queue, which was written later.
    pub fn append(&mut self, mut later: SendQueue<B>) {
        if self.is_empty() {
            *self = later;
        } else {
            debug_assert_eq!(later.offset, 0, "a queue that was sent from isn't later");
            self.len += later.len;
            self.rest.extend(later.first);
            self.rest.append(&mut later.rest);
        }
    }

    /// Sends until everything is sent or the kernel takes no more; `sent`
    /// receives the chunks that are done.
    ///
    /// # Errors
    /// Those of the system but `WouldBlock`; what wasn't sent stays.
    pub fn send(&mut self, fd: RawFd, sent: &mut Vec<B>) -> io::Result<()> {
        while let Some(first) = &self.first {
            let bytes = first.as_ref().get(self.offset..).unwrap_or_default();
            let (outcome, offered) = if self.rest.is_empty() {
                (socket::send(fd, bytes), bytes.len())
            } else {
                self.send_many(fd, bytes)
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
        for (slice, chunk) in slices.iter_mut().skip(1).zip(&self.rest) {
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
        let mut bytes = Vec::with_capacity(self.len);
        let mut offset = self.offset;
        for chunk in self.first.iter().chain(&self.rest) {
            bytes.extend_from_slice(chunk.as_ref().get(offset..).unwrap_or_default());
            offset = 0;
        }
        bytes
    }

    /// Forgets `count` bytes that were sent.
    pub fn consume(&mut self, count: usize, sent: &mut Vec<B>) {
        self.len = self.len.saturating_sub(count);
        self.offset += count;
        while let Some(first) = &self.first {
            let len = first.as_ref().len();
            if self.offset < len {
                return;
            }
            self.offset -= len;
            sent.extend(std::mem::replace(&mut self.first, self.rest.pop_front()));
        }
        // Thousands of idle connections would each keep theirs.
        self.rest = VecDeque::new();
        self.offset = 0;
    }
}

#[cfg(test)]
mod tests;
