//! Accepting connections.
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::address::{Address, Peer};
use super::count;

/// Accepts a connection: a non-blocking socket that child processes don't
/// inherit, and its peer's address if that is an Internet one.
///
/// # Errors
/// `WouldBlock` when there is none; those of accept(2).
pub fn accept(fd: RawFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    accept_peer(fd).map(|(socket, peer)| (socket, peer.internet()))
}

/// `accept`, with a peer of any family.
///
/// # Errors
/// As `accept`.
pub fn accept_peer(fd: RawFd) -> io::Result<(OwnedFd, Peer)> {
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
