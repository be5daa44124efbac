//! The queue of calls that are ready to run, open to every thread.
//!
//! There is one queue and not two (one for the loop's thread, one for the
//! others): calls run in the order in which they came, whoever made them, as
//! asyncio's and Twisted's own loops have it. An uncontended lock is cheaper
//! than asking which thread this is.
//!
//! Wake-ups are coalesced: only the first push after the loop went to wait
//! asks for one. A push from the loop's own thread never does, because the
//! loop isn't waiting then.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::lock::{lock, try_lock};

/// See the module's documentation.
#[derive(Debug)]
pub struct Inbox<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    calls: VecDeque<T>,
    /// Calls for the end of the turn that is under way.
    last: VecDeque<T>,
    /// How many calls have been taken out in the inbox's life.
    taken: u64,
    /// The turn that is under way runs the calls before this position, which
    /// counts from the beginning of the inbox's life.
    end: Option<u64>,
    /// The loop waits in its poll and nobody has woken it yet.
    waiting: bool,
}

/// The turn that goes on when a nested one is over.
#[derive(Debug)]
#[must_use = "a turn needs it to end"]
pub struct OuterTurn(Option<u64>);

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Inbox {
            state: Mutex::new(State {
                calls: VecDeque::new(),
                last: VecDeque::new(),
                taken: 0,
                end: None,
                waiting: false,
            }),
        }
    }
}

impl<T> Inbox<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    /// Adds a call at the end. `true`: the loop waits, and the caller must
    /// wake it.
    #[must_use = "the loop must be woken when this says so"]
    pub fn push(&self, call: T) -> bool {
        let mut state = self.lock();
        state.calls.push_back(call);
        std::mem::take(&mut state.waiting)
    }

    /// Adds calls at the end, from the loop's own thread between two waits.
    pub fn extend(&self, calls: impl Iterator<Item = T>) {
        self.lock().calls.extend(calls);
    }

    /// `true`, once, if the loop waits: something else than a call has to be seen to, such
    /// as an earlier deadline.
    #[must_use = "the loop must be woken when this says so"]
    pub fn interrupt_wait(&self) -> bool {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Whether no call is ready.
    pub fn is_empty(&self) -> bool {
        self.lock().calls.is_empty()
    }

    /// How many calls are ready.
    pub fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// Begins a turn: it runs what is in the queue now. May nest.
    pub fn begin_turn(&self) -> OuterTurn {
        let mut state = self.lock();
        let end = state.taken.saturating_add(state.calls.len() as u64);
        OuterTurn(state.end.replace(end))
    }

    /// Takes out the turn's next call. Calls are taken one by one, so that a
    /// nested turn sees what the outer one has not run yet.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        if state.end.is_none_or(|end| state.taken >= end) {
            return None;
        }
        let call = state.calls.pop_front()?;
        state.taken += 1;
        Some(call)
    }

    /// Takes out the next call that is to come last in the turn, and ends the
    /// turn when there is none.
    pub fn pop_last(&self, outer: &OuterTurn) -> Option<T> {
        let mut state = self.lock();
        let call = state.last.pop_front();
        if call.is_none() {
            state.end = outer.0;
        }
        call
    }

    /// Ends a turn that hasn't run everything.
    pub fn abandon_turn(&self, outer: &OuterTurn) {
        self.lock().end = outer.0;
    }

    /// Like `push`, but for the end of the turn that is under way.
    #[must_use = "the loop must be woken when this says so"]
    pub fn push_last_of_turn(&self, call: T) -> bool {
        let mut state = self.lock();
        if state.end.is_some() {
            state.last.push_back(call);
        } else {
            state.calls.push_back(call);
        }
        std::mem::take(&mut state.waiting)
    }

    /// Says that the loop goes to wait. `false`: calls are ready, don't.
    #[must_use = "a loop with ready calls must not wait"]
    pub fn begin_wait(&self) -> bool {
        let mut state = self.lock();
        state.waiting = state.calls.is_empty();
        state.waiting
    }

    /// Says that the loop waits no longer.
    pub fn end_wait(&self) {
        self.lock().waiting = false;
    }

    /// Takes everything out; a turn that is under way has nothing left to run.
    pub fn clear(&self) -> VecDeque<T> {
        let mut state = self.lock();
        state.taken = state.taken.saturating_add(state.calls.len() as u64);
        let mut calls = std::mem::take(&mut state.calls);
        calls.append(&mut state.last);
        calls
    }

    /// Looks at every call unless the queue is in use at this moment, as a
    /// garbage collector must.
    pub fn try_visit<E>(&self, mut visit: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        let Some(state) = try_lock(&self.state) else {
            return Ok(());
        };
        state
            .calls
            .iter()
            .chain(&state.last)
            .try_for_each(&mut visit)
    }
}

#[cfg(test)]
mod tests;
