//! Accepting connections.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::super::traffic;
use super::address::{Address, Peer};
use super::count;

/// Accepting what there is on a listening socket that was reported as ready.
///
/// There is no flag against waiting as sending and receiving have one, and whoever shares
/// the socket may have made it blocking: then each accept is preceded by a look. So is the
/// second one in any case, which mostly finds nothing: the kernel makes a socket before it
/// sees that there is nobody for it, so that looking takes a tenth of the time.
pub struct Accepting {
    blocking: bool,
    accepted: usize,
}

impl Accepting {
    /// Begins with a listening socket.
    #[must_use]
    pub fn new(fd: RawFd) -> Accepting {
        // SAFETY: takes numbers only; a bad one is reported as an error.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        Accepting {
            blocking: flags & libc::O_NONBLOCK == 0,
            accepted: 0,
        }
    }

    /// Accepts the next connection: a non-blocking socket that child processes don't
    /// inherit, and its peer's address.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; those of accept(2).
    pub fn next(&mut self, fd: RawFd) -> io::Result<(OwnedFd, Peer)> {
        if (self.blocking || self.accepted == 1) && !has_pending(fd) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let accepted = accept(fd)?;
        traffic::accepted();
        self.accepted += 1;
        Ok(accepted)
    }
}

fn accept(fd: RawFd) -> io::Result<(OwnedFd, Peer)> {
    let mut address = Address::empty();
    let accepted = count(|| {
        address.len = Address::CAPACITY;
        accept_raw(fd, &mut address) as libc::ssize_t
    })?;
    let accepted = RawFd::try_from(accepted).map_err(io::Error::other)?;
    // SAFETY: accept has just made this descriptor, for nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(accepted) };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        // SAFETY: a bad descriptor would be reported as an error.
        let outcome = unsafe {
            libc::fcntl(accepted, libc::F_SETFD, libc::FD_CLOEXEC)
                | libc::fcntl(accepted, libc::F_SETFL, libc::O_NONBLOCK)
        };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok((socket, address.peer()))
}

/// Whether accept would give a connection or an error.
fn has_pending(fd: RawFd) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one valid entry. It doesn't wait, so no signal interrupts it.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    // A negative descriptor is passed over: accept has to refuse it.
    ready != 0 || fd < 0
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn accept_raw(fd: RawFd, address: &mut Address) -> libc::c_int {
    // SAFETY: `address` is valid for writes of the given length.
    unsafe {
        libc::accept4(
            fd,
            (&raw mut address.storage).cast(),
            &raw mut address.len,
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        )
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn accept_raw(fd: RawFd, address: &mut Address) -> libc::c_int {
    // SAFETY: `address` is valid for writes of the given length.
    unsafe { libc::accept(fd, (&raw mut address.storage).cast(), &raw mut address.len) }
}
