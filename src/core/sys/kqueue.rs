//! kqueue(2), for macOS and the BSDs.
//!
//! The facts relied upon: reading and writing are two filters of one
//! descriptor, each added and deleted on its own; adding a filter that is there
//! replaces it, so `EEXIST` never comes; a closed descriptor loses its filters,
//! whatever duplicates live; a hang-up comes as `EV_EOF` on the filters that
//! are there, so that with an empty interest nothing can be reported.
//!
//! Written to the manual; it has not been run by the project's own CI, which
//! is Linux only.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use super::{Backend, Interest, Watch};

/// The kqueue with this descriptor, which its owner keeps open.
#[derive(Clone, Copy, Debug)]
pub struct Kqueue(pub RawFd);

impl Kqueue {
    /// Applies one change to one filter.
    fn change(self, fd: RawFd, filter: i16, flags: u16, token: usize) -> io::Result<()> {
        // SAFETY: an all-zero kevent is a valid value of that plain C struct,
        // on every system whatever its extra fields.
        let mut change: libc::kevent = unsafe { std::mem::zeroed() };
        change.ident = fd as libc::uintptr_t;
        change.filter = filter as _;
        change.flags = flags as _;
        change.udata = token as _;
        // SAFETY: one change is read from `change`, no event is written; a bad
        // descriptor is reported as an error.
        let outcome = unsafe {
            libc::kevent(
                self.0,
                &raw const change,
                1,
                ptr::null_mut(),
                0,
                ptr::null(),
            )
        };
        if outcome == -1 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Brings one filter from `before` to `after`.
    fn settle(self, watch: Watch, filter: i16, before: bool, after: bool) -> io::Result<()> {
        if after {
            // Always with a level, which is more than an edge promises: EV_CLEAR isn't
            // taken back by adding a filter again without it.
            self.change(watch.fd, filter, libc::EV_ADD, watch.token.0)
        } else if before {
            self.change(watch.fd, filter, libc::EV_DELETE, 0)
        } else {
            Ok(())
        }
    }
}

impl Backend for Kqueue {
    fn add(&self, watch: Watch) -> io::Result<()> {
        let Watch { fd, interest, .. } = watch;
        self.settle(watch, libc::EVFILT_READ, false, interest.is_readable())?;
        let outcome = self.settle(watch, libc::EVFILT_WRITE, false, interest.is_writable());
        if outcome.is_err() && interest.is_readable() {
            // Both or none, as with epoll; the first error is the one to tell.
            let _undone = self.change(fd, libc::EVFILT_READ, libc::EV_DELETE, 0);
        }
        outcome
    }

    fn modify(&self, watch: Watch, before: Interest) -> io::Result<()> {
        let after = watch.interest;
        self.settle(
            watch,
            libc::EVFILT_READ,
            before.is_readable(),
            after.is_readable(),
        )?;
        self.settle(
            watch,
            libc::EVFILT_WRITE,
            before.is_writable(),
            after.is_writable(),
        )
    }

    fn remove(&self, fd: RawFd, before: Interest) -> io::Result<()> {
        let mut outcome = Ok(());
        if before.is_readable() {
            outcome = self.change(fd, libc::EVFILT_READ, libc::EV_DELETE, 0);
        }
        if before.is_writable() {
            outcome = outcome.and(self.change(fd, libc::EVFILT_WRITE, libc::EV_DELETE, 0));
        }
        outcome
    }
}
