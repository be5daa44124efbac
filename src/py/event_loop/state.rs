//! The loop's state and what the faces do with it; no Python method is here.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::flush::FlushQueue;
use super::forked::Owner;
use super::hooks::Hooks;
use super::transports::Transports;
use crate::core::handover::Handover;
use crate::core::inbox::Inbox;
use crate::core::lock::{lock, try_lock};
use crate::core::meter::Meter;
use crate::core::poller::{Event, Poller};
use crate::core::registrations::{Registrations, Watchers};
use crate::core::spin::{EagerPoll, Spin};
use crate::core::stream::read_budget::Share;
use crate::core::timers::Timers;
use crate::py::dispatch::call::{Call, KINDS};
use crate::py::dispatch::timer::Timer;
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::error;
use crate::py::support::guarded::Guarded;

/// The native half of an event loop: the base of `tornado4.platform.asyncio.EventLoop`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct EventLoop {
    /// Calls that are ready to run.
    pub(in crate::py) calls: Guarded<Inbox<Call>>,
    pub(super) timers: Guarded<Timers<Timer>>,
    /// Who makes the calls of each turn; see `turn::run_through_hooks`.
    pub(in crate::py) wrapped: Hooks,
    /// Whose timers follow a clock of its own; see `turn::collect`.
    pub(in crate::py) clocked: Hooks,
    /// Whether the calls of the turn under way wait for `run_waiting_calls`.
    pub(in crate::py) calls_wait: AtomicBool,
    /// Due calls of a face that has ended before the loop, for its next run.
    pub(in crate::py) kept: Mutex<Vec<Call>>,
    pub(super) registrations: Mutex<Registrations<Arc<Watcher>>>,
    /// Taken out when the loop is closed; who still waits in it keeps it.
    pub(super) poller: Mutex<Option<Arc<Poller>>>,
    /// Whose the loop is, after a fork; see `forked::Owner`.
    pub(super) owner: AtomicU8,
    /// Whether a foreign loop watches the poll; see `guest`.
    pub(in crate::py) is_guest: AtomicBool,
    /// What a turn needs while it waits; taken out meanwhile.
    pub(in crate::py) waiting: Mutex<Waiting>,
    /// Streams that a callback has written to.
    pub(super) unflushed: FlushQueue,
    /// Which descriptors belong to transports.
    pub(in crate::py) transports: Transports,
    /// How many streams had more to read than they could in the iteration before.
    streams: AtomicUsize,
    /// How many turns, one in another, run calls at this moment.
    pub(in crate::py) turns: AtomicU32,
    /// How often the loop has polled.
    pub(in crate::py) polls: AtomicU64,
    // GIL: what one thread has written to these numbers and flags the next one sees, together
    // with all else it has written: its hand-over orders them, so they are relaxed.
    pub(in crate::py) closed: AtomicBool,
    pub(in crate::py) stopping: AtomicBool,
    pub(in crate::py) debug: AtomicBool,
    /// Whether there are timers that run at a turn's end if its calls have made them due;
    /// see `Timer::is_late`.
    pub(in crate::py) late_timers: AtomicBool,
    /// Whether what ended the last run is for a face's own main loop to log; see `ended_by`.
    pub(in crate::py) unexpected: AtomicBool,
    /// Whether `time()` isn't the monotonic clock but somebody's own.
    pub(in crate::py) own_clock: AtomicBool,
    /// Whether `call_at` is a subclass's own, which `call_later` goes through.
    pub(in crate::py) own_call_at: AtomicBool,
    /// Whether Python code makes the loop's turns; `run` leaves that to it.
    pub(in crate::py) driven: AtomicBool,
    /// What makes tasks instead of asyncio.
    pub(in crate::py) task_factory: Guarded<Option<Py<PyAny>>>,
    /// See `EventLoop::with_loop`.
    pub(in crate::py) with_loop: Guarded<Option<Py<PyDict>>>,
    /// The identifier of the thread that runs the loop, 0 for none.
    pub(in crate::py) thread: AtomicU64,
    /// What the loop does, in numbers, if somebody has asked.
    pub(super) meter: OnceLock<Box<Meter<KINDS>>>,
    /// Who is called at the end of each turn that is measured.
    pub(in crate::py) tick: Guarded<Option<Py<PyAny>>>,
}

