//! A reactor's clock that is somebody's own: `reactor.seconds` was replaced.
//!
//! Delayed calls are in the loop's heap, whose deadlines are readings of the loop's clock.
//! The reactor's may be moved on by hand, or stand still. So it is asked in each turn, as
//! Twisted's own reactors do: before a wait for its time-out, and when the turn's other
//! calls, which may have moved it, are done. Until then nothing is due by it.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;

use super::{DelayedCall, Reactor};
use crate::core::clock::Deadline;
use crate::py::dispatch::timer::Timer;
use crate::py::event_loop::EventLoop;

/// Has the delayed calls of such reactors follow their clocks.
///
/// # Errors
/// Those of the clocks.
pub fn follow(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    let reactors = event_loop.get().clocked.all(event_loop.py());
    reactors.iter().try_for_each(Reactor::follow_clock)
}

/// Has none of them due until `follow` is called.
pub fn hold(event_loop: &Bound<'_, EventLoop>) {
    for reactor in event_loop.get().clocked.all(event_loop.py()) {
        for call in Reactor::scheduled(&reactor) {
            call.get().move_in_heap(|_| Some(Deadline::NEVER));
        }
    }
}

impl Reactor {
    /// See `setOwnClock`.
    pub(super) fn set_own_clock(slf: &Bound<'_, Self>, own: bool) -> PyResult<()> {
        let before = slf.get().own_clock.swap(own, Ordering::Relaxed);
        slf.get().event_loop().clocked.note(slf, own);
        if before || own {
            Reactor::follow_clock(slf)?;
        }
        Ok(())
    }

    /// Reckons the deadlines of the reactor's delayed calls by its clock.
    fn follow_clock(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (now, loop_now) = (slf.get().now(slf.py())?, slf.get().loop_now(slf.py())?);
        for call in Reactor::scheduled(slf) {
            call.get()
                .move_in_heap(|time| loop_now.plus_seconds(time - now));
        }
        Ok(())
    }

    /// The reactor's delayed calls that are in the heap.
    fn scheduled(slf: &Bound<'_, Self>) -> Vec<Py<DelayedCall>> {
        let mut calls = Vec::new();
        slf.get().event_loop().for_each_timer(|timer| {
            if let Timer::Delayed(delayed) = timer
                && delayed.get().is_of(slf)
            {
                calls.push(delayed.clone_ref(slf.py()));
            }
        });
        calls
    }
}
