//! Random writes and sends, beside a plain string of bytes.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Append(Vec<usize>),
    Send,
    /// As much is received by the peer.
    Receive(usize),
    /// As much is sent by somebody else.
    Consume(usize),
    CopyTo(usize),
}

fn steps(largest: usize) -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![Just(0), 1..20_usize, 1..largest];
    let small = prop_oneof![Just(0), 1..20_usize];
    let step = prop_oneof![
        6 => size.prop_map(Step::Push),
        2 => vec(small, 0..80).prop_map(Step::Append),
        4 => Just(Step::Send),
        4 => (1..4 * largest).prop_map(Step::Receive),
        1 => (0..2 * largest).prop_map(Step::Consume),
        1 => (0..3 * largest).prop_map(Step::CopyTo),
    ];
    vec(step, 0..40)
}

/// A queue, what was written to it in all, and which chunks have come back.
#[derive(Default)]
struct Written {
    queue: SendQueue<Vec<u8>>,
    sent: Fifo<Vec<u8>>,
    chunks: Vec<Vec<u8>>,
    /// How many bytes are gone, by whatever way.
    gone: usize,
    next: u8,
}

impl Written {
    fn chunk(&mut self, size: usize) -> Vec<u8> {
        let chunk = (0..size).map(|_| {
            self.next = self.next.wrapping_mul(5).wrapping_add(1);
            self.next
        });
        let chunk: Vec<u8> = chunk.collect();
        if size > 0 {
            self.chunks.push(chunk.clone());
        }
        chunk
    }

    fn push(&mut self, size: usize) {
        let chunk = self.chunk(size);
        let back = self.queue.push(chunk);
        assert_eq!(back.is_some(), size == 0);
    }

    fn append(&mut self, sizes: &[usize]) {
        let mut later = SendQueue::default();
        for size in sizes {
            later.push(self.chunk(*size));
        }
        self.queue.append(later);
    }

    fn check(&self) {
        let waiting: Vec<u8> = self.chunks.concat().split_off(self.gone);
        assert_eq!(self.queue.len(), waiting.len());
        assert_eq!(self.queue.is_empty(), waiting.is_empty());
        let mut room = vec![0; waiting.len() + 1];
        assert_eq!(self.queue.copy_to(&mut room), waiting.len());
        assert!(room.starts_with(&waiting));
        // Each chunk is in the queue or has come back, in order.
        let sent = self.sent.len();
        assert!(self.sent.iter().eq(self.chunks.get(..sent).unwrap()));
        assert_eq!(self.queue.chunks(), self.chunks.len() - sent);
        match self.queue.front() {
            Some((chunk, offset)) => {
                let before: usize = self.sent.iter().map(Vec::len).sum();
                assert_eq!((chunk, offset), (&self.chunks[sent], self.gone - before));
                assert!(offset < chunk.len());
            }
            None => assert!(waiting.is_empty()),
        }
    }
}

fn run(steps: &[Step], socket: Option<&(UnixStream, UnixStream)>) -> Written {
    let (mut written, mut received) = (Written::default(), Vec::new());
    // Where what was received was written.
    let mut wanted = Vec::new();
    for step in steps {
        match (step, socket) {
            (Step::Push(size), _) => written.push(*size),
            (Step::Append(sizes), _) => written.append(sizes),
            (Step::Send, Some((one, _))) => {
                let before = written.queue.len();
                written
                    .queue
                    .send(one.as_raw_fd(), &mut written.sent)
                    .unwrap();
                let all = written.chunks.concat();
                let count = before - written.queue.len();
                wanted.extend_from_slice(&all[written.gone..written.gone + count]);
                written.gone += count;
            }
            (Step::Receive(count), Some((_, other))) => {
                let count = (*count).min(wanted.len() - received.len());
                let mut room = vec![0; count];
                (&*other).read_exact(&mut room).unwrap();
                received.extend(room);
            }
            (Step::Consume(count), _) => {
                let count = (*count).min(written.queue.len());
                written.queue.consume(count, &mut written.sent);
                written.gone += count;
            }
            (Step::CopyTo(size), _) => {
                let mut room = vec![0; *size];
                let count = written.queue.copy_to(&mut room);
                let waiting = written.chunks.concat().split_off(written.gone);
                assert_eq!(count, waiting.len().min(*size));
                assert_eq!(room[..count], waiting[..count]);
            }
            (Step::Send | Step::Receive(_), None) => {}
        }
        written.check();
        assert!(wanted.starts_with(&received));
    }
    written
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_consumed_comes_back(steps in steps(50)) {
        run(&steps, None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system calls")]
    fn what_is_written_arrives(steps in steps(15_000)) {
        let pair = UnixStream::pair().unwrap();
        pair.0.set_nonblocking(true).unwrap();
        run(&steps, Some(&pair));
    }
}
