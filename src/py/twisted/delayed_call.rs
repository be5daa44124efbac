//! Twisted's `DelayedCall`: a timer that can be cancelled and moved.

use std::sync::Mutex;

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};

use super::Reactor;
use crate::core::clock::Deadline;
use crate::core::lock::{lock, try_lock};
use crate::core::timers::Key;
use crate::py::dispatch::timer::Timer;
use crate::py::support::error;
use crate::py::support::make;

mod attributes;
mod work;

pub use attributes::Note;

use work::Work;

/// A call scheduled by callLater(). Follows IDelayedCall.
///
/// To Python it is an instance of Twisted's own DelayedCall: `isinstance` holds, and what
/// is set on it is kept. It isn't a subclass, whose instances would take longer to make
/// than the whole of callLater() may cost.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct DelayedCall {
    pub(in crate::py) reactor: Py<Reactor>,
    state: Mutex<State>,
}

struct State {
    /// The function and its arguments, until cancelled.
    work: Option<Work>,
    /// When it is due, in seconds since the epoch.
    time: f64,
    /// When it is due, on the loop's clock.
    deadline: Deadline,
    stage: Stage,
    /// How often it was due; tells a queued call whether it still counts.
    turn: u32,
    /// Apart, so that a call without it is small.
    rare: Option<Box<Rare>>,
}

/// What few calls have.
#[derive(Default)]
struct Rare {
    /// Where it was made; in debug mode only.
    creator: Option<Py<PyAny>>,
    /// What it was; kept when it is cancelled in debug mode.
    repr: Option<Py<PyString>>,
    /// Attributes that somebody has set.
    notes: Option<Py<PyDict>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// About to be scheduled.
    New,
    /// In the timer heap.
    Scheduled(Key),
    /// In the ready queue.
    Due,
    Called,
    Cancelled,
    /// A copy, which is never called.
    Copy,
}

impl DelayedCall {
    /// Schedules a call.
    pub fn schedule(
        reactor: &Bound<'_, Reactor>,
        (deadline, time): (Deadline, f64),
        function: Py<PyAny>,
        args: Py<PyTuple>,
        kw: Option<Py<PyDict>>,
        creator: Option<Py<PyAny>>,
    ) -> PyResult<Py<DelayedCall>> {
        let py = reactor.py();
        let work = Work {
            function,
            args: args.into_any(),
            kw: kw.map(Py::into_any),
        };
        let rare = creator.map(|creator| {
            Box::new(Rare {
                creator: Some(creator),
                ..Rare::default()
            })
        });
        let call = DelayedCall {
            reactor: reactor.clone().unbind(),
            state: Mutex::new(State {
                work: Some(work),
                time,
                deadline,
                stage: Stage::New,
                turn: 0,
                rare,
            }),
        };
        let call = Py::new(py, call)?;
        DelayedCall::insert(call.bind(py), deadline)?;
        Ok(call)
    }

    fn insert(slf: &Bound<'_, Self>, deadline: Deadline) -> PyResult<()> {
        let event_loop = slf.get().reactor.get().event_loop();
        let timer = Timer::Delayed(slf.clone().unbind());
        // Locked first: the call must not be marked due before it has its key.
        let mut state = lock(&slf.get().state);
        state.stage = Stage::Scheduled(event_loop.insert_timer(slf.py(), deadline, timer)?);
        Ok(())
    }

    /// Notes that the call has moved from the heap to the ready queue; the
    /// number goes there with it.
    pub fn mark_due(&self) -> u32 {
        let mut state = lock(&self.state);
        state.stage = Stage::Due;
        state.turn = state.turn.wrapping_add(1);
        state.turn
    }

    /// When it is due, in seconds since the epoch.
    fn due_at(&self) -> f64 {
        lock(&self.state).time
    }

    /// Whether the call is of the given reactor.
    pub fn is_of(&self, reactor: &Bound<'_, Reactor>) -> bool {
        self.reactor.is(reactor)
    }

