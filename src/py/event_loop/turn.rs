//! One turn of the loop: wait, collect what is ready and due, run it.
//!
//! Exactly what was ready when the running began is run; what that schedules
//! waits for the next turn, so that descriptors are polled in between.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::clock;
use super::current::Current;
use super::flush::{flush, flush_much};
use super::state::{EventLoop, Waiting};
use super::wait::{check_signals, let_others_run, wait};
use crate::core::clock::Deadline;
use crate::core::handover::Handover;
use crate::core::inbox::OuterTurn;
use crate::core::lock::lock;
use crate::core::meter::Meter;
use crate::core::poller::{Event, Poller};
use crate::py::dispatch::call::{Call, KINDS};
use crate::py::dispatch::hook::Hook;
use crate::py::dispatch::watcher::{self, Ready};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::recursion::check_stack;

/// How many descriptors are served before the clock is asked whether to let other threads
/// run: each may have hundreds of kilobytes to read.
const ASK_EVERY: u32 = 16;

/// Turns until `stop` was asked for.
///
/// # Errors
/// Whatever ends the loop: `KeyboardInterrupt`, `SystemExit`, an exception
/// raised by a signal handler, `OSError` from the poll itself.
pub fn run(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    hang_rather_than_unwind();
    let this = event_loop.get();
    let poller = this.poller()?;
    let mut waiting = Taken::from(this);
    let _current = Current::begin(event_loop);
    this.measured_run_begins();
    let outcome = loop {
        let outcome = turn_with(event_loop, &poller, None, &mut waiting.0);
        if outcome.is_err()
            || this.stopping.load(Ordering::Relaxed)
            || this.driven.load(Ordering::Relaxed)
        {
            break outcome;
        }
    };
    this.measured_run_ends();
    outcome?;
    this.check_not_parents()
}

/// What a turn needs while it waits, taken out of the loop until this is dropped, however
/// the turn ends.
struct Taken<'a>(Waiting, &'a EventLoop);

impl<'a> Taken<'a> {
    fn from(event_loop: &'a EventLoop) -> Taken<'a> {
        Taken(std::mem::take(&mut *lock(&event_loop.waiting)), event_loop)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Taken(waiting, event_loop) = self;
        let other = std::mem::replace(&mut *lock(&event_loop.waiting), std::mem::take(waiting));
        drop(other);
    }
}

/// A number of the loop's that is another one until this is dropped.
struct Meanwhile<'a>(&'a AtomicU32, u32);

impl<'a> Meanwhile<'a> {
    fn is(number: &'a AtomicU32, value: u32) -> Meanwhile<'a> {
        Meanwhile(number, number.swap(value, Ordering::Relaxed))
    }
}

impl Drop for Meanwhile<'_> {
    fn drop(&mut self) {
        let Meanwhile(number, before) = self;
        number.store(*before, Ordering::Relaxed);
    }
}

/// A turn that runs calls, until this is dropped.
struct Running<'a, 'py> {
    event_loop: &'a Bound<'py, EventLoop>,
    outer: OuterTurn,
    /// Whether the turn has come to its end.
    done: bool,
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        let (this, py) = (self.event_loop.get(), self.event_loop.py());
        // In a forked child there is none any more.
        let turns = this.turns.load(Ordering::Relaxed).saturating_sub(1);
        this.turns.store(turns, Ordering::Relaxed);
        if !self.done {
            this.calls.lock(py).abandon_turn(&self.outer);
        }
    }
}

/// How long a turn may wait: so many seconds, or for ever. Too long for a duration is as
/// good as that.
pub fn limit(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?.max(0.0)).ok()
}

/// One turn, waiting no longer than `limit`. May nest in another turn.
///
/// # Errors
/// As `run`.
pub fn turn(event_loop: &Bound<'_, EventLoop>, limit: Option<Duration>) -> PyResult<()> {
    hang_rather_than_unwind();
    let this = event_loop.get();
    let poller = this.poller()?;
    let _current = Current::begin(event_loop);
    this.measured_run_begins();
    let outcome = turn_with(event_loop, &poller, limit, &mut Taken::from(this).0);
    this.measured_run_ends();
    outcome?;
    this.check_not_parents()
}

fn turn_with(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
) -> PyResult<()> {
    let meter = event_loop.get().meter_of_turn();
    let due = collect(event_loop, poller, limit, waiting, meter, |_| ())?;
    run_collected(event_loop, due, &mut waiting.handover)
}

