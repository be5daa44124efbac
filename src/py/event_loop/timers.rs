//! The loop's timers.

use pyo3::prelude::*;

use super::EventLoop;
use crate::core::clock::Deadline;
use crate::core::room::{NoRoom, gathered};
use crate::core::timers::Key;
use crate::py::dispatch::call::Call;
use crate::py::dispatch::timer::Timer;

impl EventLoop {
    /// Schedules a timer.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn insert_timer(&self, py: Python<'_>, deadline: Deadline, timer: Timer) -> PyResult<Key> {
        let (key, first) = {
            let mut timers = self.timers.lock(py);
            timers.make_room()?;
            timers.insert(deadline, timer)
        };
        if first {
            self.interrupt_wait(py);
        }
        Ok(key)
    }

    /// Unschedules a timer; `None` if it isn't scheduled.
    pub fn remove_timer(&self, py: Python<'_>, key: Key) -> Option<Timer> {
        self.timers.lock(py).remove(key)
    }

    /// Whether a timer is scheduled.
    pub fn is_scheduled(&self, py: Python<'_>, key: Key) -> bool {
        self.timers.lock(py).contains(key)
    }

    /// Moves a timer; `false` if it isn't scheduled.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn reschedule_timer(&self, py: Python<'_>, key: Key, deadline: Deadline) -> PyResult<bool> {
        let moved = {
            let mut timers = self.timers.lock(py);
            timers.make_room()?;
            timers.reschedule(key, deadline)
        };
        if moved == Some(true) {
            self.interrupt_wait(py);
        }
        Ok(moved.is_some())
    }

    /// When the next timer is due.
    pub fn next_deadline(&self, py: Python<'_>) -> Option<Deadline> {
        self.timers.lock(py).next_deadline()
    }

    /// How many timers there are.
    pub fn timer_count(&self, py: Python<'_>) -> usize {
        self.timers.lock(py).len()
    }

    /// Queues every timer that is due. Where there is no memory for more, what is queued
    /// goes first, and the rest stays due.
    ///
    /// # Errors
    /// `MemoryError`, if nothing is queued.
    pub fn queue_due_timers(&self, py: Python<'_>, now: Deadline) -> PyResult<()> {
        loop {
            {
                let mut calls = self.calls.lock(py);
                match calls.make_room(1) {
                    Err(no_room) if calls.is_empty() => return Err(no_room.into()),
                    Err(_) => return Ok(()),
                    Ok(()) => {}
                }
            }
            // GIL: between the two locks, where the timer is in neither container, nobody looks.
            let Some(timer) = self.timers.lock(py).pop_due(now) else {
                return Ok(());
            };
            // With no lock held: it locks its own state.
            let call = timer.due();
            self.calls.lock(py).extend(std::iter::once(call));
        }
    }

    /// Takes out the next timer if it is due and one that runs late.
    pub fn pop_due_late(&self, py: Python<'_>, now: Deadline) -> Option<Call> {
        if self.is_parents() {
            return None;
        }
        let timer = self.timers.lock(py).pop_due_if(now, Timer::is_late)?;
        Some(timer.due())
    }

    /// What `find` finds in the timers.
    ///
    /// # Errors
    /// There is no memory for them.
    pub fn find_timers<T>(
        &self,
        py: Python<'_>,
        find: impl FnMut(&Timer) -> Option<T>,
    ) -> Result<Vec<T>, NoRoom> {
        gathered(self.timers.lock(py).values().filter_map(find))
    }
}
