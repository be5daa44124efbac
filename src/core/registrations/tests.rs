//! Unit tests of the registrations: on a backend that only takes notes, and
//! on the kernel's own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::super::poller::{Event, Poller};
use super::*;

/// Behaves as epoll does, and keeps count.
#[derive(Default)]
struct Notes {
    watched: RefCell<HashMap<RawFd, Watch>>,
    calls: RefCell<Vec<&'static str>>,
}

impl Notes {
    fn fail<T>(code: i32) -> io::Result<T> {
        Err(io::Error::from_raw_os_error(code))
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.take()
    }

    /// What the kernel does when the last duplicate of a descriptor closes.
    fn close(&self, fd: RawFd) {
        self.watched.borrow_mut().remove(&fd);
    }

    fn token(&self, fd: RawFd) -> Token {
        self.watched
            .borrow()
            .get(&fd)
            .map_or(Token(usize::MAX), |watch| watch.token)
    }

    fn trigger(&self, fd: RawFd) -> Option<Trigger> {
        self.watched.borrow().get(&fd).map(|watch| watch.trigger)
    }

    fn interest(&self, fd: RawFd) -> Option<Interest> {
        self.watched.borrow().get(&fd).map(|watch| watch.interest)
    }
}

impl Backend for Notes {
    fn add(&self, watch: Watch) -> io::Result<()> {
        self.calls.borrow_mut().push("add");
        if watch.fd < 0 {
            return Notes::fail(libc::EBADF);
        }
        if self.watched.borrow().contains_key(&watch.fd) {
            return Notes::fail(libc::EEXIST);
        }
        self.watched.borrow_mut().insert(watch.fd, watch);
        Ok(())
    }

    fn modify(&self, watch: Watch, before: Interest) -> io::Result<()> {
        self.calls.borrow_mut().push("modify");
        match self.watched.borrow_mut().get_mut(&watch.fd) {
            Some(place) => {
                assert_eq!(place.interest, before);
                *place = watch;
                Ok(())
            }
            None => Notes::fail(libc::ENOENT),
        }
    }

    fn remove(&self, fd: RawFd, before: Interest) -> io::Result<()> {
        self.calls.borrow_mut().push("remove");
        match self.watched.borrow_mut().remove(&fd) {
            Some(watch) => {
                assert_eq!(watch.interest, before);
                Ok(())
            }
            None => Notes::fail(libc::ENOENT),
        }
    }
}

type Table = Registrations<Rc<str>>;

fn watch(table: &mut Table, notes: &Notes, fd: RawFd, who: &str, role: Role) -> Watchers<Rc<str>> {
    table
        .watch(notes, fd, &Rc::from(who), &[role], &[], Trigger::Level)
        .expect("the backend agrees")
}

fn is_edge_triggered(table: &Table, token: Token) -> bool {
    let (fd, generation) = parts(token);
    let slot = table.slot(fd).filter(|slot| slot.generation == generation);
    slot.is_some_and(|slot| slot.edge.is_triggered(slot.interest))
}

fn name(watcher: Option<&Rc<str>>) -> Option<&str> {
    watcher.map(AsRef::as_ref)
}

#[test]
fn both_directions_share_one_entry() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "reader", Role::Read);
    watch(&mut table, &notes, 5, "writer", Role::Write);
    assert_eq!(notes.calls(), ["add", "modify"]);
    assert_eq!(
        notes.interest(5),
        Some(Interest::READABLE | Interest::WRITABLE)
    );
    let (fd, watchers) = table.resolve(notes.token(5)).expect("known");
    assert_eq!(fd, 5);
    assert_eq!(name(watchers.get(Role::Read)), Some("reader"));
    assert_eq!(name(watchers.get(Role::Write)), Some("writer"));

    let removed = table.unwatch(&notes, 5, &[Role::Read]);
    assert_eq!(name(removed.read.as_ref()), Some("reader"));
    assert_eq!(notes.interest(5), Some(Interest::WRITABLE));
    table.unwatch(&notes, 5, &[Role::Read, Role::Write]);
    assert_eq!(notes.calls(), ["modify", "remove"]);
    assert!(table.watchers(5).is_none());
}