/// The first half of a turn: waits, and queues what is ready and due. Returns up to when
/// timers were due, if there were any.
#[inline]
fn collect(
    event_loop: &Bound<'_, EventLoop>,
    poller: &Poller,
    limit: Option<Duration>,
    waiting: &mut Waiting,
    meter: Option<&Meter<KINDS>>,
    look: impl FnOnce(&[Event]),
) -> PyResult<Option<Deadline>> {
    let (this, py) = (event_loop.get(), event_loop.py());
    // A turn within a callback: its answer may be what is waited for.
    flush(event_loop)?;
    if this.clocked.any() {
        follow_clocks(event_loop)?;
    }
    let polls = this.polls.load(Ordering::Relaxed).wrapping_add(1);
    this.polls.store(polls, Ordering::Relaxed);
    let waited = outside(this, || wait(event_loop, poller, limit, waiting, meter));
    look(&waiting.events);
    watcher::queue(this, py, &mut waiting.events, &mut waiting.calls)?;
    let next = waited?;
    if this.clocked.any() {
        let hooks = this.clocked.all(py);
        hooks.iter().try_for_each(|hook| hook.hold_timers(py))?;
    }
    let mut due = None;
    if next.is_some() {
        let now = clock::due_until(event_loop)?;
        this.queue_due_timers(py, now)?;
        due = Some(now);
    }
    outside(this, || check_signals(this, py))?;
    Ok(due)
}

/// Runs `body` as outside of an iteration, even within one: what is written meanwhile, by a
/// signal handler or another thread, isn't held back for an end that may be far away.
fn outside<R>(this: &EventLoop, body: impl FnOnce() -> R) -> R {
    let _outside = Meanwhile::is(&this.turns, 0);
    body()
}

/// The second half of a turn: runs what is in the queue now.
#[inline]
fn run_collected(
    event_loop: &Bound<'_, EventLoop>,
    due: Option<Deadline>,
    handover: &mut Handover,
) -> PyResult<()> {
    check_stack()?;
    let this = event_loop.get();
    let measured = this.measured_calls_begin();
    let outer = this.calls.lock(event_loop.py()).begin_turn();
    this.turns.fetch_add(1, Ordering::Relaxed);
    let mut running = Running {
        event_loop,
        outer,
        done: false,
    };
    let outcome = run_turn(event_loop, &running.outer, due, handover);
    let outcome = outcome.and(flush(event_loop));
    running.done = outcome.is_ok();
    drop(running);
    match measured {
        Some(measured) => outcome.and(measured.end(event_loop)),
        None => outcome,
    }
}

/// The first half of a turn alone, waiting no longer than `limit`. Returns the
/// descriptors that asyncio's handles watch and that are ready.
///
/// # Errors
/// As `run`.
pub fn poll(event_loop: &Bound<'_, EventLoop>, limit: Option<Duration>) -> PyResult<Vec<Ready>> {
    hang_rather_than_unwind();
    let this = event_loop.get();
    let poller = this.poller()?;
    let mut waiting = Taken::from(this);
    let mut ready = Vec::new();
    this.measured_run_begins();
    // The second half of the turn says when this was over.
    collect(event_loop, &poller, limit, &mut waiting.0, None, |events| {
        ready = watcher::ready(this, events);
    })?;
    Ok(ready)
}

/// The second half of a turn alone.
///
/// # Errors
/// As `run`.
pub fn run_ready(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    hang_rather_than_unwind();
    let this = event_loop.get();
    this.measured_without_wait();
    let outcome = run_collected(event_loop, None, &mut Handover::default());
    this.measured_run_ends();
    outcome?;
    this.check_not_parents()
}

/// Runs what was ready when the turn began; then late timers that its calls have made
/// due, but none that a timer's call has made; then what must come last.
fn run_turn(
    event_loop: &Bound<'_, EventLoop>,
    outer: &OuterTurn,
    due: Option<Deadline>,
    handover: &mut Handover,
) -> PyResult<()> {
    if !event_loop.get().wrapped.any() || !run_through_hooks(event_loop)? {
        run_calls(event_loop, due, handover)?;
    }
    let pop = || event_loop.get().calls.lock(event_loop.py()).pop_last(outer);
    while let Some(call) = pop() {
        run_call(event_loop, &call, event_loop.get().meter())?;
    }
    Ok(())
}

