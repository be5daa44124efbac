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
        // Whoever has the kernel asked at once is told why not.
        self.make_room(fd).ok()?;
        let slot = Slot {
            generation,
            interest: Some(Interest::READABLE),
            unasked: true,
            rests: false,
            listed: false,
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::Role;
    use super::*;

    /// Keeps what it is told; refuses to add descriptor 0.
    #[derive(Default)]
    struct Notes(RefCell<Vec<(&'static str, Interest, Trigger)>>);

    impl Notes {
        fn note(&self, call: &'static str, watch: Watch) -> io::Result<()> {
            self.0
                .borrow_mut()
                .push((call, watch.interest, watch.trigger));
            Ok(())
        }
    }

    impl Backend for Notes {
        fn add(&self, watch: Watch) -> io::Result<()> {
            self.note("add", watch)?;
            match watch.fd {
                0 => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
                _ => Ok(()),
            }
        }

        fn modify(&self, watch: Watch, _before: Interest) -> io::Result<()> {
            self.note("modify", watch)
        }

        fn remove(&self, _fd: RawFd, _before: Interest) -> io::Result<()> {
            self.0
                .borrow_mut()
                .push(("remove", Interest::NONE, Trigger::Level));
            Ok(())
        }
    }

    fn fresh(table: &mut Registrations<u8>, fd: RawFd) -> Token {
        let token = table.watch_later(fd, &1, Trigger::Edge);
        token.expect("nobody watches it")
    }

    #[test]
    fn the_kernel_is_asked_once_and_for_what_it_has_come_to() {
        let (mut table, notes) = (Registrations::default(), Notes::default());
        let token = fresh(&mut table, 3);
        assert_eq!(table.unasked(token), Some((3, Interest::READABLE)));
        assert_eq!(table.unasked_token(3), Some(token));
        assert_eq!(table.watchers(3).and_then(|all| all.read), Some(1));
        assert!(table.watch_later(3, &2, Trigger::Edge).is_none());
        let both = table.watch(&notes, 3, &1, &[Role::Write], &[], Trigger::Edge);
        assert_eq!(both.expect("no call"), Watchers::default());
        assert_eq!(table.unwatch(&notes, 3, &[Role::Read]).read, Some(1));
        assert_eq!(table.unasked(token), Some((3, Interest::WRITABLE)));
        assert!(notes.0.borrow().is_empty());
        table.ask(&notes, token).expect("added");
        table.ask(&notes, token).expect("nothing to do");
        assert_eq!(table.unasked(token), None);
        let added = ("add", Interest::WRITABLE, Trigger::Level);
        assert_eq!(notes.0.take(), [added]);
        assert_eq!(table.unwatch(&notes, 3, &[Role::Write]).write, Some(1));
        assert_eq!(notes.0.take().len(), 1);
    }

    #[test]
    fn what_nobody_watches_any_more_is_never_asked_for() {
        let (mut table, notes) = (Registrations::default(), Notes::default());
        let token = fresh(&mut table, 3);
        table.unwatch(&notes, 3, &[Role::Read]);
        table.make_level_triggered(&notes, token);
        let next = fresh(&mut table, 3);
        assert_ne!(next, token);
        assert_eq!(table.unasked(token), None);
        table.ask(&notes, token).expect("nothing to do");
        assert!(notes.0.borrow().is_empty());
        table.ask(&notes, next).expect("added");
        let added = ("add", Interest::READABLE, Trigger::Edge);
        assert_eq!(notes.0.take(), [added]);
    }

    #[test]
    fn what_is_made_level_triggered_before_is_asked_for_so() {
        let (mut table, notes) = (Registrations::default(), Notes::default());
        let token = fresh(&mut table, 3);
        table.make_level_triggered(&notes, token);
        assert!(notes.0.borrow().is_empty());
        table.ask(&notes, token).expect("added");
        let added = ("add", Interest::READABLE, Trigger::Level);
        assert_eq!(notes.0.take(), [added]);
    }

    #[test]
    fn a_refusal_is_told_once() {
        let (mut table, notes) = (Registrations::default(), Notes::default());
        let token = fresh(&mut table, 0);
        let refused = table.ask(&notes, token).expect_err("refused");
        assert_eq!(refused.raw_os_error(), Some(libc::ENOSPC));
        table.ask(&notes, token).expect("nothing to do");
        assert!(table.resolve(token).is_some());
    }
}