#[test]
fn a_mask_is_set_with_one_call() {
    let (mut table, notes) = (Table::default(), Notes::default());
    let who = Rc::from("handler");
    let roles = [Role::Read, Role::Write, Role::Error];
    table
        .watch(&notes, 5, &who, &roles, &[], Trigger::Level)
        .expect("added");
    table
        .watch(
            &notes,
            5,
            &who,
            &[Role::Error],
            &[Role::Read, Role::Write],
            Trigger::Level,
        )
        .expect("changed");
    assert_eq!(notes.calls(), ["add", "modify"]);
    assert_eq!(notes.interest(5), Some(Interest::NONE));
}

#[test]
fn the_displaced_watcher_is_handed_back_and_no_other() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "first", Role::Read);
    watch(&mut table, &notes, 5, "writer", Role::Write);
    let displaced = watch(&mut table, &notes, 5, "second", Role::Read);
    assert_eq!(name(displaced.read.as_ref()), Some("first"));
    assert_eq!(displaced.write, None);
}

#[test]
fn an_event_of_a_removed_descriptor_reaches_nobody() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "old", Role::Read);
    let old = notes.token(5);
    table.unwatch(&notes, 5, &[Role::Read]);
    assert!(table.resolve(old).is_none());
    watch(&mut table, &notes, 5, "new", Role::Read);
    assert!(table.resolve(old).is_none());
    assert!(table.resolve(notes.token(5)).is_some());
}

#[test]
fn a_descriptor_reused_without_removal_starts_afresh() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "old reader", Role::Read);
    let old = notes.token(5);
    notes.close(5);
    let displaced = watch(&mut table, &notes, 5, "new writer", Role::Write);
    assert_eq!(name(displaced.read.as_ref()), Some("old reader"));
    assert!(table.resolve(old).is_none());
    assert_eq!(notes.interest(5), Some(Interest::WRITABLE));
    let (_, watchers) = table.resolve(notes.token(5)).expect("known");
    assert_eq!(watchers.read, None);
}

#[test]
fn removing_a_closed_descriptor_is_no_error() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "reader", Role::Read);
    watch(&mut table, &notes, 5, "writer", Role::Write);
    notes.close(5);
    assert!(table.unwatch(&notes, 5, &[Role::Read]).read.is_some());
    assert!(table.unwatch(&notes, 5, &[Role::Write]).write.is_some());
    assert!(table.watchers(5).is_none());
}

