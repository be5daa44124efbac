//! Socket calls on descriptors that somebody else may own.
//!
//! The facts relied upon: sockets are non-blocking, and if somebody has made one blocking
//! nothing here waits all the same; a call that a signal
//! interrupts is made again; sending to a closed peer must not raise `SIGPIPE`.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

mod accept;
mod address;
mod ancillary;
mod compact;
mod datagrams;
mod options;
mod readiness;
mod streams;

pub use accept::Accepting;
pub use address::{LocalAddress, Peer, local_address, local_address_of_accepted, local_end};
pub use ancillary::{Ancillary, receive_ancillary};
pub use compact::CompactAddress;
pub use datagrams::{receive_from, send_to, send_to_path};
pub use options::{check_open, option, reset_on_close, set_nodelay, set_option, takes_others};
pub use readiness::readiness_to_write;
pub use streams::{receive, send, send_vectored, shutdown, shutdown_write};

/// Whoever shares the open file may have made it blocking; nobody waits here.
const NO_WAIT: libc::c_int = libc::MSG_DONTWAIT;

#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL | NO_WAIT;
/// Elsewhere the interpreter's own disregard of `SIGPIPE` must do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_SIGNAL: libc::c_int = NO_WAIT;

/// Repeats a call while signals interrupt it. Its result is a count, or -1.
pub(super) fn count(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Whether a number is a descriptor's.
#[must_use]
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: takes numbers only, and changes nothing.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Closes a descriptor that the caller owns.
pub fn close(fd: RawFd) {
    // SAFETY: takes a number only, which the caller vouches for.
    unsafe { libc::close(fd) };
}

#[cfg(test)]
mod tests;
