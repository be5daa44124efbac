//! A turn in its parts, for Python code that makes asyncio's iteration itself: it looks
//! at what is ready and scheduled, polls, and runs what it finds.

use std::convert::Infallible;
use std::os::fd::RawFd;

use pyo3::prelude::*;

use super::{EventLoop, Handle, TimerHandle};
use crate::py::call::Call;
use crate::py::timer::Timer;

/// What is ready: handles, and what stands for the calls of the other faces.
pub fn ready(this: &EventLoop, py: Python<'_>) -> Vec<Py<PyAny>> {
    let mut found = Vec::new();
    let Ok(()) = this.calls.try_visit(|call| {
        found.extend(call.subject(py));
        Ok::<(), Infallible>(())
    });
    found
}

/// The handles of `call_later` and `call_at` that aren't due yet, in no order.
pub fn scheduled(this: &EventLoop, py: Python<'_>) -> Vec<Py<Handle>> {
    let mut found = Vec::new();
    this.for_each_timer(|timer| {
        if let Timer::Handle(handle) = timer {
            found.push(handle.clone_ref(py));
        }
    });
    found
}

/// Queues a handle. One of a timer leaves the heap; if it has left it before, it is in
/// the queue already, or has run.
pub fn add(this: &EventLoop, handle: &Bound<'_, PyAny>) {
    if let Ok(timer) = handle.cast::<TimerHandle>() {
        if let Some(timer) = TimerHandle::unschedule(timer) {
            this.schedule(timer.due());
        }
    } else if let Ok(handle) = handle.cast::<Handle>() {
        this.schedule(Call::Handle(handle.clone().unbind()));
    } else {
        this.schedule(Call::Foreign(handle.clone().unbind()));
    }
}

/// A descriptor and what it is ready for: 1 to read, 2 to write, as `selectors` has it.
pub type Ready = (RawFd, u8);
