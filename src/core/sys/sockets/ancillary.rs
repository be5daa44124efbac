//! Descriptors that come with what is read from a UNIX socket.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::count;

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