    /// Whether the call waits in the ready queue under the given number.
    pub fn is_due(&self, turn: u32) -> bool {
        let state = lock(&self.state);
        state.stage == Stage::Due && state.turn == turn
    }

    /// Moves the call in the heap, where it is one, to a deadline made from its time.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn move_in_heap(
        &self,
        py: Python<'_>,
        deadline: impl FnOnce(f64) -> Option<Deadline>,
    ) -> PyResult<()> {
        let mut state = lock(&self.state);
        if let (Stage::Scheduled(key), Some(deadline)) = (state.stage, deadline(state.time)) {
            // GIL: until it is in the heap's new place nobody else moves, cancels or makes it.
            state.deadline = deadline;
            drop(state);
            self.reactor
                .get()
                .event_loop()
                .reschedule_timer(py, key, deadline)?;
        }
        Ok(())
    }

    /// Makes the call, unless it was cancelled or moved since it was due. An
    /// exception is logged, whatever it is, as Twisted does.
    ///
    /// # Errors
    /// None that comes from the call, but for a Ctrl-C that isn't Twisted's.
    pub fn run(slf: &Bound<'_, Self>, turn: u32) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let work = {
            let mut state = lock(&this.state);
            if state.stage != Stage::Due || state.turn != turn {
                return Ok(());
            }
            state.stage = Stage::Called;
            state.work.as_ref().map(|work| work.clone_ref(py))
        };
        let Some(work) = work else {
            return Ok(());
        };
        match work.call(py) {
            Ok(result) => this.reactor.get().look_at_result(&result, "callLater"),
            Err(error) if this.reactor.get().ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let what = (error::value(py, error), this.creator(py));
                this.reactor.get().report(py, "delayed_call", what)
            }
        }
    }

    /// # Errors
    /// `AlreadyCalled`, `AlreadyCancelled`.
    fn check_active(&self, py: Python<'_>) -> PyResult<()> {
        let name = match lock(&self.state).stage {
            Stage::Called => "AlreadyCalled",
            Stage::Cancelled => "AlreadyCancelled",
            _ => return Ok(()),
        };
        Err(self.reactor.get().error(py, name))
    }

    /// Moves the call, wherever it waits.
    ///
    /// # Errors
    /// `RuntimeError` when the loop is closed.
    fn move_to(slf: &Bound<'_, Self>, deadline: Deadline, time: f64) -> PyResult<()> {
        slf.get().reactor.get().event_loop().check_open()?;
        // GIL: as in `move_in_heap`.
        let (stage, sooner) = {
            let mut state = lock(&slf.get().state);
            let before = std::mem::replace(&mut state.deadline, deadline);
            state.time = time;
            (state.stage, deadline < before)
        };
        let event_loop = slf.get().reactor.get().event_loop();
        match stage {
            Stage::Scheduled(key) if event_loop.reschedule_timer(slf.py(), key, deadline)? => {}
            Stage::Called | Stage::Cancelled | Stage::Copy => {}
            Stage::Due if sooner => {}
            // In the ready queue: what is queued there no longer counts.
            _ => DelayedCall::insert(slf, deadline)?,
        }
        Ok(())
    }
}

#[pymethods]
impl DelayedCall {
    /// Return the time at which the call is due, in seconds since the epoch.
    #[pyo3(name = "getTime")]
    fn get_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFloat>> {
        make::float(py, self.due_at())
    }

