//! What the timer heap holds, and what becomes of it when it is due.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use super::call::Call;
use crate::py::asyncio::Handle;
use crate::py::tornado::Timeout;
use crate::py::twisted::DelayedCall;

/// A scheduled call of one of the faces.
pub enum Timer {
    /// asyncio's `call_later`, `call_at`.
    Handle(Py<Handle>),
    /// Tornado's `add_timeout`, `call_later`, `call_at`.
    Timeout(Py<Timeout>),
    /// Twisted's `callLater`.
    Delayed(Py<DelayedCall>),
}

impl Timer {
    /// The call that a due timer becomes.
    pub fn due(self) -> Call {
        match self {
            Timer::Handle(handle) => Call::Handle(handle),
            Timer::Timeout(timeout) => Call::Timeout(timeout),
            Timer::Delayed(delayed) => {
                let turn = delayed.get().mark_due();
                Call::Delayed(delayed, turn)
            }
        }
    }

    /// Whether one that a turn's calls have made due runs at that turn's end: Twisted makes
    /// its timed calls after the calls from threads. Any other waits for the next turn.
    #[inline]
    pub fn is_late(&self) -> bool {
        matches!(self, Timer::Delayed(_))
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Timer::Handle(handle) => visit.call(handle),
            Timer::Timeout(timeout) => visit.call(timeout),
            Timer::Delayed(delayed) => visit.call(delayed),
        }
    }
}
