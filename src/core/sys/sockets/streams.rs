//! Reading and writing streams.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::os::fd::RawFd;

use super::super::traffic::{received, sent};
use super::{NO_SIGNAL, NO_WAIT, count};

/// Reads what is there; 0 at the end of the stream. So many bytes of `into` are
/// initialized then.
///
/// # Errors
/// `WouldBlock` when nothing is there; those of recv(2).
pub fn receive(fd: RawFd, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // SAFETY: `into` is valid for writes of its length during the call.
    received(count(|| unsafe {
        libc::recv(fd, into.as_mut_ptr().cast(), into.len(), NO_WAIT)
    }))
}

/// Sends as much as the kernel takes now.
///
/// # Errors
/// `WouldBlock` when it takes nothing; those of send(2).
pub fn send(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: `data` is valid for reads of its length during the call.
    sent(count(|| unsafe {
        libc::send(fd, data.as_ptr().cast(), data.len(), NO_SIGNAL)
    }))
}

/// Sends from the slices in order, as much as the kernel takes now.
///
/// # Errors
/// `WouldBlock` when it takes nothing; those of sendmsg(2).
pub fn send_vectored(fd: RawFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    #[allow(clippy::cast_possible_truncation)]
    {
        message.msg_iovlen = slices.len() as _;
    }
    // SAFETY: IoSlice is iovec by its documentation; the slices are valid during
    // the call, and sendmsg only reads.
    sent(count(|| unsafe {
        libc::sendmsg(fd, &raw const message, NO_SIGNAL)
    }))
}

/// Ends both directions of a connection; one that has ended already stays so.
pub fn shutdown(fd: RawFd) {
    // SAFETY: takes numbers only; a bad one is reported as an error.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Ends the direction to the peer.
///
/// # Errors
/// Those of shutdown(2), such as that there is no connection any more.
pub fn shutdown_write(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes numbers only; a bad one is reported as an error.
    if unsafe { libc::shutdown(fd, libc::SHUT_WR) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
