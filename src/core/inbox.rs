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
    /// How many calls have been taken out in the inbox's life.
    taken: u64,
    /// The loop waits in its poll and nobody has woken it yet.
    waiting: bool,
}

/// A position in the queue, fixed for the queue's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Inbox {
            state: Mutex::new(State {
                calls: VecDeque::new(),
                taken: 0,
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

    /// `true`, once, if the loop waits: something else than a call has to be
    /// looked at, such as an earlier deadline.
    #[must_use = "the loop must be woken when this says so"]
    pub fn nudge(&self) -> bool {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Whether no call is ready.
    pub fn is_empty(&self) -> bool {
        self.lock().calls.is_empty()
    }

    /// The end of the queue as it is now.
    pub fn end(&self) -> Mark {
        let state = self.lock();
        Mark(state.taken.saturating_add(state.calls.len() as u64))
    }

    /// Takes out the next call, if it was there when `end` was taken. Calls
    /// are taken one by one, so that a nested turn sees what the outer one
    /// has not run yet.
    pub fn pop_before(&self, end: Mark) -> Option<T> {
        let mut state = self.lock();
        if state.taken >= end.0 {
            return None;
        }
        let call = state.calls.pop_front()?;
        state.taken += 1;
        Some(call)
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

    /// Takes everything out. Marks taken before stay valid: they are passed.
    pub fn clear(&self) -> VecDeque<T> {
        let mut state = self.lock();
        state.taken = state.taken.saturating_add(state.calls.len() as u64);
        std::mem::take(&mut state.calls)
    }

    /// Looks at every call unless the queue is in use at this moment, as a
    /// garbage collector must.
    pub fn try_visit<E>(&self, mut visit: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        let Some(state) = try_lock(&self.state) else {
            return Ok(());
        };
        state.calls.iter().try_for_each(&mut visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    fn drain(inbox: &Inbox<u32>) -> Vec<u32> {
        let end = inbox.end();
        std::iter::from_fn(|| inbox.pop_before(end)).collect()
    }

    #[test]
    fn calls_come_out_in_order() {
        let inbox = Inbox::default();
        for call in 0..5 {
            assert!(!inbox.push(call));
        }
        assert_eq!(drain(&inbox), [0, 1, 2, 3, 4]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_comes_after_the_mark_waits() {
        let inbox = Inbox::default();
        assert!(!inbox.push(1));
        let end = inbox.end();
        assert!(!inbox.push(2));
        assert_eq!(inbox.pop_before(end), Some(1));
        assert_eq!(inbox.pop_before(end), None);
        assert_eq!(drain(&inbox), [2]);
    }

    #[test]
    fn a_nested_turn_leaves_nothing_for_the_outer_one() {
        let inbox = Inbox::default();
        for call in 0..3 {
            assert!(!inbox.push(call));
        }
        let outer = inbox.end();
        assert_eq!(inbox.pop_before(outer), Some(0));
        assert!(!inbox.push(3));
        assert_eq!(drain(&inbox), [1, 2, 3]);
        assert!(!inbox.push(4));
        assert_eq!(inbox.pop_before(outer), None);
    }

    #[test]
    fn only_the_first_push_wakes_a_waiting_loop() {
        let inbox = Inbox::default();
        assert!(inbox.begin_wait());
        assert!(inbox.push(1));
        assert!(!inbox.push(2));
        assert!(!inbox.begin_wait());
        drain(&inbox);
        assert!(inbox.begin_wait());
        assert!(inbox.nudge());
        assert!(!inbox.nudge());
        inbox.end_wait();
        assert!(!inbox.push(3));
    }

    #[test]
    fn clearing_hands_the_calls_back_and_passes_the_marks() {
        let inbox = Inbox::default();
        assert!(!inbox.push(1));
        let end = inbox.end();
        assert_eq!(inbox.clear(), [1]);
        assert!(!inbox.push(2));
        assert_eq!(inbox.pop_before(end), None);
    }

    #[test]
    fn threads_lose_nothing_and_keep_their_own_order() {
        let inbox = Arc::new(Inbox::default());
        let threads: Vec<_> = (0..4u32)
            .map(|thread| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || {
                    for call in 0..1000 {
                        let _wake = inbox.push(thread * 1000 + call);
                    }
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().is_ok());
        }
        let calls = drain(&inbox);
        assert_eq!(calls.len(), 4000);
        for thread in 0..4 {
            let own: Vec<_> = calls.iter().filter(|call| *call / 1000 == thread).collect();
            assert!(own.is_sorted());
            assert_eq!(own.len(), 1000);
        }
    }
}