/// Has the hooks run the turn's calls, which wait for `run_waiting_calls` meanwhile. Tells
/// whether any has done so.
fn run_through_hooks(event_loop: &Bound<'_, EventLoop>) -> PyResult<bool> {
    let (this, py) = (event_loop.get(), event_loop.py());
    let hooks = this.wrapped.all(py);
    let before = this.calls_wait.swap(true, Ordering::Relaxed);
    let run = |hook: &Hook| hook.run_calls(py);
    let outcome = hooks.iter().try_for_each(run);
    let waits = this.calls_wait.swap(before, Ordering::Relaxed);
    outcome.map(|()| !waits)
}

/// Has the timers that follow clocks of their own do so. Such a clock may be moved on by
/// hand, or stand still, so it is asked in each turn: before a wait for its time-out, and
/// when the turn's other calls, which may have moved it, are done. Until then nothing is
/// due by it.
///
/// # Errors
/// Those of the clocks.
fn follow_clocks(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    let hooks = event_loop.get().clocked.all(event_loop.py());
    let follow = |hook: &Hook| hook.follow_clock(event_loop.py());
    hooks.iter().try_for_each(follow)
}

/// Runs the calls of the turn under way if they wait for this; tells whether it was so.
///
/// # Errors
/// As `run`.
pub fn run_waiting_calls(event_loop: &Bound<'_, EventLoop>) -> PyResult<bool> {
    let waited = event_loop.get().calls_wait.swap(false, Ordering::Relaxed);
    if waited {
        run_calls(event_loop, None, &mut Handover::default())?;
    }
    Ok(waited)
}

/// `due`: up to when timers were due when they were queued. It holds for the first call;
/// after any other the clock is read anew.
fn run_calls(
    event_loop: &Bound<'_, EventLoop>,
    mut due: Option<Deadline>,
    handover: &mut Handover,
) -> PyResult<()> {
    let (this, py) = (event_loop.get(), event_loop.py());
    let mut now = None;
    let mut served = 0_u32;
    let meter = this.meter();
    let pop = || this.calls.lock(py).pop();
    while let Some(call) = pop() {
        let due = due.take();
        let first = now.is_none() && call.is_of_late_timer();
        let reading = first.then(|| due.map_or_else(|| clock::due_until(event_loop), Ok));
        run_call(event_loop, &call, meter)?;
        // If the clock has failed, the call is made all the same: it is in no queue now.
        now = reading.transpose()?.or(now);
        if call.serves_descriptor() {
            served = served.wrapping_add(1);
            if served.is_multiple_of(ASK_EVERY) {
                let_others_run(py, Deadline::now(), handover, true);
            }
        }
        call.drop_attached(py);
    }
    if this.late_timers.load(Ordering::Relaxed) {
        let mut now = now.or(due);
        if this.clocked.any() {
            follow_clocks(event_loop)?;
            now = None;
        }
        let now = now.map_or_else(|| clock::due_until(event_loop), Ok)?;
        while let Some(call) = this.pop_due_late(py, now) {
            run_call(event_loop, &call, meter)?;
        }
    }
    Ok(())
}

/// Runs a call, and sends what was written once it is much.
fn run_call(
    event_loop: &Bound<'_, EventLoop>,
    call: &Call,
    meter: Option<&Meter<KINDS>>,
) -> PyResult<()> {
    let outcome = if event_loop.get().is_debug() {
        run_timed(event_loop, call)
    } else {
        call.run(event_loop)
    };
    if let Some(meter) = meter {
        count(meter, call);
    }
    outcome.and(flush_much(event_loop))
}

/// Apart, so that those who aren't measured don't have it in their way.
#[cold]
#[inline(never)]
fn count(meter: &Meter<KINDS>, call: &Call) {
    meter.called(call.kind(), call.serves_descriptor(), Deadline::now);
}

/// Runs a call as asyncio's debug mode does: with its handle known to the
/// exception handler, and a report if it took long.
fn run_timed(event_loop: &Bound<'_, EventLoop>, call: &Call) -> PyResult<()> {
    let py = event_loop.py();
    let current = intern!(py, "_current_handle");
    event_loop.setattr(current, call.handle())?;
    // Before it is called: a timeout lets go of its function.
    let subject = call.reported(event_loop);
    let start = Deadline::now();
    let outcome = call.run(event_loop);
    let took = Deadline::now().since(start).as_secs_f64();
    event_loop.setattr(current, py.None())?;
    outcome?;
    event_loop.call_method1(
        intern!(py, "_report_slow_call"),
        (subject, make::Float(took)),
    )?;
    Ok(())
}
