//! Unit tests of the timer heap, and a comparison with a plain sorted list.

use super::*;
use crate::core::properties::times;

fn at(seconds: f64) -> Deadline {
    Deadline::from_seconds(seconds).unwrap_or(Deadline::NEVER)
}

fn fire<T>(timers: &mut Timers<T>, now: f64) -> Vec<T> {
    std::iter::from_fn(|| timers.pop_due(at(now))).collect()
}

#[test]
fn fires_in_order_and_never_early() {
    let mut timers = Timers::default();
    timers.insert(at(3.0), "c");
    timers.insert(at(1.0), "a");
    timers.insert(at(2.0), "b");
    assert_eq!(timers.next_deadline(), Some(at(1.0)));
    assert!(fire(&mut timers, 0.999).is_empty());
    assert_eq!(fire(&mut timers, 2.0), ["a", "b"]);
    assert_eq!(fire(&mut timers, 9.0), ["c"]);
    assert!(timers.is_empty());
    assert_eq!(timers.next_deadline(), None);
}

#[test]
fn equal_deadlines_fire_in_the_order_of_scheduling() {
    let mut timers = Timers::default();
    for value in 0..100 {
        timers.insert(at(1.0), value);
    }
    assert!(fire(&mut timers, 1.0).is_sorted());
}

#[test]
fn insert_tells_whether_it_is_first() {
    let mut timers = Timers::default();
    assert!(timers.insert(at(2.0), 1).1);
    assert!(!timers.insert(at(3.0), 2).1);
    assert!(!timers.insert(at(2.0), 3).1);
    assert!(timers.insert(at(1.0), 4).1);
}

#[test]
fn a_removed_timer_is_handed_back_once() {
    let mut timers = Timers::default();
    let (key, _) = timers.insert(at(1.0), "a");
    assert_eq!(timers.remove(key), Some("a"));
    assert_eq!(timers.remove(key), None);
    assert_eq!(timers.reschedule(key, at(0.5)), None);
    assert!(fire(&mut timers, 9.0).is_empty());
}

#[test]
fn a_timer_is_there_until_it_fires_or_is_removed() {
    let mut timers = Timers::default();
    let (first, _) = timers.insert(at(1.0), "first");
    let (second, _) = timers.insert(at(2.0), "second");
    assert!(timers.contains(first) && timers.contains(second));
    assert_eq!(fire(&mut timers, 1.0), ["first"]);
    timers.insert(at(3.0), "in its slot");
    assert!(!timers.contains(first) && timers.contains(second));
    timers.remove(second);
    assert!(!timers.contains(second));
}

#[test]
fn a_key_does_not_reach_its_slots_next_tenant() {
    let mut timers = Timers::default();
    let (old, _) = timers.insert(at(1.0), "old");
    assert_eq!(fire(&mut timers, 1.0), ["old"]);
    timers.insert(at(2.0), "new");
    assert_eq!(timers.remove(old), None);
    assert_eq!(timers.reschedule(old, at(0.1)), None);
    assert_eq!(fire(&mut timers, 2.0), ["new"]);
}

#[test]
fn later_and_sooner() {
    let mut timers = Timers::default();
    let (a, _) = timers.insert(at(1.0), "a");
    let (b, _) = timers.insert(at(5.0), "b");
    assert_eq!(timers.reschedule(a, at(6.0)), Some(false));
    assert_eq!(timers.reschedule(b, at(0.5)), Some(true));
    assert_eq!(timers.next_deadline(), Some(at(0.5)));
    assert_eq!(fire(&mut timers, 5.9), ["b"]);
    assert_eq!(timers.next_deadline(), Some(at(6.0)));
    assert_eq!(fire(&mut timers, 6.0), ["a"]);
}

#[test]
fn later_then_sooner_than_its_entry_counts_once() {
    let mut timers = Timers::default();
    let (key, _) = timers.insert(at(5.0), "a");
    assert_eq!(timers.reschedule(key, at(9.0)), Some(false));
    // The entry at 5 is dead but still first: a poll wakes soon enough.
    assert_eq!(timers.reschedule(key, at(7.0)), Some(false));
    assert_eq!(timers.next_deadline(), Some(at(7.0)));
    assert_eq!(fire(&mut timers, 9.0), ["a"]);
    assert!(fire(&mut timers, 99.0).is_empty());
}

