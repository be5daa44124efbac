//! Which descriptors are watched, and by whom.
//!
//! A descriptor has up to three watchers: one for input, one for output and
//! one for errors; together they make its interest. Each time a descriptor is
//! added to the poll its token gets a new generation, so that an event of a
//! closed descriptor never reaches the one that has its number next.
//!
//! A descriptor is level-triggered, unless all its watchers agree that it need not be
//! (`edge.rs`).
//!
//! Nothing is recorded before the kernel has agreed. A descriptor that was
//! closed and reused without being removed is noticed when the kernel answers
//! `ENOENT`: the watchers of the closed one are handed back.

use std::io;
use std::os::fd::RawFd;

use mio::Token;

use super::edge::Edge;
use super::interest::{Interest, Readiness};
use super::room::NoRoom;
use super::sys::{Backend, Trigger, Watch};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a token holds a 32-bit generation and a 32-bit descriptor");

/// What a watcher waits for; names one of a descriptor's three places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Input.
    Read,
    /// Output.
    Write,
    /// Errors and hang-ups, beside the directions that are watched. Alone, it keeps the
    /// watcher and is told nothing.
    Error,
}

/// The watchers of one descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchers<T> {
    /// Waits for input.
    pub read: Option<T>,
    /// Waits for output.
    pub write: Option<T>,
    /// Learns of errors and hang-ups; see `Role::Error`.
    pub error: Option<T>,
}

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Watchers {
            read: None,
            write: None,
            error: None,
        }
    }
}

impl<T> Watchers<T> {
    /// The watcher in one place.
    pub fn get(&self, role: Role) -> Option<&T> {
        match role {
            Role::Read => self.read.as_ref(),
            Role::Write => self.write.as_ref(),
            Role::Error => self.error.as_ref(),
        }
    }

    fn place(&mut self, role: Role) -> &mut Option<T> {
        match role {
            Role::Read => &mut self.read,
            Role::Write => &mut self.write,
            Role::Error => &mut self.error,
        }
    }

    /// Every watcher there is.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.read, &self.write, &self.error].into_iter().flatten()
    }

    /// `None` when nobody watches.
    fn interest(&self) -> Option<Interest> {
        let mut interest = Interest::NONE;
        if self.read.is_some() {
            interest = interest | Interest::READABLE;
        }
        if self.write.is_some() {
            interest = interest | Interest::WRITABLE;
        }
        (self.iter().next().is_some()).then_some(interest)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Registrations<T> {
    /// Indexed by descriptor. It grows only for descriptors that the kernel
    /// has accepted, so a made-up number can't make it large.
    slots: Vec<Slot<T>>,
    /// The descriptors that may rest; see `resting`.
    resting: Vec<RawFd>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    /// What the kernel has been asked for; `None`: it doesn't watch.
    interest: Option<Interest>,
    /// Whether it has yet to be asked; see `fresh`.
    unasked: bool,
    /// Whether it has been asked for input that nobody waits for any more; see `resting`.
    rests: bool,
    /// Whether the descriptor is among the `resting`.
    listed: bool,
    edge: Edge,
    watchers: Watchers<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot {
            generation: 0,
            interest: None,
            unasked: false,
            rests: false,
            listed: false,
            edge: Edge::default(),
            watchers: Watchers::default(),
        }
    }
}

impl<T> Default for Registrations<T> {
    fn default() -> Self {
        Registrations {
            slots: Vec::new(),
            resting: Vec::new(),
        }
    }
}

