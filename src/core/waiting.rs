//! How a loop goes to wait: so that it sleeps through nothing.
//!
//! Whoever has something for the loop says so first (a call in the inbox, a timer) and then
//! asks whether the loop waits. The loop says first that it waits, and then looks whether
//! there is something. So one of them sees the other. Only the order of these steps is here;
//! the steps are the caller's.

use std::time::Duration;

use super::clock::Deadline;
use super::spin::{SPIN, Spin};

/// The steps of a wait, as the loop's own thread takes them.
pub trait Waits {
    /// What ends the loop.
    type Error;

    /// The current time.
    fn now(&self) -> Deadline;

    /// `Inbox::begin_wait`.
    #[must_use = "a loop with ready calls must not wait"]
    fn begin(&mut self) -> bool;

    /// `Inbox::end_wait`.
    fn end(&mut self);

    /// When the next timer is due.
    ///
    /// # Errors
    /// What ends the loop.
    fn next_deadline(&mut self, now: Deadline) -> Result<Option<Deadline>, Self::Error>;

    /// `Poller::spin`, for `SPIN`, in which other threads may run.
    ///
    /// # Errors
    /// What ends the loop.
    fn spin(&mut self) -> Result<bool, Self::Error>;

    /// Runs the handlers of signals that have come. They may do as every callback.
    ///
    /// # Errors
    /// What ends the loop.
    fn check_signals(&mut self) -> Result<(), Self::Error>;

    /// Whether the loop has been stopped.
    fn is_stopping(&self) -> bool;

    /// `Poller::poll`, in which other threads may run.
    ///
    /// # Errors
    /// What ends the loop.
    fn poll(&mut self, timeout: Option<Duration>) -> Result<(), Self::Error>;
}

/// Waits until there is something to do, and no longer than `limit`: spins for a moment if
/// that is worth it, and blocks. Returns when the next timer is due, as it was seen last;
/// `None`, without a wait, if calls are ready.
///
/// # Errors
/// What ends the loop.
pub fn wait<W: Waits>(
    waits: &mut W,
    spin: &mut Spin,
    limit: Option<Duration>,
) -> Option<Result<Option<Deadline>, W::Error>> {
    if !waits.begin() {
        return None;
    }
    let outcome = block(waits, spin, limit);
    waits.end();
    Some(outcome)
}

fn block<W: Waits>(
    waits: &mut W,
    spin: &mut Spin,
    limit: Option<Duration>,
) -> Result<Option<Deadline>, W::Error> {
    let start = waits.now();
    let timeout = |next: Option<Deadline>, now| match (next.map(|next| next.since(now)), limit) {
        (Some(next), Some(limit)) => Some(next.min(limit)),
        (next, limit) => next.or(limit),
    };
    // Asked after `begin`: a timer that another thread sets from here on ends the wait.
    let mut next = waits.next_deadline(start)?;
    let mut now = start;
    let mut over = false;
    if spin.is_due() && timeout(next, now).is_none_or(|timeout| timeout > SPIN) {
        over = waits.spin()?;
        spin.note(over);
        if !over {
            // A signal that came meanwhile ends the wait only if the interpreter writes
            // to this loop about it. Its handler may do as every callback, such as stop
            // the loop or turn it.
            waits.end();
            waits.check_signals()?;
            over = waits.is_stopping() || !waits.begin();
        }
        now = waits.now();
        next = waits.next_deadline(now)?;
    }
    if !over {
        waits.poll(timeout(next, now))?;
        now = waits.now();
    }
    spin.waited(now.since(start));
    Ok(next)
}

#[cfg(all(test, loom))]
mod model;
