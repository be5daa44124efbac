//! What the kernel supplies, behind one small trait.
//!
//! A backend adds, modifies and removes descriptors in the poll that mio
//! created. mio itself registers edge-triggered only; foreign descriptors
//! (`add_reader`, `addReader`, `add_handler`) must be level-triggered, because
//! their owners may read only a part of what is there. Both kinds live in the
//! same poll, and mio returns their events alike.
//!
//! A backend's duties:
//! * report errors as the operating system gives them, `EEXIST` and `ENOENT`
//!   included: the registrations rely on them;
//! * report errors and hang-ups of a descriptor that is watched in any direction. With an
//!   empty interest they may be reported, but not again and again.

use std::io;
use std::os::fd::RawFd;

use mio::Token;

use super::interest::Interest;

pub mod pipe;
pub mod sockets;
pub mod stack;
pub mod threads;
pub mod traffic;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use epoll::Epoll as Native;

#[cfg(any(
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod kqueue;
#[cfg(any(
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub use kqueue::Kqueue as Native;

/// When a watched descriptor is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As long as it is ready: for descriptors that others read and write.
    Level,
    /// At least when it becomes ready: for sockets that this crate reads to the end.
    Edge,
}

/// One descriptor as the kernel is asked to watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The descriptor.
    pub fd: RawFd,
    /// Comes back with each of its events.
    pub token: Token,
    /// The directions watched.
    pub interest: Interest,
    /// When it is reported.
    pub trigger: Trigger,
}

/// Adds, modifies and removes descriptors in a poll.
pub trait Backend {
    /// Starts watching a descriptor.
    ///
    /// # Errors
    /// Those of the operating system: `EEXIST` if it is watched already,
    /// `EPERM` if it can't be watched (a regular file), `EBADF`.
    fn add(&self, watch: Watch) -> io::Result<()>;

    /// Changes how a descriptor is watched; `before` is the interest it has.
    ///
    /// # Errors
    /// Those of the operating system: `ENOENT` if it isn't watched, `EBADF`.
    fn modify(&self, watch: Watch, before: Interest) -> io::Result<()>;

    /// Stops watching a descriptor; `before` is the interest it has.
    ///
    /// # Errors
    /// Those of the operating system: `ENOENT` if it isn't watched, `EBADF`.
    fn remove(&self, fd: RawFd, before: Interest) -> io::Result<()>;
}

/// A backend that tells the kernel nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Backend for Nobody {
    fn add(&self, _: Watch) -> io::Result<()> {
        Ok(())
    }

    fn modify(&self, _: Watch, _before: Interest) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: RawFd, _before: Interest) -> io::Result<()> {
        Ok(())
    }
}
