//! Descriptors that the kernel is asked to watch later.
//!
//! Many a connection that was just accepted is closed, or watched otherwise, by the very
//! callback that is told of it. What it comes to is asked for once, afterwards; nobody
//! else may have the descriptor until then.

use std::io;
use std::os::fd::RawFd;

use mio::Token;

use super::{Registrations, Slot, Watchers, token};
use crate::core::edge::Edge;
use crate::core::interest::Interest;
use crate::core::sys::{Backend, Trigger, Watch};

impl<T: Clone> Registrations<T> {
    /// Notes that `watcher` waits for input of a new descriptor, without asking the kernel;
    /// `ask` has to follow. `None`: somebody seems to watch it, who has to be displaced by
    /// `watch`.
    pub fn watch_later(&mut self, fd: RawFd, watcher: &T, trigger: Trigger) -> Option<Token> {
        let generation = match self.slot(fd) {
            Some(slot) if slot.interest.is_some() => return None,
            Some(slot) => slot.generation.wrapping_add(1),
            None => 1,
        };
        let slot = Slot {
            generation,
            interest: Some(Interest::READABLE),
            unasked: true,
            edge: Edge::new(trigger),
            watchers: Watchers {
                read: Some(watcher.clone()),
                ..Watchers::default()
            },
        };
        // Nobody was there.
        drop(self.record(fd, slot));
        Some(token(fd, generation))
    }

    /// The descriptor behind a token and its interest, if the kernel hasn't been asked yet.
    #[must_use]
    pub fn unasked(&mut self, token: Token) -> Option<(RawFd, Interest)> {
        let slot = self.named(token)?;
        let interest = slot.interest.filter(|_| slot.unasked)?;
        Some((super::parts(token).0, interest))
    }

    /// The token of a descriptor that the kernel hasn't been asked about yet.
    #[must_use]
    pub fn unasked_token(&self, fd: RawFd) -> Option<Token> {
        let slot = self.slot(fd)?;
        slot.unasked.then(|| token(fd, slot.generation))
    }

    /// Asks the kernel to watch a descriptor, if it hasn't been asked yet.
    ///
    /// # Errors
    /// Those of the operating system; it isn't asked again.
    pub fn ask<B: Backend>(&mut self, backend: &B, token: Token) -> io::Result<()> {
        let Some((fd, interest)) = self.unasked(token) else {
            return Ok(());
        };
        let Some(slot) = self.named(token) else {
            return Ok(());
        };
        slot.unasked = false;
        let watch = Watch {
            fd,
            token,
            interest,
            trigger: slot.edge.trigger(interest),
        };
        match backend.add(watch) {
            // The kernel knows the open file under this number from before.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                backend.modify(watch, Interest::NONE)
            }
            outcome => outcome,
        }
    }
}
