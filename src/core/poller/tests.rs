//! Unit tests of the poll, on real sockets.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use super::super::interest::Interest;
use super::super::sys::{Backend, Trigger, Watch};
use super::*;

fn pair() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().expect("a socket pair");
    one.set_nonblocking(true).expect("non-blocking");
    other.set_nonblocking(true).expect("non-blocking");
    (one, other)
}

fn watch(socket: &UnixStream, token: usize, trigger: Trigger) -> Watch {
    Watch {
        fd: socket.as_raw_fd(),
        token: Token(token),
        interest: Interest::READABLE,
        trigger,
    }
}

fn poll(poller: &Poller) -> Vec<Event> {
    let mut events = Vec::new();
    poller
        .poll(Some(Duration::ZERO), &mut events)
        .expect("a poll");
    events
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn level_and_edge_live_side_by_side() {
    let poller = Poller::new().expect("a poller");
    let (level, mut level_peer) = pair();
    let (mut edge, mut edge_peer) = pair();
    let backend = poller.backend();
    backend.add(watch(&level, 1, Trigger::Level)).expect("add");
    backend.add(watch(&edge, 2, Trigger::Edge)).expect("add");
    level_peer.write_all(b"ab").expect("write");
    edge_peer.write_all(b"ab").expect("write");

    let mut tokens: Vec<_> = poll(&poller).iter().map(|event| event.token.0).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2]);
    let again: Vec<_> = poll(&poller).iter().map(|event| event.token.0).collect();
    assert_eq!(again, [1], "only the level-triggered one comes again");

    let mut all = [0; 8];
    assert_eq!(edge.read(&mut all).expect("read"), 2);
    edge_peer.write_all(b"c").expect("write");
    assert_eq!(poll(&poller).len(), 2);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn errors_are_those_of_the_system() {
    let poller = Poller::new().expect("a poller");
    let (socket, _peer) = pair();
    let level = watch(&socket, 1, Trigger::Level);
    let code = |outcome: io::Result<()>| outcome.err().and_then(|error| error.raw_os_error());
    let backend = poller.backend();
    assert_eq!(
        code(backend.modify(level, Interest::NONE)),
        Some(libc::ENOENT)
    );
    assert_eq!(
        code(backend.remove(level.fd, Interest::NONE)),
        Some(libc::ENOENT)
    );
    backend.add(level).expect("add");
    assert_eq!(code(backend.add(level)), Some(libc::EEXIST));
    assert_eq!(
        code(backend.add(Watch { fd: -1, ..level })),
        Some(libc::EBADF)
    );
    let file = std::fs::File::open("Cargo.toml").expect("a regular file");
    let regular = Watch {
        fd: file.as_raw_fd(),
        ..level
    };
    assert_eq!(code(backend.add(regular)), Some(libc::EPERM));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_hang_up_that_nobody_asks_about_is_no_spin() {
    let poller = Poller::new().expect("a poller");
    let (socket, peer) = pair();
    let silent = Watch {
        interest: Interest::NONE,
        ..watch(&socket, 1, Trigger::Level)
    };
    let backend = poller.backend();
    backend.add(silent).expect("add");
    assert!(poll(&poller).is_empty());
    drop(peer);
    let once = poll(&poller);
    assert!(once.iter().all(|event| !event.readiness.is_readable()));
    assert!(poll(&poller).is_empty(), "told once, if at all");

    let level = watch(&socket, 1, Trigger::Level);
    backend.modify(level, Interest::NONE).expect("modify");
    for _ in 0..2 {
        let events = poll(&poller);
        assert_eq!(events.len(), 1);
        assert!(events.iter().all(|event| event.readiness.is_hung_up()));
        assert!(events.iter().all(|event| event.readiness.is_readable()));
    }
    backend.modify(silent, Interest::READABLE).expect("modify");
    poll(&poller);
    assert!(poll(&poller).is_empty(), "and no more after that");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_wait_is_woken_from_another_thread() {
    let poller = Arc::new(Poller::new().expect("a poller"));
    let waker = Arc::clone(&poller);
    let thread = thread::spawn(move || waker.wake());
    let mut events = Vec::new();
    poller.poll(None, &mut events).expect("a poll");
    assert!(events.is_empty());
    assert!(thread.join().expect("the thread").is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_second_thread_may_not_wait_too() {
    let poller = Poller::new().expect("a poller");
    let taken = try_lock(&poller.wait).expect("nobody waits");
    let mut events = Vec::new();
    let outcome = poller.poll(Some(Duration::ZERO), &mut events);
    assert_eq!(
        outcome.map_err(|error| error.kind()),
        Err(io::ErrorKind::ResourceBusy)
    );
    drop(taken);
    assert!(poller.poll(Some(Duration::ZERO), &mut events).is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn spinning_ends_with_an_event_or_the_waker_or_in_vain() {
    let poller = Poller::new().expect("a poller");
    let (socket, mut peer) = pair();
    poller
        .backend()
        .add(watch(&socket, 1, Trigger::Level))
        .expect("add");
    let mut events = Vec::new();
    let short = Duration::from_micros(1);
    assert_eq!(poller.spin(short, &mut events).ok(), Some(false));
    poller.wake().expect("wake");
    let long = Duration::from_secs(60);
    assert_eq!(poller.spin(long, &mut events).ok(), Some(true));
    assert!(events.is_empty());
    peer.write_all(b"a").expect("write");
    assert_eq!(poller.spin(long, &mut events).ok(), Some(true));
    assert_eq!(events.len(), 1);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_poller_whose_descriptors_somebody_has_closed_is_dropped_in_peace() {
    // In a process of its own: no other test's descriptor may get the number meanwhile.
    // SAFETY: the child only closes descriptors and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let poller = Poller::new();
        // SAFETY: nobody else is there to use them; the process ends at once.
        unsafe {
            for fd in 3..1000 {
                libc::close(fd);
            }
            drop(poller);
            libc::_exit(7);
        }
    }
    let mut status = 0;
    // SAFETY: waits for the own child, with a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert!(libc::WIFEXITED(status), "{status}");
    assert_eq!(libc::WEXITSTATUS(status), 7);
}