#[test]
fn a_refused_descriptor_leaves_no_trace() {
    let (mut table, notes) = (Table::default(), Notes::default());
    let outcome = table.watch(
        &notes,
        -1,
        &Rc::from("x"),
        &[Role::Read],
        &[],
        Trigger::Level,
    );
    assert!(outcome.is_err());
    assert_eq!(table.iter().count(), 0);
    assert!(table.slots.is_empty());
    assert_eq!(
        table.unwatch(&notes, -1, &[Role::Read]),
        Watchers::default()
    );
    assert_eq!(
        table.unwatch(&notes, 99, &[Role::Read]),
        Watchers::default()
    );
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_duplicate_that_outlives_its_descriptor_reaches_nobody() {
    let poller = Poller::new().expect("a poller");
    let mut table = Registrations::default();
    let (socket, peer) = UnixStream::pair().expect("a socket pair");
    let fd = socket.as_raw_fd();
    let duplicate = socket.try_clone().expect("a duplicate");
    let backend = poller.backend();
    table
        .watch(
            &backend,
            fd,
            &Rc::new(()),
            &[Role::Read],
            &[],
            Trigger::Level,
        )
        .expect("added");
    drop(socket);
    table.unwatch(&backend, fd, &[Role::Read]);
    drop(peer);
    let mut events = Vec::new();
    poller
        .poll(Some(std::time::Duration::ZERO), &mut events)
        .expect("a poll");
    assert!(
        events
            .iter()
            .all(|event| table.resolve(event.token).is_none())
    );
    drop(duplicate);
}

#[test]
fn clearing_hands_every_watcher_back() {
    let (mut table, notes) = (Table::default(), Notes::default());
    watch(&mut table, &notes, 5, "reader", Role::Read);
    watch(&mut table, &notes, 7, "writer", Role::Write);
    assert_eq!(table.iter().map(|(fd, _)| fd).collect::<Vec<_>>(), [5, 7]);
    let who: Vec<_> = table.clear();
    assert_eq!(who.iter().flat_map(Watchers::iter).count(), 2);
    assert_eq!(table.iter().count(), 0);
}

#[test]
fn an_edge_is_for_input_that_everybody_reads_to_the_end() {
    let (edge, level) = (Some(Trigger::Edge), Some(Trigger::Level));
    let (mut table, notes) = (Table::default(), Notes::default());
    let mut watch = |role, trigger| {
        let who = Rc::from("who");
        table
            .watch(&notes, 5, &who, &[role], &[], trigger)
            .expect("the backend agrees");
        notes.trigger(5)
    };
    assert_eq!(watch(Role::Write, Trigger::Edge), level);
    assert_eq!(watch(Role::Read, Trigger::Edge), level);
    table.unwatch(&notes, 5, &[Role::Write]);
    assert_eq!(notes.trigger(5), edge);
    assert!(is_edge_triggered(&table, notes.token(5)));
    let watched = table.watch(
        &notes,
        5,
        &Rc::from("other"),
        &[Role::Error],
        &[],
        Trigger::Level,
    );
    assert!(watched.is_ok());
    assert_eq!(notes.trigger(5), level);
    // Nobody asks the first one again.
    table.unwatch(&notes, 5, &[Role::Error]);
    assert_eq!(notes.trigger(5), level);
}

#[test]
fn an_edge_is_given_up_on_demand_and_by_a_reused_descriptor() {
    let (mut table, notes) = (Table::default(), Notes::default());
    let who = Rc::from("who");
    let watch = |table: &mut Table, trigger| {
        table
            .watch(&notes, 5, &who, &[Role::Read], &[], trigger)
            .expect("the backend agrees");
        notes.token(5)
    };
    let token = watch(&mut table, Trigger::Edge);
    table.make_level_triggered(&notes, Token(99));
    assert!(is_edge_triggered(&table, token));
    table.make_level_triggered(&notes, token);
    assert!(!is_edge_triggered(&table, token));
    assert_eq!(notes.trigger(5), Some(Trigger::Level));
    notes.calls();
    table.make_level_triggered(&notes, token);
    assert!(notes.calls().is_empty());
    notes.close(5);
    let token = watch(&mut table, Trigger::Edge);
    assert!(is_edge_triggered(&table, token));
    assert_eq!(notes.trigger(5), Some(Trigger::Edge));
    notes.close(5);
    table.make_level_triggered(&notes, token);
    assert!(!is_edge_triggered(&table, token));
}

#[test]
fn a_read_is_deferred_once_and_for_the_same_registration_only() {
    let (notes, mut table) = (Notes::default(), Table::default());
    let who = Rc::from("who");
    let watch = |table: &mut Table, role, trigger| {
        table
            .watch(&notes, 5, &who, &[role], &[], trigger)
            .expect("watch");
        notes.token(5)
    };
    let (readable, hangup) = (Readiness::READABLE, Readiness::HANGUP);
    let token = watch(&mut table, Role::Read, Trigger::Edge);
    assert_eq!(table.take_deferred(token), None);
    assert!(!table.merge_deferred(token, hangup));
    assert!(table.defer_read(token, readable));
    assert!(!table.defer_read(token, readable));
    assert!(table.merge_deferred(token, hangup));
    assert_eq!(table.take_deferred(token), Some(readable | hangup));
    assert!(!table.merge_deferred(token, hangup));

    // Somebody who is told as long as there is input has to know of it.
    assert!(table.defer_read(token, readable));
    assert_eq!(watch(&mut table, Role::Write, Trigger::Level), token);
    assert!(!table.merge_deferred(token, readable));
    assert!(!table.defer_read(token, hangup));
    assert_eq!(table.take_deferred(token), Some(readable));

    let token = {
        table.unwatch(&notes, 5, &[Role::Read, Role::Write]);
        watch(&mut table, Role::Read, Trigger::Edge)
    };
    assert!(table.defer_read(token, readable));
    table.unwatch(&notes, 5, &[Role::Read]);
    let renewed = watch(&mut table, Role::Read, Trigger::Edge);
    assert_eq!(table.take_deferred(token), None);
    assert_eq!(table.take_deferred(renewed), None);
    assert!(!table.merge_deferred(renewed, readable));
}

#[test]
fn a_new_poll_has_what_the_old_one_had() {
    let (old, new) = (Notes::default(), Notes::default());
    let mut table = Table::default();
    let _none = watch(&mut table, &old, 5, "five", Role::Read);
    let _none = watch(&mut table, &old, 7, "seven", Role::Write);
    let _none = watch(&mut table, &old, 9, "nine", Role::Read);
    let _removed = table.unwatch(&old, 9, &[Role::Read]);
    // Somebody has put another poll's descriptor there.
    let taken = Watch {
        fd: 7,
        token: Token(0),
        interest: Interest::READABLE,
        trigger: Trigger::Level,
    };
    new.add(taken).expect("nobody watches it");
    let mut gone = Vec::new();
    table.renew(&new, &mut gone).expect("there is room");
    assert_eq!(gone.len(), 1);
    assert_eq!(
        gone.first().and_then(|it| name(it.write.as_ref())),
        Some("seven")
    );
    assert_eq!(new.interest(5), Some(Interest::READABLE));
    assert_eq!(new.interest(9), None);
    // Under the same token, which events that are queued have.
    assert_eq!(new.token(5), old.token(5));
    assert!(table.watchers(7).is_none());
}

/// Has room for two.
#[derive(Default)]
struct Small(Notes);

impl Backend for Small {
    fn add(&self, watch: Watch) -> io::Result<()> {
        if self.0.watched.borrow().len() == 2 {
            return Notes::fail(libc::ENOSPC);
        }
        self.0.add(watch)
    }

    fn modify(&self, watch: Watch, before: Interest) -> io::Result<()> {
        self.0.modify(watch, before)
    }

    fn remove(&self, fd: RawFd, before: Interest) -> io::Result<()> {
        self.0.remove(fd, before)
    }
}

#[test]
fn a_new_poll_without_room_takes_nothing_from_the_table() {
    let (old, new) = (Notes::default(), Notes::default());
    let mut table = Table::default();
    for (fd, name) in [(5, "five"), (6, "six"), (7, "seven")] {
        let _none = watch(&mut table, &old, fd, name, Role::Read);
    }
    let mut gone = Vec::new();
    let refused = table.renew(&Small::default(), &mut gone);
    assert_eq!(
        refused.err().map(|error| error.kind()),
        Some(io::ErrorKind::StorageFull)
    );
    table.renew(&new, &mut gone).expect("there is room");
    assert!(gone.is_empty());
    assert_eq!(new.watched.borrow().len(), 3);
}

fn resting(table: &mut Table, notes: &Notes, fd: RawFd) {
    let who = Rc::from("stream");
    let roles = [Role::Read, Role::Error];
    let before = table.watch(notes, fd, &who, &roles, &[], Trigger::Level);
    before.expect("the backend agrees");
    notes.calls();
    assert_eq!(name(table.rest(fd).as_ref()), Some("stream"));
}

#[test]
fn who_is_back_before_the_loop_waits_costs_no_call() {
    let (mut table, notes) = (Table::default(), Notes::default());
    resting(&mut table, &notes, 5);
    let token = notes.token(5);
    for _ in 0..3 {
        assert!(table.rests(token) && table.has_resting());
        assert!(table.watchers(5).is_some_and(|all| all.read.is_none()));
        // A second time there is nobody.
        assert!(table.rest(5).is_none());
        assert!(table.resume(5, &Rc::from("stream")));
        assert!(!table.rests(token) && !table.resume(5, &Rc::from("stream")));
        assert_eq!(name(table.rest(5).as_ref()), Some("stream"));
    }
    assert_eq!(table.resting, [5]);
    assert!(notes.calls().is_empty());
    table.settle_all(&notes);
    assert_eq!(notes.calls(), ["modify"]);
    assert_eq!(notes.interest(5), Some(Interest::NONE));
    assert!(!table.rests(token) && !table.has_resting());
    table.settle_all(&notes);
    table.settle(&notes, token);
    assert!(notes.calls().is_empty());
    watch(&mut table, &notes, 5, "stream", Role::Read);
    assert_eq!(notes.calls(), ["modify"]);
    assert_eq!(notes.interest(5), Some(Interest::READABLE));
}

#[test]
fn who_rests_is_told_of_what_else_it_waits_for() {
    let (mut table, notes) = (Table::default(), Notes::default());
    resting(&mut table, &notes, 5);
    watch(&mut table, &notes, 5, "stream", Role::Write);
    assert_eq!(notes.interest(5), Some(Interest::WRITABLE));
    assert!(!table.rests(notes.token(5)));
    // One that writes doesn't rest: it would be told of input all the time.
    watch(&mut table, &notes, 5, "stream", Role::Read);
    assert!(table.rest(5).is_none());
    let removed = table.unwatch(&notes, 5, &[Role::Write]);
    assert_eq!(name(removed.write.as_ref()), Some("stream"));
    assert!(table.rest(5).is_some());
    table.unwatch(&notes, 5, &[Role::Read, Role::Error]);
    assert_eq!(notes.interest(5), None);
    notes.calls();
    table.settle_all(&notes);
    assert!(notes.calls().is_empty());
}

#[test]
fn what_rests_is_listed_once_whoever_has_the_number() {
    let (mut table, notes) = (Table::default(), Notes::default());
    for _ in 0..4 {
        resting(&mut table, &notes, 5);
        let token = notes.token(5);
        table.unwatch(&notes, 5, &[Role::Read, Role::Error]);
        let later = table.watch_later(5, &Rc::from("other"), Trigger::Edge);
        assert!(!table.rests(token) && !table.rests(later.expect("nobody is there")));
        // Edge-triggered, and not asked for yet.
        assert!(table.rest(5).is_none());
        table.unwatch(&notes, 5, &[Role::Read]);
    }
    assert_eq!(table.resting, [5]);
    resting(&mut table, &notes, 5);
    // It was closed, and isn't watched any more.
    notes.close(5);
    table.settle(&notes, notes.token(5));
    table.settle_all(&notes);
    assert_eq!(notes.interest(5), None);
    for fd in [-1, 7, RawFd::MAX] {
        assert!(table.rest(fd).is_none());
    }
    watch(&mut table, &notes, 6, "not for errors", Role::Read);
    assert!(table.rest(6).is_none());
}

#[test]
fn of_anybody_else_the_kernel_is_asked_whether_it_is_that_descriptor_still() {
    let (mut table, notes) = (Table::default(), Notes::default());
    resting(&mut table, &notes, 5);
    let token = notes.token(5);
    notes.close(5);
    let displaced = watch(&mut table, &notes, 5, "other", Role::Read);
    assert_eq!(name(displaced.error.as_ref()), Some("stream"));
    assert_eq!(notes.calls(), ["modify", "add"]);
    assert_eq!(notes.interest(5), Some(Interest::READABLE));
    assert!(!table.rests(token) && !table.resume(5, &Rc::from("stream")));
}

#[test]
fn what_rests_is_not_watched_in_a_new_poll() {
    let (mut table, notes) = (Table::default(), Notes::default());
    resting(&mut table, &notes, 5);
    let (new, mut gone) = (Notes::default(), Vec::new());
    table.renew(&new, &mut gone).expect("the backend agrees");
    assert_eq!(new.interest(5), Some(Interest::NONE));
    table.settle_all(&new);
    assert_eq!(new.calls(), ["add"]);
    assert!(gone.is_empty());
}

#[test]
fn input_that_nobody_reads_is_reported_once_at_most() {
    let poller = Poller::new().expect("a poll");
    let (one, two) = UnixStream::pair().expect("a pair");
    let (mut table, fd) = (Table::default(), one.as_raw_fd());
    let roles = [Role::Read, Role::Error];
    let who = Rc::from("stream");
    let outcome = table.watch(&poller.backend(), fd, &who, &roles, &[], Trigger::Level);
    outcome.expect("watched");
    std::io::Write::write_all(&mut &two, b"data").expect("sent");
    let poll = || {
        let mut events: Vec<Event> = Vec::new();
        let none = Some(std::time::Duration::ZERO);
        poller.poll(none, &mut events).expect("polled");
        events
    };
    assert!(table.rest(fd).is_some());
    let [event] = poll()[..] else {
        panic!("it is reported until somebody says that nobody reads");
    };
    assert!(table.rests(event.token));
    table.settle(&poller.backend(), event.token);
    assert!(poll().is_empty());
    watch_again(&mut table, &poller, fd);
    assert_eq!(poll().len(), 1);
    assert!(table.rest(fd).is_some());
    assert!(table.resume(fd, &Rc::from("stream")));
    assert_eq!(poll().len(), 1);
    assert!(table.rest(fd).is_some());
    table.settle_all(&poller.backend());
    assert!(poll().is_empty());
    watch_again(&mut table, &poller, fd);
    assert_eq!(poll().len(), 1);
}

fn watch_again(table: &mut Table, poller: &Poller, fd: RawFd) {
    let who = Rc::from("stream");
    let outcome = table.watch(
        &poller.backend(),
        fd,
        &who,
        &[Role::Read],
        &[],
        Trigger::Level,
    );
    outcome.expect("watched");
}
