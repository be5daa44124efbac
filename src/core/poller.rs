//! The poll: waits for descriptors, and is woken by other threads.
//!
//! mio's `Poll` wants `&mut self` to wait, so one thread at a time does. It is
//! locked for just that long and never waited for: descriptors are registered
//! past it, and its events are copied out before anything is dispatched, so that
//! a turn may nest in another.
#![allow(unsafe_code)]

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use mio::Token;
#[cfg(not(loom))]
use mio::{Events, Poll, Waker, event};
#[cfg(loom)]
use model::{Events, Poll, Waker, event};

use super::interest::Readiness;
use super::lock::{Mutex, MutexGuard, try_lock};
use super::room::NoRoom;
use super::sys::{Native, sockets};

/// How many events one wait returns at most.
const EVENTS: usize = 1024;

/// The token of the waker; no registration has it.
const WAKER: Token = Token(usize::MAX);

/// One descriptor's readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The token that the descriptor was registered with.
    pub token: Token,
    /// What it is ready for.
    pub readiness: Readiness,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Poller {
    /// See `drop`.
    wait: ManuallyDrop<Mutex<Wait>>,
    waker: ManuallyDrop<Waker>,
    fd: RawFd,
}

impl Drop for Poller {
    fn drop(&mut self) {
        // Somebody has closed all descriptors that there were. Closing one again ends the
        // process in a debug build of Rust's, and could be another's by now.
        if !sockets::is_open(self.fd) {
            return;
        }
        // SAFETY: neither is used any more.
        unsafe {
            ManuallyDrop::drop(&mut self.waker);
            ManuallyDrop::drop(&mut self.wait);
        }
    }
}

#[derive(Debug)]
struct Wait {
    poll: Poll,
    events: Events,
}

impl Poller {
    /// Makes a poll with a waker in it.
    ///
    /// # Errors
    /// Those of the operating system, such as `EMFILE`.
    pub fn new() -> io::Result<Poller> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let fd = poll.as_raw_fd();
        let events = Events::with_capacity(EVENTS);
        Ok(Poller {
            wait: ManuallyDrop::new(Mutex::new(Wait { poll, events })),
            waker: ManuallyDrop::new(waker),
            fd,
        })
    }

    /// Where descriptors are registered. Good while the poller lives.
    #[must_use]
    pub fn backend(&self) -> Native {
        Native(self.fd)
    }

    /// The poll's own descriptor, for another poll to watch.
    #[must_use]
    pub fn as_raw_fd(&self) -> RawFd {
        self.fd
    }

    /// Makes a wait that is under way, or else the next one, return at once.
    ///
    /// # Errors
    /// Those of the operating system, such as `EBADF` when somebody has closed the waker.
    pub fn wake(&self) -> io::Result<()> {
        loop {
            match self.waker.wake() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits for events, for ever without a time-out, and puts them into
    /// `into`. A wait that a signal or the waker ended has no events.
    ///
    /// # Errors
    /// `ResourceBusy` if another thread waits; those of the operating system.
    pub fn poll(&self, timeout: Option<Duration>, into: &mut Vec<Event>) -> io::Result<()> {
        self.lock()?.poll(timeout, into).map(drop)
    }

    /// Spins: polls for events again and again, for so long at most, and puts them into
    /// `into`. Says whether it has come to an end: by events, the waker or a signal.
    ///
    /// # Errors
    /// As `poll`.
    pub fn spin(&self, limit: Duration, into: &mut Vec<Event>) -> io::Result<bool> {
        let mut wait = self.lock()?;
        let start = Instant::now();
        while !wait.poll(Some(Duration::ZERO), into)? {
            if start.elapsed() >= limit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn lock(&self) -> io::Result<MutexGuard<'_, Wait>> {
        try_lock(&self.wait).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the loop is polled by another thread",
            )
        })
    }
}

impl Wait {
    /// Says whether the wait had an end but the time-out.
    fn poll(&mut self, timeout: Option<Duration>, into: &mut Vec<Event>) -> io::Result<bool> {
        let Wait { poll, events } = self;
        // Before the poll: what it says once it may never say again.
        if into.try_reserve(EVENTS).is_err() {
            return Err(NoRoom.into());
        }
        match poll.poll(events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        }
        into.extend(
            events
                .iter()
                .filter(|event| event.token() != WAKER)
                .map(|event| Event {
                    token: event.token(),
                    readiness: readiness(event),
                }),
        );
        Ok(!events.is_empty())
    }
}

fn readiness(event: &event::Event) -> Readiness {
    let mut readiness = Readiness::default();
    if event.is_readable() {
        readiness |= Readiness::READABLE;
    }
    if event.is_writable() {
        readiness |= Readiness::WRITABLE;
    }
    if event.is_error() {
        readiness |= Readiness::ERROR;
    }
    if event.is_read_closed() {
        readiness |= Readiness::HANGUP;
    }
    if event.is_priority() {
        readiness |= Readiness::URGENT;
    }
    readiness
}

#[cfg(loom)]
mod model;
#[cfg(test)]
mod tests;
