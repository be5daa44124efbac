//! Reading and writing descriptors of any kind: pipes, terminals, sockets.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::sockets::count;
use super::traffic::{received, sent};

/// Reads what is there; 0 at the end. So many bytes of `into` are initialized then.
///
/// # Errors
/// `WouldBlock` when nothing is there; those of read(2).
pub fn read(fd: RawFd, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // SAFETY: `into` is valid for writes of its length during the call.
    received(count(|| unsafe {
        libc::read(fd, into.as_mut_ptr().cast(), into.len())
    }))
}

/// Writes as much as the kernel takes now.
///
/// # Errors
/// `WouldBlock` when it takes nothing; those of write(2).
pub fn write(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: `data` is valid for reads of its length during the call.
    sent(count(|| unsafe {
        libc::write(fd, data.as_ptr().cast(), data.len())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_is_written_is_read() -> io::Result<()> {
        let (reader, writer) = pipe()?;
        assert_eq!(write(writer.as_raw_fd(), b"some data")?, 9);
        drop(writer);
        let mut room = [MaybeUninit::uninit(); 20];
        assert_eq!(read(reader.as_raw_fd(), &mut room)?, 9);
        assert_eq!(read(reader.as_raw_fd(), &mut room)?, 0);
        Ok(())
    }

    #[test]
    fn what_is_no_descriptor_is_an_error() {
        let errno = |outcome: io::Result<usize>| outcome.map_err(|error| error.raw_os_error());
        assert_eq!(errno(read(-1, &mut [])), Err(Some(libc::EBADF)));
        assert_eq!(errno(write(-1, b"x")), Err(Some(libc::EBADF)));
    }
}