#[test]
fn dead_entries_do_not_pile_up() {
    let mut timers = Timers::default();
    timers.insert(at(1e6), 0);
    for value in 1..times(100_000) {
        let (key, _) = timers.insert(at(f64::from(value)), value);
        timers.remove(key);
    }
    assert!(timers.heap.len() <= COMPACT_FROM + 1);
    let (key, _) = timers.insert(at(2e6), 1);
    for step in 0..times(100_000) {
        timers.reschedule(key, at(1.9e6 - f64::from(step)));
    }
    assert!(timers.heap.len() <= COMPACT_FROM + 1);
    assert_eq!(timers.slots.len(), 2);
}

#[test]
fn a_timer_that_is_not_wanted_keeps_the_others_waiting() {
    let mut timers = Timers::default();
    timers.insert(at(1.0), "a");
    timers.insert(at(2.0), "b");
    assert_eq!(timers.pop_due_if(at(3.0), |value| *value == "b"), None);
    assert_eq!(timers.pop_due_if(at(3.0), |value| *value == "a"), Some("a"));
    assert_eq!(timers.pop_due_if(at(1.5), |_| true), None);
    assert_eq!(timers.pop_due_if(at(3.0), |_| true), Some("b"));
}

#[test]
fn clearing_hands_everything_back_and_voids_the_keys() {
    let mut timers = Timers::default();
    let (key, _) = timers.insert(at(1.0), "a");
    assert_eq!(timers.values().collect::<Vec<_>>(), [&"a"]);
    assert_eq!(timers.clear(), ["a"]);
    assert!(timers.is_empty());
    assert_eq!(timers.remove(key), None);
}

/// A small generator, so that the test needs no crate and always runs alike.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

#[test]
fn agrees_with_a_sorted_list() {
    let mut noise = Noise(7);
    let mut timers = Timers::default();
    // (deadline, sequence, id, key): the plain way to keep timers.
    let mut model: Vec<(u32, u64, u64, Key)> = Vec::new();
    let mut now = 0u32;
    for step in 0..u64::from(times(20_000)) {
        let deadline = now + u32::try_from(noise.below(50)).unwrap_or(0);
        match noise.below(4) {
            0 => {
                let (key, _) = timers.insert(at(deadline.into()), step);
                model.push((deadline, step, step, key));
            }
            1 if !model.is_empty() => {
                let index = usize::try_from(noise.below(model.len() as u64)).unwrap_or(0);
                let (_, _, id, key) = model.swap_remove(index);
                assert_eq!(timers.remove(key), Some(id));
            }
            2 if !model.is_empty() => {
                let index = usize::try_from(noise.below(model.len() as u64)).unwrap_or(0);
                if let Some(record) = model.get_mut(index) {
                    (record.0, record.1) = (deadline, step);
                    assert!(timers.reschedule(record.3, at(deadline.into())).is_some());
                }
            }
            _ => {
                now += u32::try_from(noise.below(5)).unwrap_or(0);
                let mut due: Vec<_> = model.iter().filter(|r| r.0 <= now).copied().collect();
                due.sort_unstable_by_key(|r| (r.0, r.1));
                model.retain(|r| r.0 > now);
                let ids: Vec<_> = due.iter().map(|r| r.2).collect();
                assert_eq!(fire(&mut timers, now.into()), ids);
            }
        }
        assert_eq!(timers.len(), model.len());
        let next = model.iter().map(|r| at(r.0.into())).min();
        assert_eq!(timers.next_deadline(), next);
    }
}

#[test]
fn with_room_made_nothing_needs_memory() {
    let at = |seconds: f64| Deadline::from_seconds(seconds).unwrap();
    let mut timers = Timers::default();
    for number in 0..50 {
        timers.make_room().unwrap();
        let capacities = |timers: &Timers<i32>| {
            let heap = timers.heap.capacity();
            (heap, timers.slots.capacity(), timers.free.capacity())
        };
        let before = capacities(&timers);
        let (key, _) = timers.insert(at(5.0), number);
        if number % 3 == 0 {
            assert_eq!(timers.remove(key), Some(number));
        }
        assert_eq!(capacities(&timers), before);
    }
    let free = timers.free.capacity();
    while timers.pop_due(at(9.0)).is_some() {}
    assert_eq!(timers.free.capacity(), free);
}
