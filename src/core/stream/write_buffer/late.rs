//! The rules of an owner who does what follows sending only when the socket is writable.
//!
//! There no callback is under way, so that it may end the connection: because sending has
//! failed, which the system tells only once, or because everything is sent.

use std::os::fd::RawFd;

use super::{HOLD, Sent, WriteBuffer};
use crate::core::fifo::Fifo;

/// Who sends what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The stream, at the end of the iteration or sooner.
    Stream,
    /// The owner, when the socket is writable; the end of the iteration sees to that.
    Owner,
    /// The same, and the owner sees to that itself.
    OwnerAtOnce,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is seen to already.
    Wait,
    /// Note the stream for the end of the iteration.
    Note,
    /// Send now.
    Send,
    /// Watch for the socket to be writable.
    Watch,
}

/// What a writable socket has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// Sending has failed, now or before.
    Failed,
    /// The socket takes no more.
    Rest,
    /// Everything is sent, and what was to follow that may.
    All,
}

impl<B: AsRef<[u8]>> WriteBuffer<B> {
    /// Whether more waits than the high-water mark.
    #[must_use]
    pub fn is_above(&self) -> bool {
        self.queue.len() > self.marks().high
    }

    /// The high-water mark.
    #[must_use]
    pub fn high(&self) -> usize {
        self.marks().high
    }

    /// Sets the high-water mark.
    pub fn set_high(&mut self, high: usize) {
        self.set_limits(self.marks().low, high);
    }

    /// Whether sending has failed.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What to do now that something was added. `held`: as little as possible is sent at
    /// once, since who writes is told to pause by what waits.
    pub fn added(&mut self, sender: Sender, held: bool) -> Next {
        let much = self.is_above() || !held && self.queue.len() >= HOLD;
        match sender {
            // Again if it is watched already: somebody may have changed that.
            _ if self.watched => Next::Watch,
            Sender::OwnerAtOnce => Next::Watch,
            Sender::Stream if much => Next::Send,
            Sender::Stream | Sender::Owner => self.note(),
        }
    }

    /// What to do after sending at once. Even if everything is sent, what has to follow
    /// that does at the end of the iteration.
    pub fn sent_at_once(&mut self, sent: Writable) -> Next {
        match sent {
            Writable::All => self.note(),
            Writable::Rest | Writable::Failed => Next::Watch,
        }
    }

    fn note(&mut self) -> Next {
        if std::mem::replace(&mut self.noted, true) {
            Next::Wait
        } else {
            Next::Note
        }
    }

    /// The end of the iteration has come: what to do.
    pub fn noted(&mut self, sender: Sender) -> Next {
        match (std::mem::take(&mut self.noted), sender) {
            _ if self.watched => Next::Wait,
            (false, _) => Next::Wait,
            (true, Sender::Stream) => Next::Send,
            (true, Sender::Owner | Sender::OwnerAtOnce) => Next::Watch,
        }
    }

    /// What to do after sending at the end of the iteration. `follows`: there is something
    /// to be done once everything is sent.
    #[must_use]
    pub fn flushed(&self, sent: Writable, follows: bool) -> Next {
        if sent == Writable::All && !follows {
            Next::Wait
        } else {
            Next::Watch
        }
    }

    /// Sends what the socket takes; `sent` receives the chunks that are done. A failure is
    /// noted, and nothing is sent any more.
    pub fn send_or_note(&mut self, fd: RawFd, sent: &mut Fifo<B>) -> Writable {
        if self.broken {
            return Writable::Failed;
        }
        match self.send(fd, sent) {
            Sent::All => Writable::All,
            Sent::Rest => Writable::Rest,
            // The kernel is short of memory for the moment.
            Sent::Failed(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Writable::Rest,
            Sent::Failed(_) => {
                self.broken = true;
                Writable::Failed
            }
        }
    }

    /// The owner wants nothing sent until it asks for that again.
    pub fn rest(&mut self) {
        self.watched = false;
        self.noted = false;
    }
}

/// What is to be done once everything is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Somebody has to be asked for more.
    pub resume: bool,
    /// The connection ends.
    pub end: bool,
    /// Its writing half does.
    pub end_writing: bool,
}

