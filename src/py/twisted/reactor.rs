//! The native half of `TornadoReactor`, which keeps it in its `__dict__`.

use crate::py::support::make::Said;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyAssertionError, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyTuple};

use super::disconnect::Disconnecting;
use super::log_context::LogContext;
use super::{DelayedCall, ThreadCall};
use crate::core::clock::Deadline;
use crate::core::lock::lock;
use crate::core::room::gathered;
use crate::py::dispatch::call::Call;
use crate::py::dispatch::hook::Hook;
use crate::py::event_loop::EventLoop;
use crate::py::event_loop::clock;
use crate::py::event_loop::turn;
use crate::py::support::error;
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::make;

/// The wall clock, in seconds since the epoch.
pub fn seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The native half of a reactor: timed calls, calls from threads, descriptors.
///
/// `Reactor(event_loop, reactor, reports)`: the asyncio face to run on, the
/// reactor whose half this is, and the module that knows Twisted.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct Reactor {
    pub(super) event_loop: Py<EventLoop>,
    pub(super) reactor: Py<PyAny>,
    reports: Py<PyAny>,
    log_context: LogContext,
    /// `twisted.internet.base.DelayedCall`, whose debug flag counts here too.
    delayed_call: Py<PyAny>,
    /// Whether `reactor.seconds` is somebody's own.
    pub(super) own_clock: AtomicBool,
    /// See `ends_the_loop`.
    interrupts: AtomicBool,
    /// See `keeps`.
    pub(super) rests: AtomicBool,
    /// See `allows_fast_path`.
    own_fd_set: AtomicBool,
    /// Whether the loop that drives the reactor's is in debug mode.
    pub(super) host_debug: AtomicBool,
    /// How connections are ended.
    pub(super) disconnecting: Disconnecting,
    /// `Protocol.logPrefix`.
    pub(super) log_prefix: Py<PyAny>,
}

impl Reactor {
    /// The loop that the reactor works on.
    pub fn event_loop(&self) -> &EventLoop {
        self.event_loop.get()
    }

    /// What knows Twisted.
    pub fn reports<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.reports.bind(py)
    }

    /// The log's context while a descriptor is served.
    pub fn log_context(&self) -> &LogContext {
        &self.log_context
    }

    /// Whether an exception of the application ends the loop instead of being
    /// logged: a Ctrl-C that the reactor doesn't handle itself.
    pub fn ends_the_loop(&self, py: Python<'_>, error: &PyErr) -> bool {
        self.interrupts.load(Ordering::Relaxed) && error.is_instance_of::<PyKeyboardInterrupt>(py)
    }

    /// Whether native transports may call this in place of the reactor's methods for
    /// descriptors: nobody has put others on the reactor.
    pub fn allows_fast_path(&self) -> bool {
        !self.own_fd_set.load(Ordering::Relaxed)
    }

    /// The time by the reactor's clock, which a test may have replaced.
    ///
    /// # Errors
    /// Those of a clock of somebody's own.
    pub fn now(&self, py: Python<'_>) -> PyResult<f64> {
        if self.own_clock.load(Ordering::Relaxed) {
            let clock = intern!(py, "seconds");
            return self.reactor.bind(py).call_method0(clock)?.extract();
        }
        Ok(seconds())
    }

    /// When what is due `wait` seconds from now is due by the reactor's clock. On the loop's
    /// clock it is `now`, and the deadline is known: those are one clock with two names,
    /// unless somebody has replaced either, so that calls are in the same order on both.
    ///
    /// # Errors
    /// Those of a clock of somebody's own.
    pub fn due_at(
        &self,
        py: Python<'_>,
        (deadline, now): (Deadline, Deadline),
        wait: f64,
    ) -> PyResult<f64> {
        let own = self.own_clock.load(Ordering::Relaxed)
            || clock::is_own(self.event_loop(), py)
            || deadline == Deadline::NEVER
            || wait < 0.0;
        if own {
            return Ok(self.now(py)? + wait);
        }
        Ok(deadline.on_wall_clock(now))
    }

    /// The time now on the clock that the loop's timers follow.
    ///
    /// # Errors
    /// Those of a clock of somebody's own.
    pub fn loop_now(&self, py: Python<'_>) -> PyResult<Deadline> {
        clock::now(self.event_loop.bind(py))
    }

    /// Logs an exception of the application.
    ///
    /// # Errors
    /// None, unless logging itself fails.
    pub fn report<'py>(
        &self,
        py: Python<'py>,
        what: &str,
        args: impl PyCallArgs<'py>,
    ) -> PyResult<()> {
        self.reports(py).call_method1(make::name(py, what)?, args)?;
        Ok(())
    }

    /// One of Twisted's reasons for a disconnection.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn reason<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.disconnecting.reason(name) {
            Some(reason) => Ok(reason.bind(py).clone()),
            None => self.reports(py).getattr(make::name(py, name)?),
        }
    }

    /// One of Twisted's exceptions.
    pub fn error(&self, py: Python<'_>, name: &str) -> PyErr {
        match self
            .reports(py)
            .getattr(name)
            .and_then(|class| class.call0())
        {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }

    /// `twisted.internet.base.DelayedCall`.
    pub fn delayed_call_class(&self, py: Python<'_>) -> Py<PyAny> {
        self.delayed_call.clone_ref(py)
    }

    /// Whether delayed calls keep where they were made.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn is_debug(&self, py: Python<'_>) -> PyResult<bool> {
        let class = self.delayed_call.bind(py);
        class.getattr(intern!(py, "debug"))?.is_truthy()
    }
}

