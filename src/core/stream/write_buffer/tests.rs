use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use super::*;

fn chunk(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

fn buffer(size: usize) -> WriteBuffer<Vec<u8>> {
    let mut buffer = WriteBuffer::default();
    buffer.push(chunk(size));
    buffer
}

#[test]
fn several_writes_of_one_iteration_are_noted_once() {
    let mut buffer = buffer(10);
    assert_eq!(buffer.written(false), Next::Note);
    buffer.push(chunk(10));
    assert_eq!(buffer.written(false), Next::Wait);
    assert!(buffer.take_note());
    buffer.push(chunk(10));
    assert_eq!(buffer.written(false), Next::Note);
}

#[test]
fn much_is_sent_at_once_and_so_is_everything_that_must_not_be_held() {
    assert_eq!(buffer(HOLD).written(false), Next::Note);
    assert_eq!(buffer(HOLD + 1).written(false), Next::Send);
    assert_eq!(buffer(1).written(true), Next::Send);
    let mut low = buffer(1);
    low.set_limits(0, 0);
    assert_eq!(low.written(false), Next::Send);
    let mut high = buffer(HOLD + 1);
    high.set_limits(0, 10 * HOLD);
    assert_eq!(high.written(false), Next::Send);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn what_the_socket_does_not_take_waits_for_it() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut buffer = buffer(10_000_000);
    let mut sent = Fifo::default();
    assert!(matches!(
        buffer.send(ours.as_raw_fd(), &mut sent),
        Sent::Rest
    ));
    buffer.watch(true);
    assert!(!buffer.is_unflushed() && !buffer.is_empty());
    buffer.push(chunk(10_000_000));
    assert_eq!(buffer.written(true), Next::Wait);
    drop(theirs);
    assert!(matches!(
        buffer.send(ours.as_raw_fd(), &mut sent),
        Sent::Failed(_)
    ));
}

#[test]
fn a_writer_is_told_once_to_pause_and_once_to_go_on() {
    let mut buffer = buffer(100);
    buffer.set_limits(20, 100);
    assert!(!buffer.pauses() && !buffer.resumes());
    buffer.push(chunk(1));
    assert!(buffer.pauses() && !buffer.pauses() && buffer.is_paused());
    assert!(!buffer.resumes());
    let mut sent = Fifo::default();
    buffer.queue.consume(80, &mut sent);
    assert!(!buffer.resumes());
    buffer.queue.consume(1, &mut sent);
    assert!(buffer.resumes() && !buffer.resumes() && !buffer.is_paused());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn everything_sent_leaves_nothing_to_do() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut buffer = buffer(3);
    let mut sent = Fifo::default();
    assert!(matches!(
        buffer.send(ours.as_raw_fd(), &mut sent),
        Sent::All
    ));
    assert!(buffer.is_empty() && !buffer.is_unflushed() && !buffer.take_note());
    assert_eq!(sent.iter().count(), 1);
    buffer.push(chunk(5));
    assert_eq!(buffer.take().len(), 5);
    assert!(buffer.is_empty());
}
