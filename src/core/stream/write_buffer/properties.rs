//! Random writers on real sockets, who do as they are told: nothing that waits is forgotten,
//! nobody is noted or watched twice, who pauses goes on, and every byte arrives.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use proptest::collection::vec;
use proptest::prelude::*;

use super::late::{self, Sender, Writable};
use super::*;
use crate::core::properties::config;

#[derive(Clone, Debug)]
enum Step {
    Write(usize, bool),
    EndOfIteration,
    /// The peer reads as much.
    Receive(usize),
    /// The poll says that the socket is writable, if it is asked.
    Poll,
    SetLimits(usize, usize),
    /// An owner that isn't the stream; see `late`.
    SetSender(Sender),
    Rest,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![1 => Just(0), 3 => 1..100_usize, 1 => 1..300_000_usize];
    let mark = prop_oneof![Just(0), 0..100_000_usize];
    let sender = prop_oneof![
        Just(Sender::Stream),
        Just(Sender::Owner),
        Just(Sender::OwnerAtOnce),
    ];
    let step = prop_oneof![
        8 => (size, any::<bool>()).prop_map(|(size, flag)| Step::Write(size, flag)),
        5 => Just(Step::EndOfIteration),
        3 => (1..600_000_usize).prop_map(Step::Receive),
        3 => Just(Step::Poll),
        2 => (mark.clone(), mark).prop_map(|(low, more)| Step::SetLimits(low, low + more)),
        1 => sender.prop_map(Step::SetSender),
        1 => Just(Step::Rest),
    ];
    vec(step, 0..40)
}

/// What drives a buffer, as the faces do.
struct Driver {
    buffer: WriteBuffer<Vec<u8>>,
    ours: UnixStream,
    theirs: UnixStream,
    /// Whether the end of the iteration is asked to see to it.
    noted: bool,
    written: VecDeque<u8>,
    next: u8,
    paused: bool,
    sender: Sender,
}

impl Driver {
    fn new() -> Driver {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        Driver {
            buffer: WriteBuffer::default(),
            ours,
            theirs,
            noted: false,
            written: VecDeque::new(),
            next: 0,
            paused: false,
            sender: Sender::Stream,
        }
    }

    fn fd(&self) -> RawFd {
        self.ours.as_raw_fd()
    }

    fn chunk(&mut self, size: usize) -> Vec<u8> {
        let chunk: Vec<u8> = std::iter::repeat_with(|| {
            self.next = self.next.wrapping_mul(5).wrapping_add(1);
            self.next
        })
        .take(size)
        .collect();
        self.written.extend(&chunk);
        chunk
    }

    fn note(&mut self) {
        assert!(!self.noted, "it was noted already");
        self.noted = true;
    }

    /// Reads so much, and compares it with what was written.
    fn receive(&mut self, count: usize) -> usize {
        let mut room = vec![0; count];
        let count = (&self.theirs).read(&mut room).unwrap_or_default();
        let expected: Vec<u8> = self.written.drain(..count).collect();
        assert!(room[..count] == expected[..]);
        count
    }

    // As asyncio's face does.

    fn send(&mut self) {
        match self.buffer.send(self.fd(), &mut Fifo::default()) {
            Sent::All => self.buffer.watch(false),
            Sent::Rest => self.buffer.watch(true),
            Sent::Failed(error) => panic!("{error}"),
        }
        self.flow();
    }

