//! A loop whose poll a foreign loop watches, which has it turn.

use std::time::Duration;

use pyo3::prelude::*;

use super::clock;
use super::state::EventLoop;
use super::turn::turn;
use crate::core::clock::Deadline;

/// One turn of a guest: a loop whose poll a foreign loop watches. Doesn't wait.
/// `idle` must follow, whatever comes of it.
///
/// # Errors
/// As `turn::run`.
pub fn turn_once(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    event_loop.get().calls.lock(event_loop.py()).end_wait();
    turn(event_loop, Some(Duration::ZERO))
}

/// Leaves a guest's poll so that the host sees it ready when there is work.
/// Returns the seconds until the next timer is due.
///
/// # Errors
/// Those of a clock of the user's own.
pub fn idle(event_loop: &Bound<'_, EventLoop>) -> PyResult<Option<f64>> {
    let this = event_loop.get();
    if let Ok(poller) = this.poller() {
        this.settle_all(&poller);
    }
    if !this.is_closed() && !this.calls.lock(event_loop.py()).begin_wait() {
        this.wake_poller();
    }
    let now = Deadline::now();
    let next = clock::next_deadline(event_loop, now)?;
    Ok(next.map(|next| next.since(now).as_secs_f64()))
}
