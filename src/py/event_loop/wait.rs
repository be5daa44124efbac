//! How a turn waits: it polls, lets other threads run, spins, and blocks, in the order of
//! `core::waiting`.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pyo3::prelude::*;

use super::clock;
use super::state::{EventLoop, Waiting};
use crate::core::clock::Deadline;
use crate::core::handover::{self, Handover};
use crate::core::meter::Meter;
use crate::core::poller::{Event, Poller};
use crate::core::spin::SPIN;
use crate::core::waiting::{self, Waits};
use crate::py::dispatch::call::KINDS;
use crate::py::support::error;

/// Waits, and tells the meter, if there is one, when that began and was over. Returns when
/// the next timer is due, as it was seen before.
///
/// # Errors
/// As `turn::run`.
#[inline]
pub fn wait(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
    meter: Option<&Meter<KINDS>>,
) -> PyResult<Option<Deadline>> {
    let now = Deadline::now();
    if let Some(meter) = meter {
        meter.begin_wait(now);
    }
    let (next, over) = wait_from(event_loop, poller, limit, waiting, now)?;
    if let Some(meter) = meter {
        meter.begin_work(over);
    }
    Ok(next)
}

/// Polls without releasing the GIL; only when there is nothing to do at all, releases it
/// and blocks. Returns when the next timer is due, and when this was over: when it began, if
/// it hasn't blocked.
fn wait_from(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
    mut now: Deadline,
) -> PyResult<(Option<Deadline>, Deadline)> {
    let (this, py) = (event_loop.get(), event_loop.py());
    let events = &mut waiting.events;
    let mut poll = |timeout| {
        let outcome = poller.poll(timeout, events);
        outcome.map_err(|error| poll_failed(this, error))
    };
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
            return Ok((next, now));
        }
    }
    this.settle_all(poller);
    let mut steps = Steps {
        event_loop,
        poller,
        events,
    };
    let Some(outcome) = waiting::wait(&mut steps, &mut waiting.spin, limit) else {
        return Ok((next, now));
    };
    let over = Deadline::now();
    waiting.handover.waited(over);
    waiting.serves = !waiting.events.is_empty();
    outcome.map(|next| (next, over))
}

/// The steps of a wait. What blocks does so with the GIL released.
struct Steps<'a, 'py> {
    event_loop: &'a Bound<'py, EventLoop>,
    poller: &'a Poller,
    events: &'a mut Vec<Event>,
}

impl Waits for Steps<'_, '_> {
    type Error = PyErr;

    fn now(&self) -> Deadline {
        Deadline::now()
    }

    fn begin(&mut self) -> bool {
        let (this, py) = (self.event_loop.get(), self.event_loop.py());
        this.calls.lock(py).begin_wait()
    }

    fn end(&mut self) {
        let (this, py) = (self.event_loop.get(), self.event_loop.py());
        this.calls.lock(py).end_wait();
    }

    fn next_deadline(&mut self, now: Deadline) -> PyResult<Option<Deadline>> {
        clock::next_deadline(self.event_loop, now)
    }

    fn spin(&mut self) -> PyResult<bool> {
        let (poller, events) = (self.poller, &mut *self.events);
        let outcome = self.event_loop.py().detach(|| poller.spin(SPIN, events));
        outcome.map_err(|error| poll_failed(self.event_loop.get(), error))
    }

    fn check_signals(&mut self) -> PyResult<()> {
        check_signals(self.event_loop.get(), self.event_loop.py())
    }

    fn is_stopping(&self) -> bool {
        self.event_loop.get().stopping.load(Ordering::Relaxed)
    }

    fn poll(&mut self, timeout: Option<Duration>) -> PyResult<()> {
        let (poller, events) = (self.poller, &mut *self.events);
        let outcome = self.event_loop.py().detach(|| poller.poll(timeout, events));
        outcome.map_err(|error| poll_failed(self.event_loop.get(), error))
    }
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