impl<T: Clone> Registrations<T> {
    /// Puts `watcher` into `roles` of a descriptor, and clears the places in
    /// `clear`, with one system call. Hands back whom that displaced. `trigger` is what
    /// the watcher agrees to.
    ///
    /// # Errors
    /// Those of the operating system; then nothing has changed.
    pub fn watch<B: Backend>(
        &mut self,
        backend: &B,
        fd: RawFd,
        watcher: &T,
        roles: &[Role],
        clear: &[Role],
        trigger: Trigger,
    ) -> io::Result<Watchers<T>> {
        let mut wanted = self.watchers(fd).cloned().unwrap_or_default();
        for role in clear {
            *wanted.place(*role) = None;
        }
        for role in roles {
            *wanted.place(*role) = Some(watcher.clone());
        }
        let Some(interest) = wanted.interest() else {
            return Ok(self.unwatch(backend, fd, clear));
        };
        let (generation, before, known, unasked) = match self.slot(fd) {
            Some(slot) => (slot.generation, slot.interest, slot.edge, slot.unasked),
            None => (0, None, Edge::default(), false),
        };
        let mut edge = match before {
            Some(_) => known.joined(trigger),
            None => Edge::new(trigger),
        };
        let watch = |generation| Watch {
            fd,
            token: token(fd, generation),
            interest,
            trigger: edge.trigger(interest),
        };
        let renewed = generation.wrapping_add(1);
        let mut stale = false;
        let generation = match before {
            None => match backend.add(watch(renewed)) {
                // The kernel knows the open file under this number from before.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => backend
                    .modify(watch(renewed), Interest::NONE)
                    .map(|()| renewed)?,
                outcome => outcome.map(|()| renewed)?,
            },
            Some(_) if unasked => generation,
            // Asked for even when the interest stays as it is: the answer
            // tells whether this still is the descriptor that was added.
            Some(before) => match backend.modify(watch(generation), before) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                    stale = true;
                    backend.add(watch(renewed)).map(|()| renewed)?
                }
                outcome => outcome.map(|()| generation)?,
            },
        };
        if stale {
            wanted = Watchers::default();
            for role in roles {
                *wanted.place(*role) = Some(watcher.clone());
            }
            let only = wanted.interest().unwrap_or_default();
            let renewed = Edge::new(trigger);
            if only != interest || edge.trigger(only) != renewed.trigger(only) {
                let watch = Watch {
                    interest: only,
                    trigger: renewed.trigger(only),
                    ..watch(generation)
                };
                backend.modify(watch, interest)?;
            }
            edge = renewed;
        }
        if let Err(no_room) = self.make_room(fd) {
            drop(backend.remove(fd, interest));
            return Err(no_room.into());
        }
        let slot = Slot {
            generation,
            interest: wanted.interest(),
            unasked,
            rests: false,
            listed: false,
            edge,
            watchers: wanted,
        };
        let mut displaced = self.record(fd, slot);
        for role in [Role::Read, Role::Write, Role::Error] {
            if !(stale || roles.contains(&role) || clear.contains(&role)) {
                *displaced.place(role) = None;
            }
        }
        Ok(displaced)
    }

    /// Clears places of a descriptor and hands back who was there. A
    /// descriptor that is closed already is forgotten without complaint.
    pub fn unwatch<B: Backend>(&mut self, backend: &B, fd: RawFd, roles: &[Role]) -> Watchers<T> {
        let Some(slot) = self.slot_mut(fd) else {
            return Watchers::default();
        };
        let mut removed = Watchers::default();
        for role in roles {
            *removed.place(*role) = slot.watchers.place(*role).take();
        }
        let wanted = slot.watchers.interest();
        if wanted == slot.interest {
            return removed;
        }
        let outcome = match (slot.interest, wanted) {
            _ if slot.unasked => Ok(()),
            (Some(before), Some(interest)) => {
                let watch = Watch {
                    fd,
                    token: token(fd, slot.generation),
                    interest,
                    trigger: slot.edge.trigger(interest),
                };
                backend.modify(watch, before)
            }
            (Some(before), None) => backend.remove(fd, before),
            (None, _) => Ok(()),
        };
        // A failure means that the descriptor was closed before it was
        // removed: the kernel watches it no longer, as was wanted.
        drop(outcome);
        slot.interest = wanted;
        slot.rests = false;
        slot.unasked &= wanted.is_some();
        removed
    }

    /// See `Edge::defer`.
    #[must_use = "a deferred read has to be scheduled"]
    pub fn defer_read(&mut self, token: Token, readiness: Readiness) -> bool {
        self.named(token)
            .is_some_and(|slot| slot.edge.defer(slot.interest, readiness))
    }

    /// See `Edge::merge`.
    #[must_use = "an event that isn't merged has to be served"]
    pub fn merge_deferred(&mut self, token: Token, readiness: Readiness) -> bool {
        self.named(token)
            .is_some_and(|slot| slot.edge.merge(slot.interest, readiness))
    }

    /// See `Edge::take_deferred`.
    pub fn take_deferred(&mut self, token: Token) -> Option<Readiness> {
        self.named(token)?.edge.take_deferred()
    }

    /// Makes the descriptor behind a token level-triggered: it is reported as long as it
    /// is ready, beginning with what it is ready for now.
    pub fn make_level_triggered<B: Backend>(&mut self, backend: &B, token: Token) {
        let Some(slot) = self.named(token) else {
            return;
        };
        if slot.edge.make_level_triggered(slot.interest)
            && !slot.unasked
            && let Some(interest) = slot.interest
        {
            let watch = Watch {
                fd: parts(token).0,
                token,
                interest,
                trigger: Trigger::Level,
            };
            // It fails for a descriptor that was closed before it was removed, and
            // that one has nothing to report any more.
            drop(backend.modify(watch, interest));
        }
    }

    /// The watchers of a descriptor.
    #[must_use]
    pub fn watchers(&self, fd: RawFd) -> Option<&Watchers<T>> {
        let slot = self.slots.get(usize::try_from(fd).ok()?)?;
        slot.interest.is_some().then_some(&slot.watchers)
    }

    /// The descriptor and its watchers behind a token, unless the descriptor
    /// was removed since.
    #[must_use]
    pub fn resolve(&self, token: Token) -> Option<(RawFd, &Watchers<T>)> {
        let (fd, generation) = parts(token);
        let watchers = self.watchers(fd)?;
        let slot = self.slots.get(usize::try_from(fd).ok()?)?;
        (slot.generation == generation).then_some((fd, watchers))
    }

    /// Every watched descriptor with its watchers.
    pub fn iter(&self) -> impl Iterator<Item = (RawFd, &Watchers<T>)> {
        (0..).zip(&self.slots).filter_map(|(fd, slot)| {
            slot.interest?;
            Some((fd, &slot.watchers))
        })
    }

    /// Has another, new poll watch what is watched, and puts those into `gone` whose descriptors
    /// can't be: they were closed before they were removed.
    ///
    /// # Errors
    /// There is no memory for them, or no room in the kernel.
    pub fn renew<B: Backend>(
        &mut self,
        backend: &B,
        gone: &mut Vec<Watchers<T>>,
    ) -> io::Result<()> {
        gone.try_reserve(self.slots.len()).map_err(NoRoom::from)?;
        for (fd, slot) in (0..).zip(&mut self.slots) {
            slot.forget_rest();
            let Some(interest) = slot.interest.filter(|_| !slot.unasked) else {
                continue;
            };
            let watch = Watch {
                fd,
                token: token(fd, slot.generation),
                interest,
                trigger: slot.edge.trigger(interest),
            };
            match backend.add(watch) {
                Ok(()) => {}
                Err(error) if is_shortage(&error) => return Err(error),
                Err(_) => {
                    slot.interest = None;
                    gone.push(std::mem::take(&mut slot.watchers));
                }
            }
        }
        Ok(())
    }

    /// Forgets every descriptor without telling the kernel, for a poll that
    /// is closed right after, and hands the watchers back.
    pub fn clear(&mut self) -> Vec<Watchers<T>> {
        self.resting.clear();
        let slots = std::mem::take(&mut self.slots);
        slots.into_iter().map(|slot| slot.watchers).collect()
    }

    fn slot(&self, fd: RawFd) -> Option<&Slot<T>> {
        self.slots.get(usize::try_from(fd).ok()?)
    }

    fn slot_mut(&mut self, fd: RawFd) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize::try_from(fd).ok()?)
    }

    /// The slot behind a token, unless the descriptor was added anew since.
    fn named(&mut self, token: Token) -> Option<&mut Slot<T>> {
        let (fd, generation) = parts(token);
        let slot = self.slot_mut(fd)?;
        (slot.generation == generation).then_some(slot)
    }

    /// Makes room for a descriptor, which `record` then needs no memory for.
    fn make_room(&mut self, fd: RawFd) -> Result<(), NoRoom> {
        let wanted = usize::try_from(fd).unwrap_or_default().saturating_add(1);
        if let Some(more) = wanted.checked_sub(self.slots.len()) {
            self.slots.try_reserve(more)?;
        }
        Ok(())
    }

    /// Hands back whose place the slot takes.
    fn record(&mut self, fd: RawFd, slot: Slot<T>) -> Watchers<T> {
        let index = usize::try_from(fd).unwrap_or_default();
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        match self.slots.get_mut(index) {
            Some(place) => {
                let before = std::mem::replace(place, slot);
                place.listed = before.listed;
                before.watchers
            }
            None => slot.watchers,
        }
    }
}

/// Whether the kernel has no room for more, whatever the descriptor is.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull
    )
}

#[allow(clippy::cast_sign_loss)]
fn token(fd: RawFd, generation: u32) -> Token {
    Token(((generation as usize) << 32) | fd as u32 as usize)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn parts(token: Token) -> (RawFd, u32) {
    (token.0 as u32 as RawFd, (token.0 >> 32) as u32)
}

mod fresh;
#[cfg(test)]
mod properties;
mod resting;
#[cfg(test)]
mod tests;