/// What a turn needs while it waits, kept from turn to turn.
#[derive(Default)]
pub struct Waiting {
    /// What the poll reported.
    pub events: Vec<Event>,
    /// The calls that they ask for.
    pub calls: Vec<Call>,
    /// When to let other threads run.
    pub handover: Handover,
    /// Whether the last poll had descriptors to serve.
    pub serves: bool,
    /// Whether to poll without blocking before a wait.
    pub eager_poll: EagerPoll,
    /// Whether to spin before a wait.
    pub spin: Spin,
}

impl EventLoop {
    /// A loop with a poll of its own.
    ///
    /// # Errors
    /// `OSError`, when the process has no descriptors left.
    pub fn create() -> PyResult<EventLoop> {
        let poller = Poller::new().map_err(error::os_error)?;
        Ok(EventLoop {
            calls: Guarded::default(),
            timers: Guarded::default(),
            wrapped: Hooks::default(),
            clocked: Hooks::default(),
            calls_wait: AtomicBool::new(false),
            kept: Mutex::default(),
            registrations: Mutex::default(),
            poller: Mutex::new(Some(Arc::new(poller))),
            owner: AtomicU8::new(Owner::Here as u8),
            is_guest: AtomicBool::new(false),
            waiting: Mutex::default(),
            unflushed: FlushQueue::default(),
            transports: Transports::default(),
            streams: AtomicUsize::new(0),
            turns: AtomicU32::new(0),
            polls: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            debug: AtomicBool::new(false),
            late_timers: AtomicBool::new(false),
            unexpected: AtomicBool::new(false),
            own_clock: AtomicBool::new(false),
            own_call_at: AtomicBool::new(false),
            driven: AtomicBool::new(false),
            task_factory: Guarded::default(),
            with_loop: Guarded::default(),
            thread: AtomicU64::new(0),
            meter: OnceLock::new(),
            tick: Guarded::default(),
        })
    }

    /// The poll, of this process's own.
    ///
    /// # Errors
    /// `RuntimeError` after the loop was closed, and in a child forked by a loop that ran.
    pub fn poller(&self) -> PyResult<Arc<Poller>> {
        if !self.is_here() {
            self.take_over()?;
        }
        lock(&self.poller).clone().ok_or_else(error::closed)
    }

    /// Whether the loop has been closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether asyncio's debug mode is on.
    pub fn is_debug(&self) -> bool {
        self.debug.load(Ordering::Relaxed)
    }

    /// Notes whether an error that ends the run is one that a face's own main loop
    /// (Twisted's) logs before it goes on: of a signal handler, or out of its own calls.
    pub fn ended_by(&self, error: PyErr, unexpected: bool) -> PyErr {
        self.unexpected.store(unexpected, Ordering::Relaxed);
        error
    }

    /// # Errors
    /// `RuntimeError` after the loop was closed.
    pub fn check_open(&self) -> PyResult<()> {
        if self.is_closed() {
            return Err(error::closed());
        }
        Ok(())
    }

    /// Queues a call, from any thread.
    ///
    /// # Errors
    /// `MemoryError`, as of the other methods that add something.
    #[inline]
    pub fn schedule(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let wakes = {
            let mut calls = self.calls.lock(py);
            calls.make_room(1)?;
            calls.push(call)
        };
        if wakes {
            self.end_wait(py);
        }
        Ok(())
    }

