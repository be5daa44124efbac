//! Unit tests of the inbox.

use super::*;

fn rest(inbox: &mut Inbox<u32>, outer: &OuterTurn) -> Vec<u32> {
    let mut calls: Vec<u32> = std::iter::from_fn(|| inbox.pop()).collect();
    calls.extend(std::iter::from_fn(|| inbox.pop_last(outer)));
    calls
}

fn turn(inbox: &mut Inbox<u32>) -> Vec<u32> {
    let outer = inbox.begin_turn();
    rest(inbox, &outer)
}

fn filled(calls: std::ops::Range<u32>) -> Inbox<u32> {
    let mut inbox = Inbox::default();
    for call in calls {
        assert!(!inbox.push(call));
    }
    inbox
}

#[test]
fn calls_come_out_in_order() {
    let mut inbox = filled(0..5);
    assert_eq!(turn(&mut inbox), [0, 1, 2, 3, 4]);
    assert!(inbox.is_empty());
}

#[test]
fn an_abandoned_turn_leaves_the_rest_to_the_next() {
    let mut inbox = filled(0..2);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.pop(), Some(0));
    inbox.abandon_turn(&outer);
    assert_eq!(inbox.pop(), None);
    assert_eq!(turn(&mut inbox), [1]);
}

#[test]
fn what_comes_during_a_turn_waits_for_the_next() {
    let mut inbox = filled(0..2);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.pop(), Some(0));
    assert!(!inbox.push(2));
    assert_eq!(rest(&mut inbox, &outer), [1]);
    assert_eq!(turn(&mut inbox), [2]);
}

#[test]
fn a_nested_turn_leaves_nothing_for_the_outer_one() {
    let mut inbox = filled(0..3);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.pop(), Some(0));
    assert!(!inbox.push(3));
    assert_eq!(turn(&mut inbox), [1, 2, 3]);
    assert!(!inbox.push(4));
    let left = rest(&mut inbox, &outer);
    assert!(left.is_empty(), "a nested turn has overtaken this one");
    assert_eq!(turn(&mut inbox), [4]);
}

#[test]
fn the_last_call_of_a_turn_comes_before_the_next_turns() {
    let mut inbox = filled(0..2);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.pop(), Some(0));
    assert!(!inbox.push(10));
    assert!(!inbox.push_last_of_turn(8));
    assert_eq!(inbox.pop(), Some(1));
    assert_eq!(inbox.pop(), None);
    assert_eq!(inbox.pop_last(&outer), Some(8));
    assert!(!inbox.push_last_of_turn(9));
    assert_eq!(rest(&mut inbox, &outer), [9]);
    assert_eq!(turn(&mut inbox), [10]);
}

#[test]
fn the_last_call_of_no_turn_is_a_plain_one() {
    let mut inbox = filled(0..1);
    assert!(!inbox.push_last_of_turn(1));
    assert_eq!(turn(&mut inbox), [0, 1]);
}

#[test]
fn only_the_first_push_wakes_a_waiting_loop() {
    let mut inbox = Inbox::default();
    assert!(inbox.begin_wait());
    assert!(inbox.push(1));
    assert!(!inbox.push(2));
    assert!(!inbox.begin_wait());
    turn(&mut inbox);
    assert!(inbox.begin_wait());
    assert!(inbox.interrupt_wait());
    assert!(!inbox.interrupt_wait());
    inbox.end_wait();
    assert!(!inbox.push(3));
}

#[test]
fn clearing_hands_the_calls_back_and_ends_the_turn() {
    let mut inbox = filled(0..2);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.clear(), [0, 1]);
    assert!(!inbox.push(2));
    assert!(rest(&mut inbox, &outer).is_empty());
}

#[test]
fn every_call_can_be_looked_at() {
    let mut inbox = filled(0..2);
    let outer = inbox.begin_turn();
    assert!(!inbox.push_last_of_turn(9));
    assert_eq!(inbox.pop(), Some(0));
    assert!(inbox.iter().eq(&[1, 9]));
    assert_eq!(rest(&mut inbox, &outer), [1, 9]);
    assert_eq!(inbox.iter().count(), 0);
}

#[test]
fn a_deferred_call_comes_behind_what_the_poll_finds() {
    let mut inbox = Inbox::default();
    let outer = inbox.begin_turn();
    assert!(!inbox.defer("deferred") && !inbox.push("scheduled"));
    assert_eq!((inbox.len(), inbox.pop()), (2, None));
    assert_eq!(inbox.pop_last(&outer), None);
    inbox.extend(["polled"].into_iter());
    inbox.release_deferred();
    let outer = inbox.begin_turn();
    let calls: Vec<_> = std::iter::from_fn(|| inbox.pop()).collect();
    assert_eq!(calls, ["scheduled", "polled", "deferred"]);
    assert_eq!(inbox.pop_last(&outer), None);
}

#[test]
fn a_loop_with_deferred_calls_does_not_wait() {
    let mut inbox = Inbox::default();
    assert!(inbox.begin_wait());
    assert!(inbox.defer(1) && !inbox.is_empty());
    assert!(!inbox.begin_wait());
    assert_eq!(inbox.clear(), [1]);
    assert!(inbox.is_empty());
}

#[test]
fn there_is_room_for_what_it_was_made_for() {
    let mut inbox = Inbox::default();
    inbox.make_room_behind().unwrap();
    assert!(!inbox.defer(1));
    inbox.make_room(5).unwrap();
    let room = inbox.calls.capacity();
    assert!(room >= 6);
    (2..7).for_each(|call| assert!(!inbox.push(call)));
    inbox.release_deferred();
    assert_eq!((inbox.len(), inbox.calls.capacity()), (6, room));
    assert_eq!(inbox.make_room(usize::MAX), Err(NoRoom));
    assert_eq!(inbox.len(), 6);
}

#[test]
fn an_inbox_that_has_ended_runs_nothing() {
    let mut inbox = filled(0..3);
    let outer = inbox.begin_turn();
    assert_eq!(inbox.pop(), Some(0));
    assert!(!inbox.push_last_of_turn(9));
    let inner = inbox.begin_turn();
    inbox.end_for_good();
    assert!(rest(&mut inbox, &inner).is_empty());
    assert!(rest(&mut inbox, &outer).is_empty());
    assert!(!inbox.push(4));
    assert!(turn(&mut inbox).is_empty());
    // Nothing is lost sight of.
    assert_eq!(inbox.clear(), [1, 2, 9, 4]);
}

#[test]
fn a_loop_that_could_not_be_woken_is_woken_by_the_next_call() {
    let mut inbox = Inbox::default();
    assert!(inbox.begin_wait());
    assert!(inbox.push(1));
    inbox.still_waits();
    assert!(inbox.push(2));
    assert!(!inbox.push(3));
}