impl Pending {
    /// Whether there is anything.
    #[must_use]
    pub fn any(self) -> bool {
        self != Pending::default()
    }
}

impl<B: AsRef<[u8]>> WriteBuffer<B> {
    /// Forgets `count` bytes that the owner has sent.
    pub fn consume(&mut self, count: usize, sent: &mut Fifo<B>) {
        self.queue.consume(count, sent);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn buffer(size: usize) -> WriteBuffer<Vec<u8>> {
        let mut buffer = WriteBuffer::default();
        buffer.push(vec![b'x'; size]);
        buffer
    }

    #[test]
    fn writes_are_noted_once_and_sent_at_the_end() {
        for (sender, at_end) in [(Sender::Stream, Next::Send), (Sender::Owner, Next::Watch)] {
            let mut buffer = buffer(10);
            assert_eq!(buffer.added(sender, false), Next::Note);
            assert_eq!(buffer.added(sender, true), Next::Wait);
            assert_eq!(buffer.noted(sender), at_end);
            assert_eq!(buffer.noted(sender), Next::Wait);
        }
        assert_eq!(buffer(10).added(Sender::OwnerAtOnce, false), Next::Watch);
    }

    #[test]
    fn much_is_sent_at_once_but_for_who_is_paused_by_it() {
        assert_eq!(buffer(HOLD).added(Sender::Stream, false), Next::Send);
        assert_eq!(buffer(HOLD).added(Sender::Stream, true), Next::Note);
        assert_eq!(buffer(HOLD + 1).added(Sender::Stream, true), Next::Send);
        assert_eq!(buffer(HOLD + 1).added(Sender::Owner, false), Next::Note);
        let mut small = buffer(2);
        small.set_high(1);
        assert!(small.is_above());
        assert_eq!(small.added(Sender::Stream, true), Next::Send);
        assert_eq!(small.sent_at_once(Writable::All), Next::Note);
        assert_eq!(small.sent_at_once(Writable::All), Next::Wait);
        assert_eq!(small.sent_at_once(Writable::Rest), Next::Watch);
    }

    #[test]
    fn who_is_watched_already_is_watched_again() {
        let mut buffer = buffer(1);
        buffer.watch(true);
        assert_eq!(buffer.added(Sender::Stream, false), Next::Watch);
        assert_eq!(buffer.noted(Sender::Stream), Next::Wait);
        buffer.rest();
        assert_eq!(buffer.added(Sender::Stream, false), Next::Note);
        buffer.rest();
        assert_eq!(buffer.noted(Sender::Stream), Next::Wait);
    }

    #[test]
    fn what_follows_is_done_when_the_socket_is_writable() {
        let buffer = buffer(1);
        assert!(!Pending::default().any());
        let ends = Pending {
            end: true,
            ..Pending::default()
        };
        assert_eq!(buffer.flushed(Writable::All, ends.any()), Next::Watch);
        assert_eq!(buffer.flushed(Writable::All, false), Next::Wait);
        assert_eq!(buffer.flushed(Writable::Rest, false), Next::Watch);
        assert_eq!(buffer.flushed(Writable::Failed, false), Next::Watch);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system calls")]
    fn a_failure_is_remembered() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (mut buffer, mut sent) = (buffer(1), Fifo::default());
        let fd = ours.as_raw_fd();
        assert_eq!(buffer.send_or_note(fd, &mut sent), Writable::All);
        drop(theirs);
        buffer.push(vec![1]);
        assert_eq!(buffer.send_or_note(fd, &mut sent), Writable::Failed);
        assert!(buffer.is_broken());
        assert_eq!(buffer.send_or_note(fd, &mut sent), Writable::Failed);
        let mut waits = [0; 2];
        assert_eq!((buffer.copy_to(&mut waits), waits), (1, [1, 0]));
        buffer.consume(1, &mut sent);
        assert!(buffer.is_empty());
    }
}
