//! What is written to a stream and not sent yet: when it is sent, and when the writer has
//! to pause.
//!
//! What one iteration writes is sent at its end, several writes by one system call, or
//! sooner if it is much. What the socket doesn't take then waits for it to be writable.
//! Each method says what to do next and leaves the doing to the caller, who holds no lock
//! by then.

use std::io;
use std::os::fd::RawFd;

use super::send_queue::SendQueue;
use crate::core::fifo::Fifo;
use crate::core::room::NoRoom;

/// How many bytes are held at most before they are sent: together they wake a peer on
/// this machine less often, as long as they stay in the processor's cache.
pub const HOLD: usize = 64 * 1024;

/// When the writer has to pause, and when it may go on, in bytes.
#[derive(Debug)]
struct Marks {
    high: usize,
    low: usize,
}

/// The documented defaults.
static MARKS: Marks = Marks {
    high: 64 * 1024,
    low: 16 * 1024,
};

/// What to do after a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: sending is seen to already.
    Wait,
    /// Note the stream for the end of the iteration.
    Note,
    /// Send now.
    Send,
}

/// What became of sending.
#[derive(Debug)]
pub enum Sent {
    /// Everything is sent.
    All,
    /// The socket takes no more: watch for it to be writable.
    Rest,
    /// Nothing can be sent any more.
    Failed(io::Error),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct WriteBuffer<B> {
    queue: SendQueue<B>,
    /// `None`: the defaults.
    marks: Option<Box<Marks>>,
    /// Whether the writer has been told to pause.
    paused: bool,
    /// Whether the end of the iteration sees to it.
    noted: bool,
    /// Whether the stream is watched for being writable.
    watched: bool,
    /// Whether sending has failed, which is told later; see `late`.
    broken: bool,
}

impl<B> Default for WriteBuffer<B> {
    fn default() -> Self {
        WriteBuffer {
            queue: SendQueue::default(),
            marks: None,
            paused: false,
            noted: false,
            watched: false,
            broken: false,
        }
    }
}

impl<B: AsRef<[u8]>> WriteBuffer<B> {
    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether bytes wait that the socket has not been offered yet.
    #[must_use]
    pub fn is_unflushed(&self) -> bool {
        !self.watched && !self.queue.is_empty()
    }

    /// Whether the stream is watched for being writable.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// The low- and the high-water mark.
    #[must_use]
    pub fn limits(&self) -> (usize, usize) {
        let Marks { high, low } = self.marks();
        (*low, *high)
    }

    /// Sets the water marks.
    pub fn set_limits(&mut self, low: usize, high: usize) {
        let differ = (low, high) != (MARKS.low, MARKS.high);
        self.marks = differ.then(|| Box::new(Marks { high, low }));
    }

    fn marks(&self) -> &Marks {
        self.marks.as_deref().unwrap_or(&MARKS)
    }

    /// Whether a chunk of so many bytes that was written now would be sent at once.
    #[must_use]
    pub fn would_send(&self, count: usize, through: bool) -> bool {
        !self.watched && (through || self.queue.len() + count > self.marks().high.min(HOLD))
    }

    /// Makes room for so many chunks more, which adding them then needs no memory for.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        self.queue.make_room(more)
    }

    /// Adds a chunk at the end; an empty one is handed back.
    pub fn push(&mut self, chunk: B) -> Option<B> {
        self.queue.push(chunk)
    }

    /// Adds everything of a queue at the end.
    pub fn append(&mut self, later: SendQueue<B>) {
        self.queue.append(later);
    }

    /// What to do now that something was added. `through`: nothing is held back.
    pub fn written(&mut self, through: bool) -> Next {
        if self.watched {
            Next::Wait
        } else if self.would_send(0, through) {
            Next::Send
        } else if std::mem::replace(&mut self.noted, true) {
            Next::Wait
        } else {
            Next::Note
        }
    }

    /// The end of the iteration has come. Whether there is something to send.
    pub fn take_note(&mut self) -> bool {
        self.noted = false;
        self.is_unflushed()
    }

    /// Sends what the socket takes; `sent` receives the chunks that are done.
    pub fn send(&mut self, fd: RawFd, sent: &mut Fifo<B>) -> Sent {
        match self.queue.send(fd, sent) {
            Err(error) => Sent::Failed(error),
            Ok(()) if self.queue.is_empty() => Sent::All,
            Ok(()) => Sent::Rest,
        }
    }

    /// Notes whether the stream is watched for being writable.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Whether the writer has to pause: what waits is above the high-water mark, and it
    /// hasn't been told yet. It counts as told then.
    pub fn pauses(&mut self) -> bool {
        let pauses = !self.paused && self.queue.len() > self.marks().high;
        self.paused |= pauses;
        pauses
    }

    /// Whether the paused writer may go on: what waits has fallen to the low-water mark.
    /// It counts as told then.
    pub fn resumes(&mut self) -> bool {
        let resumes = self.paused && self.queue.len() <= self.marks().low;
        self.paused &= !resumes;
        resumes
    }

    /// Whether the writer has been told to pause.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The first chunk that waits, and how much of it is sent already.
    #[must_use]
    pub fn front(&self) -> Option<(&B, usize)> {
        self.queue.front()
    }

    /// Copies what waits to `room`, as far as either goes. Says how much that was.
    pub fn copy_to(&self, room: &mut [u8]) -> usize {
        self.queue.copy_to(room)
    }

    /// Takes out everything that waits.
    pub fn take(&mut self) -> SendQueue<B> {
        std::mem::take(&mut self.queue)
    }
}

pub mod late;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
