//! Descriptors, and what else comes with what is read from a UNIX socket.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::super::traffic::received;
use super::count;

/// The most descriptors that one message carries: the kernel's SCM_MAX_FD.
const DESCRIPTORS: usize = 253;

/// What came along with data on a UNIX socket.
#[derive(Debug)]
pub enum Ancillary {
    /// Descriptors, of one message.
    Descriptors(Vec<OwnedFd>),
    /// Something else, such as who sent it.
    Other {
        /// The level, such as `SOL_SOCKET`.
        level: libc::c_int,
        /// The kind, such as `SCM_CREDENTIALS`.
        kind: libc::c_int,
        /// As the kernel has it.
        data: Vec<u8>,
    },
}

/// Reads what is there on a UNIX socket, and what came along with it. A read that gives
/// something of that kind stops there, whatever comes after it.
///
/// # Errors
/// `WouldBlock` when nothing is there; those of recvmsg(2).
pub fn receive_ancillary(
    fd: RawFd,
    into: &mut [MaybeUninit<u8>],
) -> io::Result<(usize, Vec<Ancillary>)> {
    // Aligned as a cmsghdr is, and large enough for the descriptors, credentials, a
    // security label, and their headers.
    let mut control = [MaybeUninit::<usize>::uninit(); DESCRIPTORS / 2 + 64];
    let mut slice = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    let count = received(count(|| {
        message.msg_control = control.as_mut_ptr().cast();
        #[allow(clippy::cast_possible_truncation)]
        {
            message.msg_controllen = mem::size_of_val(&control) as _;
        }
        // SAFETY: everything that the message points to is valid for writes during
        // the call.
        unsafe { libc::recvmsg(fd, &raw mut message, super::NO_WAIT) }
    }))?;
    let mut ancillary = Vec::new();
    // SAFETY: the kernel has filled in the control data and its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give whole headers within the control
        // data, or null.
        unsafe {
            ancillary.push(part(&*header));
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((count, ancillary))
}

/// One part of a message's control data.
///
/// # Safety
/// The kernel has filled in the header and the data behind it just now.
#[allow(
    clippy::unnecessary_cast,
    reason = "the length has another type elsewhere"
)]
unsafe fn part(header: &libc::cmsghdr) -> Ancillary {
    let (level, kind) = (header.cmsg_level, header.cmsg_type);
    // SAFETY: the data follows the header and has the length that this says; of this kind
    // it is descriptors to its end, which the kernel has made for this process and nobody
    // else knows.
    unsafe {
        let header_len = libc::CMSG_LEN(0) as usize;
        let len = (header.cmsg_len as usize).saturating_sub(header_len);
        let data = libc::CMSG_DATA(header);
        if (level, kind) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            let data = std::slice::from_raw_parts(data, len).to_vec();
            return Ancillary::Other { level, kind, data };
        }
        let data = data.cast::<RawFd>();
        let descriptor = |index| OwnedFd::from_raw_fd(ptr::read_unaligned(data.add(index)));
        let count = len / mem::size_of::<RawFd>();
        Ancillary::Descriptors((0..count).map(descriptor).collect())
    }
}