#[pymethods]
#[allow(non_snake_case)]
impl Reactor {
    #[new]
    fn new(
        event_loop: Py<EventLoop>,
        reactor: Py<PyAny>,
        reports: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = reports.py();
        let log_context = LogContext::new(
            reports.getattr(intern!(py, "theContextTracker"))?.unbind(),
            reports.getattr(intern!(py, "ILogContext"))?.unbind(),
        );
        event_loop.get().late_timers.store(true, Ordering::Relaxed);
        Ok(Reactor {
            event_loop,
            reactor,
            reports: reports.clone().unbind(),
            log_context,
            delayed_call: reports.getattr(intern!(py, "TwistedDelayedCall"))?.unbind(),
            own_clock: AtomicBool::new(false),
            interrupts: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            own_fd_set: AtomicBool::new(false),
            host_debug: AtomicBool::new(false),
            disconnecting: Disconnecting::new(reports)?,
            log_prefix: reports.getattr(intern!(py, "log_prefix"))?.unbind(),
        })
    }

    /// Say whether the loop that drives the reactor's is in debug mode.
    fn setHostDebug(&self, debug: bool) {
        self.host_debug.store(debug, Ordering::Relaxed);
    }

    /// Say whether the reactor has methods for descriptors of somebody's own.
    fn setOwnFDSet(&self, own: bool) {
        self.own_fd_set.store(own, Ordering::Relaxed);
    }

    /// The time in seconds since the epoch. Follows IReactorTime.
    #[staticmethod]
    fn seconds(py: Python<'_>) -> PyResult<Bound<'_, PyFloat>> {
        make::float(py, seconds())
    }

    /// Call `callable(*args, **kw)` after `delay` seconds.
    ///
    /// Returns an IDelayedCall. Raises AssertionError for a negative delay or
    /// NaN, RuntimeError when the loop is closed. Follows IReactorTime.
    #[pyo3(signature = (delay, callable, *args, **kw))]
    fn callLater(
        slf: &Bound<'_, Self>,
        delay: &Bound<'_, PyAny>,
        callable: Py<PyAny>,
        args: Py<PyTuple>,
        kw: Option<Py<PyDict>>,
    ) -> PyResult<Py<DelayedCall>> {
        let (this, py) = (slf.get(), slf.py());
        this.check_thread(py, "callLater")?;
        this.check_function(callable.bind(py), "callLater")?;
        let wait: f64 = delay.extract()?;
        if wait.is_nan() || wait < 0.0 {
            let message = format!("{delay} is not greater than or equal to 0 seconds");
            return Err(PyAssertionError::new_err(Said(message)));
        }
        this.event_loop().check_open()?;
        let now = this.loop_now(py)?;
        let deadline = error::deadline(now.plus_seconds(wait))?;
        let creator = if this.is_debug(py)? {
            Some(
                this.reports(py)
                    .call_method0(intern!(py, "creation_stack"))?
                    .unbind(),
            )
        } else {
            None
        };
        let when = (deadline, this.due_at(py, (deadline, now), wait)?);
        DelayedCall::schedule(slf, when, callable, args, kw, creator)
    }

    /// Say whether the reactor's `runUntilCurrent` is somebody's own, by way of which the
    /// loop then makes its calls.
    fn setWrapped(slf: &Bound<'_, Self>, own: bool) {
        let hook = Hook::Reactor(slf.clone().unbind());
        slf.get().event_loop().wrapped.note(hook, own);
    }

    /// Say whether the reactor's `seconds` is somebody's own, which its delayed calls then
    /// follow.
    fn setOwnClock(slf: &Bound<'_, Self>, own: bool) -> PyResult<()> {
        Reactor::set_own_clock(slf, own)
    }

    /// Make the calls of the loop's turn, if they wait for `runUntilCurrent`; tell
    /// whether it was so.
    fn runCalls(&self, py: Python<'_>) -> PyResult<bool> {
        turn::run_waiting_calls(self.event_loop.bind(py))
    }

    /// From now on keep what is due, for `resume`: the reactor ends before its loop.
    fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    /// Queue what was kept, and keep nothing more.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        Reactor::take_up(slf)
    }

