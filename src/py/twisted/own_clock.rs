//! A reactor's clock that is somebody's own: `reactor.seconds` was replaced.
//!
//! Delayed calls are in the loop's heap, whose deadlines are readings of the loop's clock.
//! As long as the reactor's goes on at the same rate they are right. One that is moved on
//! by hand, or stands still, is asked in each turn, as Twisted's own reactors do, and the
//! deadlines are made anew by what it says.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;

use super::{DelayedCall, Reactor};
use crate::py::event_loop::EventLoop;
use crate::py::timer::Timer;

/// Has the delayed calls of such reactors follow their clocks.
///
/// # Errors
/// Those of the clocks.
pub fn follow(event_loop: &Bound<'_, EventLoop>) -> PyResult<()> {
    let reactors = event_loop.get().clocked.all(event_loop.py());
    reactors.iter().try_for_each(Reactor::follow_clock)
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
        let py = slf.py();
        let mut calls: Vec<Py<DelayedCall>> = Vec::new();
        slf.get().event_loop().for_each_timer(|timer| {
            if let Timer::Delayed(delayed) = timer
                && delayed.get().is_of(slf)
            {
                calls.push(delayed.clone_ref(py));
            }
        });
        let (now, loop_now) = (slf.get().now(py)?, slf.get().loop_now(py)?);
        for call in calls {
            call.get().reckon(now, loop_now);
        }
        Ok(())
    }
}