    fn flow(&mut self) {
        let (low, high) = self.buffer.limits();
        let waiting = self.buffer.len();
        let pauses = self.buffer.pauses();
        assert_eq!(pauses, !self.paused && waiting > high);
        self.paused |= pauses;
        let resumes = self.buffer.resumes();
        assert_eq!(resumes, self.paused && waiting <= low);
        self.paused &= !resumes;
        assert_eq!(self.buffer.is_paused(), self.paused);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write(size, through) => {
                let chunk = self.chunk(size);
                let at_once = self.buffer.would_send(size, through);
                self.buffer.make_room(1).unwrap();
                if self.buffer.push(chunk).is_some() {
                    assert_eq!(size, 0);
                    return;
                }
                let next = self.buffer.written(through);
                assert_eq!(next == Next::Send, at_once);
                match next {
                    Next::Send => self.send(),
                    Next::Note => self.note(),
                    Next::Wait => {}
                }
                self.flow();
            }
            Step::EndOfIteration => {
                if std::mem::take(&mut self.noted) && self.buffer.take_note() {
                    self.send();
                }
                assert!(!self.buffer.is_unflushed());
            }
            Step::Receive(count) => drop(self.receive(count)),
            Step::Poll if self.buffer.is_watched() => self.send(),
            Step::SetLimits(low, high) => {
                self.buffer.set_limits(low, high);
                assert_eq!(self.buffer.limits(), (low, high));
                self.flow();
            }
            Step::Poll | Step::SetSender(_) | Step::Rest => {}
        }
        assert!(self.buffer.is_empty() || self.noted || self.buffer.is_watched());
    }

    // As Twisted's face does.

    fn late_next(&mut self, next: late::Next) {
        match next {
            late::Next::Wait => {}
            late::Next::Note => self.note(),
            late::Next::Watch => self.buffer.watch(true),
            late::Next::Send => {
                let sent = self.buffer.send_or_note(self.fd(), &mut Fifo::default());
                let next = self.buffer.sent_at_once(sent);
                assert_ne!(next, late::Next::Send);
                self.late_next(next);
            }
        }
    }

    fn late_step(&mut self, step: &Step) {
        match *step {
            Step::Write(size, held) => {
                let chunk = self.chunk(size);
                if self.buffer.push(chunk).is_none() {
                    let next = self.buffer.added(self.sender, held);
                    self.late_next(next);
                }
            }
            Step::EndOfIteration => {
                if std::mem::take(&mut self.noted) {
                    let next = self.buffer.noted(self.sender);
                    if next == late::Next::Send {
                        let sent = self.buffer.send_or_note(self.fd(), &mut Fifo::default());
                        let next = self.buffer.flushed(sent, false);
                        assert_eq!(next == late::Next::Wait, sent == Writable::All);
                        self.late_next(next);
                    } else {
                        self.late_next(next);
                    }
                }
            }
            Step::Receive(count) => drop(self.receive(count)),
            Step::Poll if self.buffer.is_watched() => {
                let sent = self.buffer.send_or_note(self.fd(), &mut Fifo::default());
                if sent == Writable::All {
                    self.buffer.watch(false);
                }
            }
            Step::SetLimits(_, high) => {
                self.buffer.set_high(high);
                assert_eq!(self.buffer.high(), high);
                assert_eq!(self.buffer.is_above(), self.buffer.len() > high);
            }
            Step::SetSender(sender) => self.sender = sender,
            Step::Rest if self.buffer.is_empty() => {
                self.buffer.rest();
                self.noted = false;
            }
            Step::Poll | Step::Rest => {}
        }
        assert!(!self.buffer.is_broken());
        assert!(self.buffer.is_empty() || self.noted || self.buffer.is_watched());
    }

    /// Lets everything arrive.
    fn finish(&mut self, step: fn(&mut Driver, &Step)) {
        step(self, &Step::EndOfIteration);
        for _ in 0..10_000 {
            step(self, &Step::Poll);
            if self.receive(1 << 20) == 0 && self.buffer.is_empty() {
                break;
            }
        }
        assert!(self.written.is_empty() && self.buffer.is_empty());
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system calls")]
    fn whatever_is_written_arrives(steps in steps()) {
        let mut driver = Driver::new();
        for step in &steps {
            driver.step(step);
        }
        driver.finish(Driver::step);
        driver.flow();
        prop_assert!(!driver.paused, "it was never told to go on");
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system calls")]
    fn whatever_is_written_arrives_late(steps in steps()) {
        let mut driver = Driver::new();
        for step in &steps {
            driver.late_step(step);
        }
        driver.finish(Driver::late_step);
    }
}
