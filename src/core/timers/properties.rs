//! Random programs, beside a plain list.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

#[derive(Clone, Debug)]
enum Step {
    Insert(i64),
    Remove(usize),
    Move(usize, i64),
    Pop(i64),
    PopIf(i64, bool),
    AskNext,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => (-5..60_i64).prop_map(Step::Insert),
        20 => any::<usize>().prop_map(Step::Remove),
        30 => (any::<usize>(), -5..60_i64).prop_map(|(which, time)| Step::Move(which, time)),
        12 => (-6..61_i64).prop_map(Step::Pop),
        6 => (-6..61_i64, any::<bool>()).prop_map(|(now, wanted)| Step::PopIf(now, wanted)),
        15 => Just(Step::AskNext),
        1 => Just(Step::Clear),
    ];
    vec(step, 0..300)
}

/// A scheduled timer, in the order in which timers fire.
type Scheduled = (Deadline, u64, u32);

#[derive(Default)]
struct Model {
    scheduled: Vec<Scheduled>,
    order: u64,
    /// Every key there ever was, and its value.
    keys: Vec<(Key, u32)>,
    /// Up to when a poll waits, if one does: the answer to the last question, unless it
    /// has been told that it waits too long.
    waits: Option<Deadline>,
}

impl Model {
    fn next(&self) -> Option<Scheduled> {
        self.scheduled.iter().min().copied()
    }

    fn schedule(&mut self, deadline: Deadline, value: u32, first: bool) {
        let is_first = self.next().is_none_or(|(next, ..)| deadline < next);
        assert!(is_first || !first, "a poll was told for nothing");
        if self.waits.is_some_and(|until| deadline < until) {
            assert!(first, "a poll waits too long");
        }
        if first {
            self.waits = None;
        }
        self.order += 1;
        self.scheduled.push((deadline, self.order, value));
    }

    fn take(&mut self, value: u32) -> Option<Scheduled> {
        let found = self.scheduled.iter().position(|(.., it)| *it == value)?;
        Some(self.scheduled.swap_remove(found))
    }

    fn pop(&mut self, now: Deadline) -> Option<u32> {
        let (_, _, value) = self.next().filter(|(deadline, ..)| *deadline <= now)?;
        self.take(value).map(|_| value)
    }

    fn key(&self, which: usize) -> Option<(Key, u32)> {
        let which = which.checked_rem(self.keys.len())?;
        self.keys.get(which).copied()
    }
}

fn run(step: &Step, timers: &mut Timers<u32>, model: &mut Model) {
    match *step {
        Step::Insert(time) => {
            let value = u32::try_from(model.keys.len()).unwrap();
            let deadline = Deadline::from_nanos(time);
            timers.make_room().unwrap();
            let (key, first) = timers.insert(deadline, value);
            model.schedule(deadline, value, first);
            model.keys.push((key, value));
        }
        Step::Remove(which) => {
            let Some((key, value)) = model.key(which) else {
                return;
            };
            assert_eq!(timers.remove(key), model.take(value).map(|_| value));
        }
        Step::Move(which, time) => {
            let Some((key, value)) = model.key(which) else {
                return;
            };
            let deadline = Deadline::from_nanos(time);
            let moved = timers.reschedule(key, deadline);
            assert_eq!(moved.is_some(), model.take(value).is_some());
            if let Some(first) = moved {
                model.schedule(deadline, value, first);
            }
        }
        Step::Pop(now) => {
            let now = Deadline::from_nanos(now);
            model.waits = None;
            assert_eq!(timers.pop_due(now), model.pop(now));
        }
        Step::PopIf(now, wanted) => {
            let now = Deadline::from_nanos(now);
            model.waits = None;
            let expected = if wanted { model.pop(now) } else { None };
            assert_eq!(timers.pop_due_if(now, |_| wanted), expected);
        }
        Step::AskNext => {
            let next = timers.next_deadline();
            assert_eq!(next, model.next().map(|(deadline, ..)| deadline));
            model.waits = Some(next.unwrap_or(Deadline::NEVER));
        }
        Step::Clear => {
            let mut cleared = timers.clear();
            let mut all: Vec<u32> = model.scheduled.drain(..).map(|(.., it)| it).collect();
            cleared.sort_unstable();
            all.sort_unstable();
            assert_eq!(cleared, all);
            model.waits = None;
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn does_what_a_sorted_list_does(steps in steps()) {
        let (mut timers, mut model) = (Timers::default(), Model::default());
        for step in &steps {
            // Popping leaves it to the next removal to throw away what is out of date.
            let removes = matches!(step, Step::Remove(which) if model
                .key(*which)
                .is_some_and(|(key, _)| timers.contains(key)));
            run(step, &mut timers, &mut model);
            prop_assert_eq!(timers.len(), model.scheduled.len());
            prop_assert_eq!(timers.is_empty(), model.scheduled.is_empty());
            prop_assert!(!removes || timers.heap.len() <= COMPACT_FROM.max(2 * timers.len()));
        }
        for (key, value) in &model.keys {
            let scheduled = model.scheduled.iter().any(|(.., it)| it == value);
            prop_assert_eq!(timers.contains(*key), scheduled);
        }
        let mut values: Vec<u32> = timers.values().copied().collect();
        values.sort_unstable();
        model.scheduled.sort_unstable_by_key(|(.., value)| *value);
        prop_assert!(values.iter().eq(model.scheduled.iter().map(|(.., value)| value)));
        model.scheduled.sort_unstable();
        let fired: Vec<u32> =
            std::iter::from_fn(|| timers.pop_due(Deadline::NEVER)).collect();
        prop_assert!(fired.iter().eq(model.scheduled.iter().map(|(.., value)| value)));
    }
}
