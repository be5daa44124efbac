//! Whom the loop tells of which descriptors.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use mio::Token;
use pyo3::prelude::*;

use super::EventLoop;
use crate::core::lock::lock;
use crate::core::poller::Poller;
use crate::core::registrations::{Registrations, Role, Watchers};
use crate::core::sys::{Nobody, Trigger};
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::error;

impl EventLoop {
    /// Puts a watcher into `roles` of a descriptor, clears the places in
    /// `clear`, and hands back whom that displaced.
    ///
    /// # Errors
    /// `RuntimeError` after close; `OSError` as the system gives it.
    pub fn watch(
        &self,
        fd: RawFd,
        watcher: &Arc<Watcher>,
        roles: &[Role],
        clear: &[Role],
        trigger: Trigger,
    ) -> PyResult<Watchers<Arc<Watcher>>> {
        let backend = self.poller()?.backend();
        let mut registrations = lock(&self.registrations);
        let outcome = registrations.watch(&backend, fd, watcher, roles, clear, trigger);
        outcome.map_err(error::os_error)
    }

    /// Sees to it that a descriptor which isn't read to the end is reported again.
    pub fn make_level_triggered(&self, token: Token) {
        if self.is_here()
            && let Ok(poller) = self.poller()
        {
            lock(&self.registrations).make_level_triggered(&poller.backend(), token);
        }
    }

    /// Asks the poll to watch a descriptor that it wasn't asked about so far.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn ask(&self, token: Token) -> io::Result<()> {
        match self.poller() {
            Ok(poller) => lock(&self.registrations).ask(&poller.backend(), token),
            Err(_) => Ok(()),
        }
    }

    /// Clears the place for input of a descriptor that this watcher alone watches, for input,
    /// and hands it back. The kernel is told before the loop waits. `None`: it has to be told
    /// now.
    pub fn rest(&self, fd: RawFd, watcher: &Arc<Watcher>) -> Option<Arc<Watcher>> {
        if !self.is_here() {
            return None;
        }
        self.with_registrations(|all| {
            let watchers = all.watchers(fd)?;
            let reads = watchers.read.as_ref()?;
            Arc::ptr_eq(reads, watcher).then(|| all.rest(fd))?
        })
    }

    /// Has the watcher that has let its descriptor rest wait for input again. Whether it did so:
    /// then the kernel needn't be told.
    pub fn resume(&self, fd: RawFd, watcher: &Arc<Watcher>) -> bool {
        self.is_here() && self.with_registrations(|all| all.resume(fd, watcher))
    }

    /// Tells the kernel of a descriptor that nobody waits for any more, if it reports that.
    /// Whether it was so.
    pub fn settle(&self, token: Token) -> bool {
        let rests = self.with_registrations(|all| all.rests(token));
        if rests && let Ok(poller) = self.poller() {
            lock(&self.registrations).settle(&poller.backend(), token);
        }
        rests
    }

    /// Tells the kernel of all descriptors that nobody waits for any more.
    pub fn settle_all(&self, poller: &Poller) {
        let mut registrations = lock(&self.registrations);
        if registrations.has_resting() && self.is_here() {
            registrations.settle_all(&poller.backend());
        }
    }

    /// Clears places of a descriptor and hands back who was there; nobody,
    /// after close.
    pub fn unwatch(&self, fd: RawFd, roles: &[Role]) -> Watchers<Arc<Watcher>> {
        if !self.is_here() {
            // The poll is the parent's.
            return lock(&self.registrations).unwatch(&Nobody, fd, roles);
        }
        match self.poller() {
            Ok(poller) => lock(&self.registrations).unwatch(&poller.backend(), fd, roles),
            Err(_) => Watchers::default(),
        }
    }

    /// Looks up or notes something in the registrations, which are locked meanwhile.
    pub fn with_registrations<R>(
        &self,
        body: impl FnOnce(&mut Registrations<Arc<Watcher>>) -> R,
    ) -> R {
        body(&mut lock(&self.registrations))
    }
}