    /// Queues a call behind what the next poll finds.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn defer(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let wakes = {
            let mut calls = self.calls.lock(py);
            calls.make_room_behind()?;
            calls.defer(call)
        };
        if wakes {
            self.end_wait(py);
        }
        Ok(())
    }

    /// Queues a call as the last one of the turn that is under way.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn schedule_last_of_turn(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let wakes = {
            let mut calls = self.calls.lock(py);
            calls.make_room_behind()?;
            calls.push_last_of_turn(call)
        };
        if wakes {
            self.end_wait(py);
        }
        Ok(())
    }

    /// Ends a wait that is under way, or else the next one. Says whether the kernel did it.
    pub fn wake_poller(&self) -> bool {
        self.is_here() && self.poller().is_ok_and(|poller| poller.wake().is_ok())
    }

    /// Ends the wait of which the calls say that it is under way.
    fn end_wait(&self, py: Python<'_>) {
        if !self.wake_poller() {
            // Whoever comes next tries again, or the loop would sleep through all of them.
            self.calls.lock(py).still_waits();
        }
    }

    /// Notes how many streams read on in this iteration.
    pub fn note_streams(&self, count: usize) {
        self.streams.store(count, Ordering::Relaxed);
    }

    /// How much a stream may read in this iteration.
    pub fn read_share(&self) -> Share {
        Share::of(self.streams.load(Ordering::Relaxed))
    }

    /// Ends a wait that is under way, by whatever thread: something has changed that isn't
    /// a call, such as when the next timer is due.
    pub fn interrupt_wait(&self, py: Python<'_>) {
        if self.calls.lock(py).interrupt_wait() {
            self.end_wait(py);
        }
    }

    /// Drops everything that is held, the poll last. Values are dropped
    /// with no lock held, since their finalizers may call the loop.
    pub fn release(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Relaxed);
        let with_loop = self.with_loop.lock(py).take();
        drop(with_loop);
        let calls = self.calls.lock(py).clear();
        drop(calls);
        let kept = std::mem::take(&mut *lock(&self.kept));
        drop(kept);
        let tick = self.tick.lock(py).take();
        drop(tick);
        self.wrapped.clear();
        self.clocked.clear();
        self.unflushed.clear(py);
        self.transports.clear();
        let timers = self.timers.lock(py).clear();
        drop(timers);
        let watchers = lock(&self.registrations).clear();
        drop(watchers);
        let poller = lock(&self.poller).take();
        drop(poller);
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(calls) = self.calls.visit(&visit) {
            calls.iter().try_for_each(|call| call.traverse(visit))?;
        }
        if let Some(factory) = self.task_factory.visit(&visit) {
            visit.call(&*factory)?;
        }
        if let Some(with_loop) = self.with_loop.visit(&visit) {
            visit.call(&*with_loop)?;
        }
        if let Some(tick) = self.tick.visit(&visit) {
            visit.call(&*tick)?;
        }
        self.wrapped.traverse(visit)?;
        self.clocked.traverse(visit)?;
        if let Some(kept) = try_lock(&self.kept) {
            for call in kept.iter() {
                call.traverse(visit)?;
            }
        }
        self.unflushed.traverse(visit)?;
        if let Some(timers) = self.timers.visit(&visit) {
            for timer in timers.values() {
                timer.traverse(visit)?;
            }
        }
        if let Some(registrations) = try_lock(&self.registrations) {
            for (_, watchers) in registrations.iter() {
                for watcher in unique(watchers) {
                    watcher.traverse(visit)?;
                }
            }
        }
        Ok(())
    }
}

/// Each watcher once: one that is in several places holds its Python objects
/// once, and the collector must not see them more often than that.
fn unique(watchers: &Watchers<Arc<Watcher>>) -> Vec<&Arc<Watcher>> {
    let mut unique: Vec<&Arc<Watcher>> = Vec::new();
    for watcher in watchers.iter() {
        if !unique.iter().any(|other| Arc::ptr_eq(other, watcher)) {
            unique.push(watcher);
        }
    }
    unique
}
