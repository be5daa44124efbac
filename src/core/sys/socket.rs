//! Socket calls on descriptors that somebody else may own.
//!
//! The facts relied upon: sockets are non-blocking; a call that a signal
//! interrupts is made again; sending to a closed peer must not raise `SIGPIPE`.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use address::{Address, socklen};
pub use address::{LocalAddress, Peer};

#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
/// Elsewhere the interpreter's own disregard of `SIGPIPE` must do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_SIGNAL: libc::c_int = 0;

/// Repeats a call while signals interrupt it. Its result is a count, or -1.
fn count(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
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

/// Reads what is there; 0 at the end of the stream. So many bytes of `into` are
/// initialized then.
///
/// # Errors
/// `WouldBlock` when nothing is there; those of recv(2).
pub fn receive(fd: RawFd, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // SAFETY: `into` is valid for writes of its length during the call.
    count(|| unsafe { libc::recv(fd, into.as_mut_ptr().cast(), into.len(), 0) })
}

/// Sends as much as the kernel takes now.
///
/// # Errors
/// `WouldBlock` when it takes nothing; those of send(2).
pub fn send(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: `data` is valid for reads of its length during the call.
    count(|| unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), NO_SIGNAL) })
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
    count(|| unsafe { libc::sendmsg(fd, &raw const message, NO_SIGNAL) })
}

/// The most descriptors that one message carries: the kernel's SCM_MAX_FD.
const DESCRIPTORS: usize = 253;

/// Reads what is there on a UNIX socket, and the descriptors that came with it.
///
/// # Errors
/// `WouldBlock` when nothing is there; those of recvmsg(2).
pub fn receive_descriptors(
    fd: RawFd,
    into: &mut [MaybeUninit<u8>],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    // Aligned as a cmsghdr is, and large enough for the descriptors and its header.
    let mut control = [0_usize; DESCRIPTORS / 2 + 8];
    let mut slice = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    let count = count(|| {
        message.msg_control = control.as_mut_ptr().cast();
        #[allow(clippy::cast_possible_truncation)]
        {
            message.msg_controllen = mem::size_of_val(&control) as _;
        }
        // SAFETY: everything that the message points to is valid for writes during
        // the call.
        unsafe { libc::recvmsg(fd, &raw mut message, 0) }
    })?;
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has filled in the control data and its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give whole headers within the control
        // data, or null; the data of this kind is descriptors to its end, which the
        // kernel has made for this process and nobody else knows.
        unsafe {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                let header_len = libc::CMSG_LEN(0) as usize;
                let len = ((*header).cmsg_len as usize).saturating_sub(header_len);
                for index in 0..len / mem::size_of::<RawFd>() {
                    let descriptor = ptr::read_unaligned(data.add(index));
                    descriptors.push(OwnedFd::from_raw_fd(descriptor));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((count, descriptors))
}

/// Reads one datagram, cut to the buffer's length, and who sent it.
///
/// # Errors
/// `WouldBlock` when none is there; those of recvfrom(2).
pub fn receive_from(fd: RawFd, into: &mut [MaybeUninit<u8>]) -> io::Result<(usize, Peer)> {
    let mut address = Address::empty();
    let count = count(|| {
        address.len = Address::CAPACITY;
        // SAFETY: `into` and `address` are valid for writes of the given lengths.
        unsafe {
            libc::recvfrom(
                fd,
                into.as_mut_ptr().cast(),
                into.len(),
                0,
                (&raw mut address.storage).cast(),
                &raw mut address.len,
            )
        }
    })?;
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
    count(|| unsafe {
        libc::sendto(
            fd,
            data.as_ptr().cast(),
            data.len(),
            NO_SIGNAL,
            (&raw const address.storage).cast(),
            address.len,
        )
    })
}

/// Accepts a connection: a non-blocking socket that child processes don't
/// inherit, and its peer's address if that is an Internet one.
///
/// # Errors
/// `WouldBlock` when there is none; those of accept(2).
pub fn accept(fd: RawFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
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
    Ok((socket, address.get()))
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

/// Makes the close that follows a reset: what isn't sent yet is dropped.
pub fn reset_on_close(fd: RawFd) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: `linger` is valid for reads of its size.
    unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            socklen::<libc::linger>(),
        );
    }
}

/// Closes a descriptor that the caller owns.
pub fn close(fd: RawFd) {
    // SAFETY: takes a number only, which the caller vouches for.
    unsafe { libc::close(fd) };
}

/// Where a connection's own end is, if it is an Internet one.
///
/// # Errors
/// Those of getsockname(2).
pub fn local_address(fd: RawFd) -> io::Result<Option<SocketAddr>> {
    let mut address = Address::empty();
    // SAFETY: `address` is valid for writes of the given length.
    let outcome =
        unsafe { libc::getsockname(fd, (&raw mut address.storage).cast(), &raw mut address.len) };
    if outcome == 0 {
        Ok(address.get())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets a socket option that is an integer.
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_option(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: `value` is valid for reads of its size.
    let outcome = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            (&raw const value).cast(),
            socklen::<libc::c_int>(),
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads a socket option that is an integer.
///
/// # Errors
/// Those of getsockopt(2).
pub fn option(fd: RawFd, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = socklen::<libc::c_int>();
    // SAFETY: `value` is valid for writes of the given length.
    let outcome =
        unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut len) };
    if outcome == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

mod address;
#[cfg(test)]
mod tests;