    /// The delayed calls that are pending. Follows IReactorTime.
    fn getDelayedCalls<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let (this, py) = (slf.get().event_loop(), slf.py());
        let due = |call: &Call| match call {
            Call::Delayed(delayed, turn)
                if delayed.get().is_of(slf) && delayed.get().is_due(*turn) =>
            {
                Some(delayed.clone_ref(py))
            }
            _ => None,
        };
        let kept = gathered(lock(&this.kept).iter().filter_map(due))?;
        let due = gathered(this.calls.lock(py).iter().filter_map(due))?;
        let calls = kept.into_iter().chain(due).chain(Reactor::scheduled(slf)?);
        make::list(py, calls.map(|call| call.into_bound(py)))
    }

    /// Call `f(*args, **kwargs)` in the loop's thread, as soon as possible.
    ///
    /// Safe from any thread and from a signal handler. After the loop was
    /// closed it does nothing. Follows IReactorFromThreads.
    #[pyo3(signature = (f, *args, **kwargs))]
    fn callFromThread(
        slf: &Bound<'_, Self>,
        f: &Bound<'_, PyAny>,
        args: Py<PyTuple>,
        kwargs: Option<Py<PyDict>>,
    ) -> PyResult<()> {
        hang_rather_than_unwind();
        slf.get().check_function(f, "callFromThread")?;
        if !f.is_callable() {
            let message = format!("{f} is not callable");
            return Err(PyAssertionError::new_err(Said(message)));
        }
        let event_loop = slf.get().event_loop();
        event_loop.check_hears_threads()?;
        if !event_loop.is_closed() {
            event_loop.schedule(
                slf.py(),
                Call::Thread(ThreadCall {
                    reactor: slf.clone().unbind(),
                    function: f.clone().unbind(),
                    args,
                    kwargs,
                }),
            )?;
        }
        Ok(())
    }

    /// Call `f()` at the end of the turn that is under way, before anything
    /// that comes after; between turns, as soon as possible.
    fn callAtEndOfTurn(slf: &Bound<'_, Self>, f: Py<PyAny>) -> PyResult<()> {
        let call = Call::Thread(ThreadCall {
            reactor: slf.clone().unbind(),
            function: f,
            args: PyTuple::empty(slf.py()).unbind(),
            kwargs: None,
        });
        slf.get().event_loop().schedule_last_of_turn(slf.py(), call)
    }

    /// Seconds until the next delayed call, 0 if something is ready; None:
    /// nothing is. Follows ReactorBase.
    fn timeout(&self, py: Python<'_>) -> PyResult<Option<make::Float>> {
        if !self.event_loop().calls.lock(py).is_empty() {
            return Ok(Some(make::Float(0.0)));
        }
        let now = Deadline::now();
        let next = clock::next_deadline(self.event_loop.bind(py), now)?;
        Ok(next.map(|next| make::Float(next.since(now).as_secs_f64())))
    }

    /// Let KeyboardInterrupt end the loop instead of logging it.
    fn letInterruptsThrough(&self, through: bool) {
        self.interrupts.store(through, Ordering::Relaxed);
    }

    /// End the loop's wait, or else its next one. Safe from any thread.
    fn wakeUp(&self) {
        self.event_loop().wake_poller();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.reactor)?;
        visit.call(&self.reports)?;
        visit.call(&self.delayed_call)?;
        visit.call(&self.log_prefix)?;
        self.disconnecting.traverse(visit)?;
        self.log_context.traverse(visit)
    }
}
