//! Who takes part in a loop's turns otherwise than by its calls, and how.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

use crate::py::twisted::Reactor;

/// What a face has put into the turns of a loop.
pub enum Hook {
    /// Twisted: a reactor whose `runUntilCurrent`, or whose clock, is somebody's own.
    Reactor(Py<Reactor>),
}

impl Hook {
    /// Whether both are the same.
    pub fn is(&self, other: &Hook) -> bool {
        let (Hook::Reactor(reactor), Hook::Reactor(other)) = (self, other);
        reactor.is(other)
    }

    /// The same once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Hook {
        let Hook::Reactor(reactor) = self;
        Hook::Reactor(reactor.clone_ref(py))
    }

    /// Has it make the calls of the turn under way, which ends in
    /// `turn::run_waiting_calls`, unless somebody sees to it that it doesn't.
    ///
    /// # Errors
    /// Those exceptions that end the loop.
    pub fn run_calls(&self, py: Python<'_>) -> PyResult<()> {
        let Hook::Reactor(reactor) = self;
        reactor.get().run_until_current(py)
    }

    /// Has its timers follow its clock.
    ///
    /// # Errors
    /// Those of the clock.
    pub fn follow_clock(&self, py: Python<'_>) -> PyResult<()> {
        let Hook::Reactor(reactor) = self;
        Reactor::follow_clock(reactor.bind(py))
    }

    /// Has none of its timers due until `follow_clock` is called.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn hold_timers(&self, py: Python<'_>) -> PyResult<()> {
        let Hook::Reactor(reactor) = self;
        Reactor::hold_timers(reactor.bind(py))
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Hook::Reactor(reactor) = self;
        visit.call(reactor)
    }
}
