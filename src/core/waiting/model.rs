//! Every order in which a loop that goes to wait and threads that have something for it can
//! come to take their steps: loom tries each. The inbox, the timers, the poller, the locks and
//! the order of the steps are the real ones; mio is replaced (`poller/model.rs`), and what
//! `py::event_loop` does is done by `World`. There the GIL leaves fewer orders than here, where
//! each container has a lock.
//!
//! A wake-up that is lost is a deadlock, of which loom speaks.

use std::io;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use loom::thread;

use super::*;
use crate::core::inbox::Inbox;
use crate::core::lock::{Mutex, lock};
use crate::core::poller::Poller;
use crate::core::timers::{Key, Timers};

/// The time; it stands still.
const NOW: Deadline = Deadline::from_nanos(1_000);
/// A deadline that has come.
const SOON: Deadline = NOW;

/// A deadline that never comes.
fn far() -> Deadline {
    NOW.plus_seconds(7_200.0).expect("a time")
}

/// As `EventLoop` in `py::event_loop::state`.
struct World {
    calls: Mutex<Inbox<u32>>,
    timers: Mutex<Timers<u32>>,
    poller: Mutex<Option<std::sync::Arc<Poller>>>,
    stopping: AtomicBool,
    /// How often the loop went to wait, and how often it was woken.
    waits: AtomicUsize,
    wakes: AtomicUsize,
    /// What the handler of a signal does.
    on_signal: fn(&World),
}

impl World {
    fn new() -> World {
        let poller = Poller::new().expect("a poll");
        World {
            calls: Mutex::new(Inbox::default()),
            timers: Mutex::new(Timers::default()),
            poller: Mutex::new(Some(std::sync::Arc::new(poller))),
            stopping: AtomicBool::new(false),
            waits: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            on_signal: |_| (),
        }
    }

    fn poller(&self) -> Option<std::sync::Arc<Poller>> {
        lock(&self.poller).clone()
    }

    fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        if let Some(poller) = self.poller() {
            poller.wake().expect("woken");
        }
    }

    fn schedule(&self, call: u32) {
        let wakes = lock(&self.calls).push(call);
        if wakes {
            self.wake();
        }
    }

    fn interrupt_wait(&self) {
        let wakes = lock(&self.calls).interrupt_wait();
        if wakes {
            self.wake();
        }
    }

    fn insert_timer(&self, deadline: Deadline, value: u32) -> Key {
        let (key, first) = lock(&self.timers).insert(deadline, value);
        if first {
            self.interrupt_wait();
        }
        key
    }

    fn reschedule_timer(&self, key: Key, deadline: Deadline) {
        let moved = lock(&self.timers).reschedule(key, deadline);
        if moved == Some(true) {
            self.interrupt_wait();
        }
    }

    /// One turn: what it has run.
    fn turn(&self, spin: &mut Spin) -> Vec<u32> {
        if lock(&self.timers)
            .next_deadline()
            .is_none_or(|next| next > NOW)
            && let Some(outcome) = wait(&mut &*self, spin, None)
        {
            outcome.expect("no error");
        }
        loop {
            let due = lock(&self.timers).pop_due(NOW);
            let Some(due) = due else { break };
            lock(&self.calls).extend(std::iter::once(due));
        }
        let outer = lock(&self.calls).begin_turn();
        let mut ran = Vec::new();
        loop {
            let call = lock(&self.calls).pop();
            let Some(call) = call else { break };
            ran.push(call);
        }
        assert_eq!(lock(&self.calls).pop_last(&outer), None);
        ran
    }

    /// Turns until so many calls have been run, and tells which. `spins`: whether the first
    /// wait begins with spinning.
    fn run(&self, count: usize, spins: bool) -> Vec<u32> {
        let mut spin = Spin::default();
        if spins {
            spin.waited(Duration::ZERO);
        }
        let mut ran = Vec::new();
        while ran.len() < count && !self.stopping.load(Relaxed) {
            ran.extend(self.turn(&mut spin));
        }
        let (waits, wakes) = (self.waits.load(Relaxed), self.wakes.load(Relaxed));
        assert!(wakes <= waits, "woken {wakes} times in {waits} waits");
        ran
    }
}

impl Waits for &World {
    type Error = io::Error;

    fn now(&self) -> Deadline {
        NOW
    }

    fn begin(&mut self) -> bool {
        let waits = lock(&self.calls).begin_wait();
        self.waits.fetch_add(usize::from(waits), Relaxed);
        waits
    }

    fn end(&mut self) {
        lock(&self.calls).end_wait();
    }

    fn next_deadline(&mut self, _: Deadline) -> io::Result<Option<Deadline>> {
        Ok(lock(&self.timers).next_deadline())
    }

