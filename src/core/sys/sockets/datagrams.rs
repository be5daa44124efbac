//! Reading and sending datagrams.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use super::super::traffic::{received, sent};
use super::address::{Address, LocalAddress, Peer};
use super::{NO_SIGNAL, count};

/// Reads one datagram, cut to the buffer's length, and who sent it.
///
/// # Errors
/// `WouldBlock` when none is there; those of recvfrom(2).
pub fn receive_from(fd: RawFd, into: &mut [MaybeUninit<u8>]) -> io::Result<(usize, Peer)> {
    let mut address = Address::empty();
    let count = received(count(|| {
        address.len = Address::CAPACITY;
        // SAFETY: `into` and `address` are valid for writes of the given lengths.
        unsafe {
            libc::recvfrom(
                fd,
                into.as_mut_ptr().cast(),
                into.len(),
                super::NO_WAIT,
                (&raw mut address.storage).cast(),
                &raw mut address.len,
            )
        }
    }))?;
    Ok((count, address.peer()))
}

/// Sends one datagram.
///
/// # Errors
/// Those of sendto(2).
pub fn send_to(fd: RawFd, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
    send_datagram(fd, data, &Address::of(to))
}

/// Sends one datagram to a UNIX socket.
///
/// # Errors
/// Those of sendto(2).
pub fn send_to_path(fd: RawFd, data: &[u8], to: &LocalAddress) -> io::Result<usize> {
    send_datagram(fd, data, &to.0)
}

fn send_datagram(fd: RawFd, data: &[u8], address: &Address) -> io::Result<usize> {
    // SAFETY: `data` and `address` are valid for reads of the given lengths.
    sent(count(|| unsafe {
        libc::sendto(
            fd,
            data.as_ptr().cast(),
            data.len(),
            NO_SIGNAL,
            (&raw const address.storage).cast(),
            address.len,
        )
    }))
}
