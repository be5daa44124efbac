//! The queue of calls that are ready to run. Whoever may have it from several threads
//! guards it.
//!
//! There is one queue and not two (one for the loop's thread, one for the
//! others): calls run in the order in which they came, whoever made them, as
//! asyncio's and Twisted's own loops have it.
//!
//! Wake-ups are coalesced: only the first push after the loop went to wait
//! asks for one. A push from the loop's own thread never does, because the
//! loop isn't waiting then.

use std::collections::VecDeque;

use super::room::NoRoom;

/// See the module's documentation.
#[derive(Debug)]
pub struct Inbox<T> {
    calls: VecDeque<T>,
    /// Calls that come behind what the next poll finds.
    deferred: VecDeque<T>,
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
            calls: VecDeque::new(),
            deferred: VecDeque::new(),
            last: VecDeque::new(),
            taken: 0,
            end: None,
            waiting: false,
        }
    }
}

impl<T> Inbox<T> {
    /// Makes room for so many calls, and for those that are deferred. Adding one needs no
    /// memory then.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        let deferred = self.deferred.len();
        Ok(self.calls.try_reserve(more.saturating_add(deferred))?)
    }

    /// The same for one that is deferred, or comes last in its turn.
    ///
    /// # Errors
    /// There is none.
    pub fn make_room_behind(&mut self) -> Result<(), NoRoom> {
        self.deferred.try_reserve(1)?;
        self.last.try_reserve(1)?;
        self.make_room(1)
    }

    /// Adds a call at the end. `true`: the loop waits, and the caller must
    /// wake it.
    #[must_use = "the loop must be woken when this says so"]
    pub fn push(&mut self, call: T) -> bool {
        self.calls.push_back(call);
        std::mem::take(&mut self.waiting)
    }

    /// Like `push`, but behind what the next poll finds: what the poll would report once
    /// more comes where its report would.
    #[must_use = "the loop must be woken when this says so"]
    pub fn defer(&mut self, call: T) -> bool {
        self.deferred.push_back(call);
        std::mem::take(&mut self.waiting)
    }

    /// After a poll's calls: those that were deferred behind them. `make_room` has made room
    /// for them as well.
    /// Says how many there were.
    pub fn release_deferred(&mut self) -> usize {
        let count = self.deferred.len();
        self.calls.append(&mut self.deferred);
        count
    }

    /// Adds calls at the end, from the loop's own thread between two waits.
    pub fn extend(&mut self, calls: impl Iterator<Item = T>) {
        self.calls.extend(calls);
    }

    /// `true`, once, if the loop waits: something else than a call has to be seen to, such
    /// as an earlier deadline.
    #[must_use = "the loop must be woken when this says so"]
    pub fn interrupt_wait(&mut self) -> bool {
        std::mem::take(&mut self.waiting)
    }

    /// Whether no call is ready.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.deferred.is_empty()
    }

    /// How many calls are ready.
    pub fn len(&self) -> usize {
        self.calls.len() + self.deferred.len()
    }

    /// Begins a turn: it runs what is in the queue now. May nest.
    pub fn begin_turn(&mut self) -> OuterTurn {
        let end = self.taken.saturating_add(self.calls.len() as u64);
        OuterTurn(self.end.replace(end))
    }

    /// Takes out the turn's next call. Calls are taken one by one, so that a
    /// nested turn sees what the outer one has not run yet.
    pub fn pop(&mut self) -> Option<T> {
        if self.end.is_none_or(|end| self.taken >= end) {
            return None;
        }
        let call = self.calls.pop_front()?;
        self.taken += 1;
        Some(call)
    }

    /// Takes out the next call that is to come last in the turn, and ends the
    /// turn when there is none.
    pub fn pop_last(&mut self, outer: &OuterTurn) -> Option<T> {
        let call = self.last.pop_front();
        if call.is_none() {
            self.end = outer.0;
        }
        call
    }

    /// Ends a turn that hasn't run everything.
    pub fn abandon_turn(&mut self, outer: &OuterTurn) {
        self.end = outer.0;
    }

    /// Ends the turn that is under way, and every other one: no call is run any more.
    pub fn end_for_good(&mut self) {
        self.taken = u64::MAX;
        self.calls.append(&mut self.last);
    }

    /// Like `push`, but for the end of the turn that is under way.
    #[must_use = "the loop must be woken when this says so"]
    pub fn push_last_of_turn(&mut self, call: T) -> bool {
        if self.end.is_some() {
            self.last.push_back(call);
        } else {
            self.calls.push_back(call);
        }
        std::mem::take(&mut self.waiting)
    }

    /// Says that the loop goes to wait. `false`: calls are ready, don't.
    #[must_use = "a loop with ready calls must not wait"]
    pub fn begin_wait(&mut self) -> bool {
        self.waiting = self.is_empty();
        self.waiting
    }

    /// Says that the loop may wait still: it could not be woken. It is woken once too often
    /// if it doesn't.
    pub fn still_waits(&mut self) {
        self.waiting = true;
    }

    /// Says that the loop waits no longer.
    pub fn end_wait(&mut self) {
        self.waiting = false;
    }

    /// Takes everything out; a turn that is under way has nothing left to run.
    pub fn clear(&mut self) -> VecDeque<T> {
        self.taken = self.taken.saturating_add(self.calls.len() as u64);
        let mut calls = std::mem::take(&mut self.calls);
        calls.append(&mut self.deferred);
        calls.append(&mut self.last);
        calls
    }

    /// Every call.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.calls.iter().chain(&self.deferred).chain(&self.last)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