    fn spin(&mut self) -> io::Result<bool> {
        let poller = self.poller().expect("it is open");
        poller.spin(Duration::ZERO, &mut Vec::new())
    }

    fn check_signals(&mut self) -> io::Result<()> {
        (self.on_signal)(self);
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let poller = self.poller().expect("it is open");
        poller.poll(timeout, &mut Vec::new())
    }
}

/// Tries every order with as many involuntary switches from one thread to another as it takes
/// to find nearly all mistakes; `LOOM_MAX_PREEMPTIONS` says otherwise.
fn try_all(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

/// Tries every order of a loop that runs so many calls and of these threads, without spinning
/// and with it.
fn check(world: fn() -> World, threads: &'static [fn(&World)], wanted: &'static [u32]) {
    for spins in [false, true] {
        try_all(move || {
            let world = Arc::new(world());
            let start = |thread: &fn(&World)| {
                let (world, thread) = (world.clone(), *thread);
                thread::spawn(move || thread(&world))
            };
            let threads: Vec<_> = threads.iter().map(start).collect();
            let mut ran = world.run(wanted.len(), spins);
            for thread in threads {
                thread.join().expect("no panic");
            }
            ran.sort_unstable();
            assert_eq!(ran, wanted);
        });
    }
}

#[test]
fn a_call_of_another_thread_is_run_once() {
    check(World::new, &[|world| world.schedule(1)], &[1]);
}

#[test]
fn calls_of_two_threads_are_run_once_each() {
    let threads: &[fn(&World)] = &[|world| world.schedule(1), |world| world.schedule(2)];
    check(World::new, threads, &[1, 2]);
}

#[test]
fn calls_of_one_thread_keep_their_order() {
    for spins in [false, true] {
        try_all(move || {
            let world = Arc::new(World::new());
            let other = world.clone();
            let thread = thread::spawn(move || (1..4).for_each(|call| other.schedule(call)));
            assert_eq!(world.run(3, spins), [1, 2, 3]);
            thread.join().expect("no panic");
        });
    }
}

#[test]
fn an_earlier_timer_ends_the_wait_for_a_later_one() {
    let world = || {
        let world = World::new();
        world.insert_timer(far(), 7);
        world
    };
    check(
        world,
        &[|world| {
            world.insert_timer(SOON, 1);
        }],
        &[1],
    );
    check(
        World::new,
        &[|world| {
            world.insert_timer(SOON, 1);
        }],
        &[1],
    );
}

#[test]
fn a_timer_that_is_moved_nearer_ends_the_wait() {
    let threads: &[fn(&World)] = &[|world| {
        let key = world.insert_timer(far(), 1);
        world.reschedule_timer(key, SOON);
    }];
    check(World::new, threads, &[1]);
}

#[test]
fn timers_and_calls_of_two_threads() {
    let threads: &[fn(&World)] = &[
        |world| world.schedule(1),
        |world| {
            world.insert_timer(SOON, 2);
        },
    ];
    check(World::new, threads, &[1, 2]);
}

#[test]
fn a_signal_handlers_call_is_run_whatever_comes_beside_it() {
    let world = || {
        let mut world = World::new();
        // As often as it is asked: signals are many.
        world.on_signal = |world| {
            if world.stopping.load(Relaxed) {
                return;
            }
            world.stopping.store(true, Relaxed);
            world.schedule(9);
        };
        world
    };
    try_all(move || {
        let world = Arc::new(world());
        let other = world.clone();
        let thread = thread::spawn(move || other.schedule(1));
        let mut ran = world.run(2, true);
        thread.join().expect("no panic");
        // What has come too late for the last turn is still there.
        ran.extend(lock(&world.calls).clear());
        ran.sort_unstable();
        assert!(ran == [1, 9] || ran == [1], "{ran:?}");
    });
}

#[test]
fn a_signal_handler_that_stops_the_loop_ends_the_wait() {
    try_all(|| {
        let mut world = World::new();
        world.on_signal = |world| world.stopping.store(true, Relaxed);
        assert!(world.run(1, true).is_empty());
    });
}

#[test]
fn no_call_is_lost_or_run_twice_when_the_loop_is_closed() {
    try_all(|| {
        let world = Arc::new(World::new());
        let other = world.clone();
        let thread = thread::spawn(move || {
            other.schedule(1);
            other.schedule(2);
        });
        let mut seen = world.run(1, false);
        // As `EventLoop::release`.
        seen.extend(lock(&world.calls).clear());
        let poller = lock(&world.poller).take();
        drop(poller);
        thread.join().expect("no panic");
        seen.extend(lock(&world.calls).clear());
        assert_eq!(seen, [1, 2]);
    });
}