    /// Unschedule the call.
    ///
    /// Raises AlreadyCancelled or AlreadyCalled.
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        this.check_active(py)?;
        let debug = this.reactor.get().is_debug(py)?;
        let before = {
            let mut state = lock(&this.state);
            std::mem::replace(&mut state.stage, Stage::Cancelled)
        };
        if let Stage::Scheduled(key) = before {
            let timer = this.reactor.get().event_loop().remove_timer(py, key);
            drop(timer);
        }
        if debug {
            let repr = slf.repr()?.unbind();
            let before = lock(&this.state)
                .rare
                .get_or_insert_default()
                .repr
                .replace(repr);
            drop(before);
        }
        let work = lock(&this.state).work.take();
        drop(work);
        Ok(())
    }

    /// Reschedule the call for `secondsFromNow` seconds from now.
    ///
    /// Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN.
    #[pyo3(signature = (secondsFromNow))]
    #[allow(non_snake_case)]
    fn reset(slf: &Bound<'_, Self>, secondsFromNow: f64) -> PyResult<()> {
        slf.get().check_active(slf.py())?;
        let reactor = slf.get().reactor.get();
        let now = reactor.loop_now(slf.py())?;
        let deadline = error::deadline(now.plus_seconds(secondsFromNow))?;
        let time = reactor.due_at(slf.py(), (deadline, now), secondsFromNow)?;
        DelayedCall::move_to(slf, deadline, time)
    }

    /// Reschedule the call for `secondsLater` seconds after its time.
    ///
    /// Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN.
    #[pyo3(signature = (secondsLater))]
    #[allow(non_snake_case)]
    fn delay(slf: &Bound<'_, Self>, secondsLater: f64) -> PyResult<()> {
        slf.get().check_active(slf.py())?;
        let (deadline, time) = {
            let state = lock(&slf.get().state);
            (state.deadline, state.time)
        };
        let deadline = error::deadline(deadline.plus_seconds(secondsLater))?;
        DelayedCall::move_to(slf, deadline, time + secondsLater)
    }

    /// Return True if the call is pending.
    fn active(&self) -> bool {
        !matches!(lock(&self.state).stage, Stage::Called | Stage::Cancelled)
    }

    /// The time now, on the clock of getTime().
    fn seconds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFloat>> {
        make::float(py, self.reactor.get().now(py)?)
    }

    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFloat>> {
        self.get_time(py)
    }

    #[getter]
    fn called(&self) -> u8 {
        u8::from(lock(&self.state).stage == Stage::Called)
    }

    #[getter]
    fn cancelled(&self) -> u8 {
        u8::from(lock(&self.state).stage == Stage::Cancelled)
    }

    /// The stack at creation, a list of lines; None unless in debug mode.
    #[getter]
    fn creator(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = lock(&self.state);
        let creator = state.rare.as_ref()?.creator.as_ref()?;
        Some(creator.clone_ref(py))
    }

    #[getter]
    fn _repr(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let state = lock(&self.state);
        let repr = state.rare.as_ref()?.repr.as_ref()?;
        Some(repr.clone_ref(py))
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let reports = slf.get().reactor.get().reports(py);
        reports.call_method1(intern!(py, "delayed_call_repr"), (slf,))
    }

    /// Ordered by time; equal to itself alone.
    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, DelayedCall>,
        operation: CompareOp,
    ) -> bool {
        let (mine, theirs) = (slf.get().due_at(), other.get().due_at());
        match operation {
            CompareOp::Lt => mine < theirs,
            CompareOp::Le => mine <= theirs,
            CompareOp::Gt => mine > theirs,
            CompareOp::Ge => mine >= theirs,
            CompareOp::Eq => slf.is(other),
            CompareOp::Ne => !slf.is(other),
        }
    }

    fn __hash__(slf: &Bound<'_, Self>) -> usize {
        slf.as_ptr().addr()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.reactor)?;
        let Some(state) = try_lock(&self.state) else {
            return Ok(());
        };
        if let Some(Work { function, args, kw }) = &state.work {
            visit.call(function)?;
            visit.call(args)?;
            visit.call(kw)?;
        }
        if let Some(rare) = &state.rare {
            visit.call(&rare.creator)?;
            visit.call(&rare.notes)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let (work, rare) = {
            let mut state = lock(&self.state);
            (state.work.take(), state.rare.take())
        };
        drop((work, rare));
    }
}
