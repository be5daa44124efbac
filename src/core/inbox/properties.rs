//! Random programs, beside a model that knows of each call which turns are to run it.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    Defer,
    PushLast,
    Extend(u8),
    ReleaseDeferred,
    BeginTurn,
    Pop,
    PopLast,
    Abandon,
    Clear,
    BeginWait,
    EndWait,
    InterruptWait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Push),
        2 => Just(Step::Defer),
        2 => Just(Step::PushLast),
        1 => (0..4_u8).prop_map(Step::Extend),
        2 => Just(Step::ReleaseDeferred),
        3 => Just(Step::BeginTurn),
        8 => Just(Step::Pop),
        3 => Just(Step::PopLast),
        1 => Just(Step::Abandon),
        1 => Just(Step::Clear),
        4 => Just(Step::BeginWait),
        2 => Just(Step::EndWait),
        2 => Just(Step::InterruptWait),
    ];
    vec(step, 0..120)
}

#[derive(Default)]
struct Model {
    calls: VecDeque<u32>,
    deferred: VecDeque<u32>,
    last: VecDeque<u32>,
    /// Of each turn under way, the innermost last, what was ready when it began.
    turns: Vec<Vec<u32>>,
    waiting: bool,
    count: u32,
}

impl Model {
    fn new_call(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn pop(&mut self) -> Option<u32> {
        let turn = self.turns.last()?;
        let ours = self.calls.front().is_some_and(|call| turn.contains(call));
        ours.then(|| self.calls.pop_front())?
    }

    fn all(&self) -> Vec<u32> {
        let all = self.calls.iter().chain(&self.deferred).chain(&self.last);
        all.copied().collect()
    }
}

fn run(step: Step, inbox: &mut Inbox<u32>, model: &mut Model, outers: &mut Vec<OuterTurn>) {
    let waiting = model.waiting;
    match step {
        Step::Push => {
            let call = model.new_call();
            assert_eq!(inbox.push(call), waiting);
            model.calls.push_back(call);
            model.waiting = false;
        }
        Step::Defer => {
            let call = model.new_call();
            assert_eq!(inbox.defer(call), waiting);
            model.deferred.push_back(call);
            model.waiting = false;
        }
        Step::PushLast => {
            let call = model.new_call();
            assert_eq!(inbox.push_last_of_turn(call), waiting);
            match model.turns.is_empty() {
                true => model.calls.push_back(call),
                false => model.last.push_back(call),
            }
            model.waiting = false;
        }
        Step::Extend(count) => {
            let calls: Vec<u32> = (0..count).map(|_| model.new_call()).collect();
            inbox.extend(calls.iter().copied());
            model.calls.extend(calls);
        }
        Step::ReleaseDeferred => {
            assert_eq!(inbox.release_deferred(), model.deferred.len());
            model.calls.append(&mut model.deferred);
        }
        Step::BeginTurn => {
            outers.push(inbox.begin_turn());
            model.turns.push(model.calls.iter().copied().collect());
        }
        Step::Pop => assert_eq!(inbox.pop(), model.pop()),
        Step::PopLast => {
            let Some(outer) = outers.last() else { return };
            let popped = inbox.pop_last(outer);
            assert_eq!(popped, model.last.pop_front());
            if popped.is_none() {
                outers.pop();
                model.turns.pop();
            }
        }
        Step::Abandon => {
            let Some(outer) = outers.pop() else { return };
            inbox.abandon_turn(&outer);
            model.turns.pop();
        }
        Step::Clear => {
            assert!(inbox.clear().iter().eq(&model.all()));
            model.calls.clear();
            model.deferred.clear();
            model.last.clear();
        }
        Step::BeginWait => {
            model.waiting = model.calls.is_empty() && model.deferred.is_empty();
            assert_eq!(inbox.begin_wait(), model.waiting);
        }
        Step::EndWait => {
            inbox.end_wait();
            model.waiting = false;
        }
        Step::InterruptWait => {
            assert_eq!(inbox.interrupt_wait(), waiting);
            model.waiting = false;
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_call_is_run_by_the_turn_that_it_is_for(steps in steps()) {
        let (mut inbox, mut model) = (Inbox::default(), Model::default());
        let mut outers = Vec::new();
        for step in steps {
            run(step, &mut inbox, &mut model, &mut outers);
            prop_assert!(inbox.iter().copied().eq(model.all()));
            prop_assert_eq!(inbox.len(), model.calls.len() + model.deferred.len());
            prop_assert_eq!(inbox.is_empty(), model.calls.is_empty() && model.deferred.is_empty());
        }
        while let Some(outer) = outers.pop() {
            inbox.abandon_turn(&outer);
        }
        inbox.release_deferred();
        let outer = inbox.begin_turn();
        let mut left: Vec<u32> = std::iter::from_fn(|| inbox.pop()).collect();
        left.extend(std::iter::from_fn(|| inbox.pop_last(&outer)));
        model.calls.append(&mut model.deferred);
        prop_assert_eq!(left, model.all());
    }
}
