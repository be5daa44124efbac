//! Socket options.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

use super::address::socklen;

/// Whether there is an open descriptor of this number.
///
/// # Errors
/// `EBADF` if there is none.
pub fn check_open(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes numbers only; a bad one is reported as an error.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether a listening socket may get connections to other addresses than its own, whose
/// packets are diverted to it.
#[must_use]
pub fn takes_others(fd: RawFd) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        !matches!(option(fd, libc::SOL_IP, libc::IP_TRANSPARENT), Ok(0))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = fd;
        true
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

/// Whether TCP sends what it has at once, as little as it is.
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_nodelay(fd: RawFd, value: bool) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, value.into())
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
