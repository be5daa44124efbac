//! Unit tests of the send queue, on real sockets.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use super::*;

impl<B: AsRef<[u8]>> SendQueue<B> {
    fn first(&self, limit: usize) -> Vec<u8> {
        let mut room = vec![0; limit];
        let filled = self.copy_to(&mut room);
        room.truncate(filled);
        room
    }

    fn to_vec(&self) -> Vec<u8> {
        self.first(self.len())
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().expect("a socket pair");
    one.set_nonblocking(true).expect("non-blocking");
    (one, other)
}

fn queue(chunks: &[&'static [u8]]) -> SendQueue<&'static [u8]> {
    let mut queue = SendQueue::default();
    for chunk in chunks {
        assert_eq!(queue.push(*chunk), chunk.is_empty().then_some(*chunk));
    }
    queue
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn what_was_pushed_is_sent_in_order_and_handed_back() {
    let (one, mut other) = pair();
    let mut queue = queue(&[b"ab", b"", b"cde"]);
    queue.append(self::queue(&[b"f"]));
    assert_eq!((queue.len(), queue.to_vec()), (6, b"abcdef".to_vec()));
    let mut sent = Fifo::default();
    queue.send(one.as_raw_fd(), &mut sent).expect("send");
    assert!(queue.is_empty());
    assert!(sent.iter().eq(&[&b"ab"[..], b"cde", b"f"]));
    let mut received = [0; 6];
    other.read_exact(&mut received).expect("read");
    assert_eq!(&received, b"abcdef");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn more_chunks_than_one_call_takes() {
    let (one, mut other) = pair();
    let mut queue = SendQueue::default();
    let chunks: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; 3]).collect();
    for chunk in &chunks {
        queue.push(chunk.clone());
    }
    let mut sent = Fifo::default();
    queue.send(one.as_raw_fd(), &mut sent).expect("send");
    assert!(sent.iter().eq(&chunks));
    let mut received = vec![0; 600];
    other.read_exact(&mut received).expect("read");
    assert_eq!(received, chunks.concat());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_full_socket_keeps_the_rest() {
    let (one, mut other) = pair();
    let chunk: &[u8] = &(0..=255_u8).cycle().take(1 << 20).collect::<Vec<_>>();
    let mut queue = SendQueue::default();
    queue.push(chunk);
    queue.push(chunk);
    let (mut sent, mut received) = (Fifo::default(), Vec::new());
    let mut rounds = 0;
    while !queue.is_empty() {
        queue.send(one.as_raw_fd(), &mut sent).expect("send");
        let before = received.len();
        let waiting = 2 * chunk.len() - queue.len() - before;
        received.resize(before + waiting, 0);
        other.read_exact(&mut received[before..]).expect("read");
        assert_eq!(queue.to_vec().len(), queue.len());
        rounds += 1;
    }
    assert!(rounds > 1);
    assert_eq!(received, [chunk, chunk].concat());
    assert_eq!(sent.iter().count(), 2);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn an_error_keeps_what_was_not_sent() {
    let (one, other) = pair();
    drop(other);
    let mut queue = queue(&[b"abc"]);
    let error = queue.send(one.as_raw_fd(), &mut Fifo::default());
    let error = error.expect_err("a broken pipe, and no signal");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(queue.len(), 3);
}

#[test]
fn consuming_stops_within_a_chunk() {
    let mut queue = queue(&[b"ab", b"cde"]);
    let mut sent = Fifo::default();
    queue.consume(3, &mut sent);
    assert_eq!(queue.to_vec(), b"de");
    assert!(sent.iter().eq(&[&b"ab"[..]]));
}

#[test]
fn the_first_bytes_span_chunks_and_leave_out_what_was_sent() {
    let mut queue = SendQueue::default();
    for chunk in ["abc", "de", "fghi"] {
        queue.push(chunk.as_bytes().to_vec());
    }
    assert_eq!(queue.first(4), b"abcd");
    queue.consume(2, &mut Fifo::default());
    assert_eq!((queue.first(0), queue.first(2)), (vec![], b"cd".to_vec()));
    assert_eq!(queue.first(100), b"cdefghi");
    assert_eq!(queue.to_vec(), b"cdefghi");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn with_room_for_one_chunk_only_they_are_sent_one_by_one() {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut queue = SendQueue::default();
    queue.make_room(3).unwrap();
    for chunk in ["ab", "cd", "ef"] {
        assert!(queue.push(chunk.as_bytes()).is_none());
    }
    assert_eq!(queue.make_room(usize::MAX), Err(NoRoom));
    let mut sent = Fifo::default();
    queue.send(one.as_raw_fd(), &mut sent).unwrap();
    assert_eq!((queue.chunks(), sent.len()), (0, 3));
    let mut received = [0; 9];
    let count = (&other).read(&mut received).unwrap();
    assert_eq!(received.get(..count), Some(&b"abcdef"[..]));
}
