//! epoll(7), for Linux.
//!
//! The facts relied upon: an entry is kept for the open file, not for the
//! number, so that a descriptor closed while a duplicate lives keeps firing
//! and can't be removed any more; `EPOLLERR` and `EPOLLHUP` are always
//! reported; regular files and directories are refused with `EPERM`.
//! With an empty interest a level would report a hang-up without end to nobody who could
//! see to it, so that is an edge: it is told once, if at all.
//! `EPOLLRDHUP` isn't asked for with a level: without it mio's `is_read_closed`
//! means `EPOLLHUP` and nothing else. With an edge it is, and `EPOLLPRI` too: without
//! them, a read from a stream that isn't full has left nothing.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

use super::{Backend, Interest, Trigger, Watch};

/// The epoll instance with this descriptor, which its owner keeps open.
#[derive(Clone, Copy, Debug)]
pub struct Epoll(pub RawFd);

impl Epoll {
    fn control(self, operation: libc::c_int, fd: RawFd, events: u32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: `event` is a valid epoll_event for the whole call; a bad
        // descriptor is reported as an error.
        let outcome = unsafe { libc::epoll_ctl(self.0, operation, fd, &raw mut event) };
        if outcome == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

fn events(interest: Interest, trigger: Trigger) -> u32 {
    let mut events = 0;
    if interest.is_readable() {
        events |= libc::EPOLLIN;
    }
    if interest.is_writable() {
        events |= libc::EPOLLOUT;
    }
    if interest == Interest::NONE {
        events |= libc::EPOLLET;
    } else if trigger == Trigger::Edge {
        events |= libc::EPOLLET | libc::EPOLLRDHUP | libc::EPOLLPRI;
    }
    events.cast_unsigned()
}

impl Backend for Epoll {
    fn add(&self, watch: Watch) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_ADD,
            watch.fd,
            events(watch.interest, watch.trigger),
            watch.token.0 as u64,
        )
    }

    fn modify(&self, watch: Watch, _before: Interest) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_MOD,
            watch.fd,
            events(watch.interest, watch.trigger),
            watch.token.0 as u64,
        )
    }

    fn remove(&self, fd: RawFd, _before: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }
}
