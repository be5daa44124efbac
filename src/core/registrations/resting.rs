//! Descriptors that nobody waits for, and of which the kernel isn't told so yet.
//!
//! Many a stream isn't read from between two messages, if only for an iteration or two. If
//! whoever reads is back before the loop waits, the kernel needn't be told either way. It is
//! told as soon as the loop has nothing else to do, so input that nobody reads wakes nobody, and
//! when it reports such input before that.

use std::os::fd::RawFd;

use mio::Token;

use super::{Registrations, Slot, parts, token};
use crate::core::interest::Interest;
use crate::core::sys::{Backend, Trigger, Watch};

impl<T: Clone> Registrations<T> {
    /// Clears the place for input of a descriptor that is watched for input alone, beside
    /// errors, and hands back who was there; the kernel is told by `settle`. `None`: it has to
    /// be told now, by `watch` or `unwatch`.
    pub fn rest(&mut self, fd: RawFd) -> Option<T> {
        if self.resting.try_reserve(1).is_err() {
            return None;
        }
        let slot = self.slots.get_mut(usize::try_from(fd).ok()?)?;
        let suits = slot.interest == Some(Interest::READABLE)
            && !slot.unasked
            && slot.edge.trigger(Interest::READABLE) == Trigger::Level
            && slot.watchers.error.is_some();
        if !suits {
            return None;
        }
        let removed = slot.watchers.read.take()?;
        slot.rests = true;
        if !std::mem::replace(&mut slot.listed, true) {
            self.resting.push(fd);
        }
        Some(removed)
    }

    /// Has who watches a descriptor that rests wait for input again, of which the kernel never
    /// ceased to report. Whether it was so. Nobody but who was there before may ask for it: any
    /// other one has to learn from the kernel whether this still is the same descriptor.
    #[must_use = "one that doesn't rest has to be watched"]
    pub fn resume(&mut self, fd: RawFd, watcher: &T) -> bool {
        match self.slot_mut(fd) {
            Some(slot) if slot.rests => {
                slot.rests = false;
                slot.watchers.read = Some(watcher.clone());
                true
            }
            _ => false,
        }
    }

    /// Whether the kernel reports input of the descriptor behind a token that nobody waits for.
    #[must_use]
    pub fn rests(&self, token: Token) -> bool {
        let (fd, generation) = parts(token);
        let slot = self.slot(fd);
        slot.is_some_and(|slot| slot.rests && slot.generation == generation)
    }

    /// Tells the kernel that nobody waits for input of the descriptor behind a token, if that
    /// is so still.
    pub fn settle<B: Backend>(&mut self, backend: &B, token: Token) {
        let (fd, _) = parts(token);
        if let Some(slot) = self.named(token) {
            slot.settle(backend, fd);
        }
    }

    /// Tells the kernel of all of them.
    pub fn settle_all<B: Backend>(&mut self, backend: &B) {
        for fd in self.resting.drain(..) {
            let index = usize::try_from(fd).unwrap_or_default();
            if let Some(slot) = self.slots.get_mut(index) {
                slot.listed = false;
                slot.settle(backend, fd);
            }
        }
    }

    /// Whether there may be any.
    #[must_use]
    pub fn has_resting(&self) -> bool {
        !self.resting.is_empty()
    }
}

impl<T> Slot<T> {
    fn settle<B: Backend>(&mut self, backend: &B, fd: RawFd) {
        if let Some(before) = self.interest
            && let Some(interest) = self.forget_rest()
        {
            let watch = Watch {
                fd,
                token: token(fd, self.generation),
                interest,
                trigger: self.edge.trigger(interest),
            };
            // It fails for a descriptor that was closed before it was removed, and that one
            // has nothing to report any more.
            drop(backend.modify(watch, before));
        }
    }

    /// Has what the watchers wait for as what the kernel is asked for, if it rests, and says
    /// what that is.
    pub(super) fn forget_rest(&mut self) -> Option<Interest> {
        if !std::mem::take(&mut self.rests) {
            return None;
        }
        self.interest = self.watchers.interest();
        self.interest
    }
}
