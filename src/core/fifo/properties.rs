//! Random programs, beside the standard library's queue.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Fifo;
use crate::core::properties::config;

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Pop,
    Append(Vec<u8>),
    MakeRoom(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Push),
        Just(Step::Pop),
        vec(any::<u8>(), 0..4).prop_map(Step::Append),
        (0..10_usize).prop_map(Step::MakeRoom),
    ];
    vec(step, 0..60)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn does_what_a_queue_does(steps in steps()) {
        let (mut fifo, mut model) = (Fifo::default(), VecDeque::new());
        for step in steps {
            match step {
                Step::Push(item) => {
                    fifo.push(item);
                    model.push_back(item);
                }
                Step::Pop => prop_assert_eq!(fifo.pop(), model.pop_front()),
                Step::Append(items) => {
                    let mut later = Fifo::default();
                    items.iter().for_each(|item| later.push(*item));
                    fifo.append(later);
                    model.extend(items);
                }
                Step::MakeRoom(more) => prop_assert!(fifo.make_room(more).is_ok()),
            }
            prop_assert_eq!(fifo.first(), model.front());
            prop_assert_eq!(fifo.len(), model.len());
            prop_assert_eq!(fifo.is_empty(), model.is_empty());
            prop_assert_eq!(fifo.has_more(), model.len() > 1);
            prop_assert!(fifo.iter().eq(&model));
        }
    }
}
