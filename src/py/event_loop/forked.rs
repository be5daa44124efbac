//! A loop in a forked child.
//!
//! The child has a copy of the loop, but shares the poll with its parent: what the one changes
//! there the other one gets. So the child never uses its parent's poll.
//!
//! A loop that didn't run when the process forked, as a daemon forks, gets a poll of its own
//! when the child first uses it, with all that was watched in it. One that ran is the
//! parent's for good: what it was about to do is being done by the parent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::state::EventLoop;
use crate::core::lock::lock;
use crate::core::poller::Poller;
use crate::core::sys::threads;
use crate::py::support::error;

/// Whose a loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Owner {
    /// This process's.
    Here,
    /// A parent's, which didn't run it; it becomes this process's when it is used.
    Idle,
    /// A parent's, which ran it.
    Parent,
}

const OF_PARENT: &str = "This event loop is the parent process's, which ran it when it forked. A \
    child can't run it as well: both would make the same calls, and each would take events from \
    the other. End the child by os._exit(), or run another program in it (subprocess), or make \
    and run a new loop in it, such as by asyncio.run(), before it comes back to the parent's.";

impl EventLoop {
    /// Notes that this is a child that was just forked.
    pub fn forked(&self, py: Python<'_>) {
        if self.is_closed() || self.is_guest.load(Ordering::Relaxed) {
            // A guest does what its host does, whose poll is shared as well.
            return;
        }
        let runs =
            self.turns.load(Ordering::Relaxed) != 0 || self.thread.load(Ordering::Relaxed) != 0;
        if self.owner() == Owner::Parent {
            return;
        }
        if !runs {
            self.set_owner(Owner::Idle);
            // Now, while the numbers of its descriptors are still its own: the child may be a
            // daemon that closes all there are, and opens others.
            drop(lock(&self.poller).take());
            return;
        }
        self.set_owner(Owner::Parent);
        // The turn under way ends, and the run. Nothing is dropped: destructors could do
        // something to what the parent uses.
        self.calls.lock(py).end_for_good();
        self.late_timers.store(false, Ordering::Relaxed);
        self.turns.store(0, Ordering::Relaxed);
        self.stopping.store(true, Ordering::Relaxed);
    }

    #[inline]
    fn owner(&self) -> Owner {
        match self.owner.load(Ordering::Relaxed) {
            0 => Owner::Here,
            1 => Owner::Idle,
            _ => Owner::Parent,
        }
    }

    fn set_owner(&self, owner: Owner) {
        self.owner.store(owner as u8, Ordering::Relaxed);
    }

    /// Whether the loop is this process's, with a poll of its own.
    #[inline]
    pub fn is_here(&self) -> bool {
        self.owner() == Owner::Here
    }

    /// Whether a parent ran the loop when it forked.
    #[inline]
    pub fn is_parents(&self) -> bool {
        self.owner() == Owner::Parent
    }

    /// # Errors
    /// `RuntimeError` if a parent ran the loop when it forked.
    #[inline]
    pub fn check_not_parents(&self) -> PyResult<()> {
        if self.is_parents() {
            return Err(self.ended_by(PyRuntimeError::new_err(OF_PARENT), false));
        }
        Ok(())
    }

    /// # Errors
    /// `RuntimeError` if this is a child that another thread than the loop's has forked: there
    /// is no thread that would ever make the call. A child that the loop's own thread has
    /// forked hears of it when it comes back to the loop.
    #[inline]
    pub fn check_hears_threads(&self) -> PyResult<()> {
        if self.is_parents() && self.thread.load(Ordering::Relaxed) != threads::current() {
            return self.check_not_parents();
        }
        Ok(())
    }

    /// Makes the loop this process's, with a poll of its own in which all that was watched is.
    ///
    /// # Errors
    /// `RuntimeError` if a parent ran it; `OSError` when there are no descriptors left.
    #[cold]
    pub(super) fn take_over(&self) -> PyResult<()> {
        self.check_open()?;
        self.check_not_parents()?;
        let poller = Poller::new().map_err(error::os_error)?;
        // Dropped with no lock held.
        let mut gone = Vec::new();
        self.with_registrations(|all| all.renew(&poller.backend(), &mut gone))
            .map_err(error::os_error)?;
        *lock(&self.poller) = Some(Arc::new(poller));
        self.set_owner(Owner::Here);
        Ok(())
    }
}
