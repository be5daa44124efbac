//! What one socket is ready for, without a poll that watches it.
#![allow(unsafe_code)]

use std::os::fd::RawFd;

use crate::core::interest::Readiness;

/// What a socket that waits for output is ready for at this moment: what the poll would
/// report. Nothing, if poll(2) fails.
#[must_use]
pub fn readiness_to_write(fd: RawFd) -> Readiness {
    let mut asked = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `asked` is valid for reads and writes during the call, which doesn't wait.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    let mut readiness = Readiness::default();
    if found == 1 && asked.revents & libc::POLLNVAL == 0 {
        let known = [
            (libc::POLLOUT, Readiness::WRITABLE),
            (libc::POLLERR, Readiness::ERROR),
            (libc::POLLHUP, Readiness::HANGUP),
        ];
        for (bit, meaning) in known {
            if asked.revents & bit != 0 {
                readiness |= meaning;
            }
        }
    }
    readiness
}
