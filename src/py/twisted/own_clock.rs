//! A reactor's clock that is somebody's own: `reactor.seconds` was replaced.
//!
//! Delayed calls are in the loop's heap, whose deadlines are readings of the loop's clock.
//! So the loop has the reactor asked in each turn, as Twisted's own reactors do.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;

use super::{DelayedCall, Reactor};
use crate::core::clock::Deadline;
use crate::core::room::NoRoom;
use crate::py::dispatch::hook::Hook;
use crate::py::dispatch::timer::Timer;

impl Reactor {
    /// See `setOwnClock`.
    pub(super) fn set_own_clock(slf: &Bound<'_, Self>, own: bool) -> PyResult<()> {
        let before = slf.get().own_clock.swap(own, Ordering::Relaxed);
        let hook = Hook::Reactor(slf.clone().unbind());
        slf.get().event_loop().clocked.note(hook, own);
        if before || own {
            Reactor::follow_clock(slf)?;
        }
        Ok(())
    }

    /// Reckons the deadlines of the reactor's delayed calls by its clock.
    ///
    /// # Errors
    /// Those of the clock.
    pub fn follow_clock(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (now, loop_now) = (slf.get().now(slf.py())?, slf.get().loop_now(slf.py())?);
        for call in Reactor::scheduled(slf)? {
            call.get()
                .move_in_heap(slf.py(), |time| loop_now.plus_seconds(time - now))?;
        }
        Ok(())
    }

    /// Has none of them due until `follow_clock` is called.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn hold_timers(slf: &Bound<'_, Self>) -> PyResult<()> {
        for call in Reactor::scheduled(slf)? {
            call.get()
                .move_in_heap(slf.py(), |_| Some(Deadline::NEVER))?;
        }
        Ok(())
    }

    /// The reactor's delayed calls that are in the heap.
    pub(super) fn scheduled(slf: &Bound<'_, Self>) -> Result<Vec<Py<DelayedCall>>, NoRoom> {
        let event_loop = slf.get().event_loop();
        event_loop.find_timers(slf.py(), |timer| match timer {
            Timer::Delayed(delayed) if delayed.get().is_of(slf) => {
                Some(delayed.clone_ref(slf.py()))
            }
            _ => None,
        })
    }
}
