//! How a turn waits: it polls, lets other threads run, spins, and blocks.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pyo3::prelude::*;

use super::clock;
use super::state::{EventLoop, Waiting};
use crate::core::clock::Deadline;
use crate::core::handover::{self, Handover};
use crate::core::poller::Poller;
use crate::core::spin::SPIN;
use crate::py::support::error;

/// Polls without releasing the GIL; only when there is nothing to do at all, releases it
/// and blocks. Returns when the next timer is due, as it was seen before.
///
/// # Errors
/// As `turn::run`.
pub fn wait(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
) -> PyResult<Option<Deadline>> {
    let (this, py) = (event_loop.get(), event_loop.py());
    let events = &mut waiting.events;
    let mut poll = |timeout| {
        let outcome = poller.poll(timeout, events);
        outcome.map_err(|error| poll_failed(this, error))
    };
    let mut now = Deadline::now();
    if let_others_run(py, now, &mut waiting.handover, waiting.serves) {
        now = Deadline::now();
    }
    let next = clock::next_deadline(event_loop, now)?;
    let busy = this.stopping.load(Ordering::Relaxed)
        || !this.calls.lock(py).is_empty()
        || next.is_some_and(|next| next <= now);
    let may_wait = limit != Some(Duration::ZERO);
    if busy || !may_wait || waiting.eager_poll.is_due() {
        poll(Some(Duration::ZERO))?;
        waiting.serves = !events.is_empty();
        waiting.eager_poll.note(busy || waiting.serves);
        if busy || !may_wait || !events.is_empty() {
            return Ok(next);
        }
    }
    if !this.calls.lock(py).begin_wait() {
        return Ok(next);
    }
    let outcome = block(event_loop, poller, limit, waiting);
    this.calls.lock(py).end_wait();
    waiting.handover.waited(Deadline::now());
    waiting.serves = !waiting.events.is_empty();
    outcome
}

/// Releases the GIL, spins for a moment if that is worth it, and blocks.
fn block(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
) -> PyResult<Option<Deadline>> {
    let (this, py) = (event_loop.get(), event_loop.py());
    let events = &mut waiting.events;
    let start = Deadline::now();
    let timeout = |next: Option<Deadline>, now| match (next.map(|next| next.since(now)), limit) {
        (Some(next), Some(limit)) => Some(next.min(limit)),
        (next, limit) => next.or(limit),
    };
    // Taken after `begin_wait`: a timer that another thread sets from here on
    // ends the wait.
    let mut next = clock::next_deadline(event_loop, start)?;
    let mut now = start;
    let mut over = false;
    if waiting.spin.is_due() && timeout(next, now).is_none_or(|timeout| timeout > SPIN) {
        over = py
            .detach(|| poller.spin(SPIN, events))
            .map_err(|error| poll_failed(this, error))?;
        waiting.spin.note(over);
        if !over {
            // A signal that came meanwhile ends the wait only if the interpreter writes
            // to this loop about it. Its handler may do as every callback, such as stop
            // the loop or turn it.
            this.calls.lock(py).end_wait();
            check_signals(this, py)?;
            over = this.stopping.load(Ordering::Relaxed) || !this.calls.lock(py).begin_wait();
        }
        now = Deadline::now();
        next = clock::next_deadline(event_loop, now)?;
    }
    if !over {
        py.detach(|| poller.poll(timeout(next, now), events))
            .map_err(|error| poll_failed(this, error))?;
        now = Deadline::now();
    }
    waiting.spin.waited(now.since(start));
    Ok(next)
}

/// What ends the loop when its poll has failed.
fn poll_failed(this: &EventLoop, error: io::Error) -> PyErr {
    this.ended_by(error::os_error(error), false)
}

/// Runs the handlers of signals that have come.
///
/// # Errors
/// What they raise.
pub fn check_signals(this: &EventLoop, py: Python<'_>) -> PyResult<()> {
    let outcome = py.check_signals();
    outcome.map_err(|error| this.ended_by(error, true))
}

/// Lets another thread run if it is its turn, since native calls alone never would.
/// Returns whether the GIL was released.
pub fn let_others_run(
    py: Python<'_>,
    now: Deadline,
    handover: &mut Handover,
    serves: bool,
) -> bool {
    if !handover.is_due(now, serves) {
        return false;
    }
    py.detach(|| {
        let released = Deadline::now();
        if handover.released(released, released.since(now), serves) {
            stay_away();
        }
    });
    let back = Deadline::now();
    handover.regained(back, back.since(now));
    true
}

/// Stays away for a moment. Not asleep, which would take several times as long, but the
/// thread that was woken may have this one's CPU.
fn stay_away() {
    let start = Deadline::now();
    while Deadline::now().since(start) < handover::STAY_AWAY {
        std::thread::yield_now();
    }
}
