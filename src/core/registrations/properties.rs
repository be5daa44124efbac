//! Random programs on a kernel that is a model: who is watched, and that no input is left
//! unread where reading is edge-triggered and stops in its midst.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::properties::config;
use crate::core::stream::read_budget::{Extent, ReadBudget, Share};

const ROLES: [Role; 3] = [Role::Read, Role::Write, Role::Error];
const FDS: RawFd = 3;

/// An open file that is watched, or isn't.
#[derive(Clone, Copy, Default)]
struct File {
    watch: Option<Watch>,
    unread: usize,
    hung_up: bool,
    /// With an edge: there is something that hasn't been reported.
    news: bool,
    /// Adding is refused: there is no memory for it, which modifying needs none of.
    refuses: bool,
}

impl File {
    fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::default();
        let interest = self.watch.map_or(Interest::NONE, |watch| watch.interest);
        if interest.is_readable() && (self.unread > 0 || self.hung_up) {
            readiness |= Readiness::READABLE;
        }
        if interest.is_writable() {
            readiness |= Readiness::WRITABLE;
        }
        if self.hung_up {
            readiness |= Readiness::HANGUP;
        }
        readiness
    }
}

/// Behaves as epoll does.
#[derive(Default)]
struct Kernel {
    files: RefCell<BTreeMap<RawFd, File>>,
    /// The tokens of those that are watched no longer: an event may still come with one.
    gone: RefCell<Vec<Token>>,
}

impl Kernel {
    fn set(&self, watch: Watch, is_new: bool) -> io::Result<()> {
        let fail = |code| Err(io::Error::from_raw_os_error(code));
        let mut files = self.files.borrow_mut();
        let Some(file) = files.get_mut(&watch.fd) else {
            return fail(libc::EBADF);
        };
        match (file.watch, is_new) {
            (Some(_), true) => return fail(libc::EEXIST),
            (None, false) => return fail(libc::ENOENT),
            (None, true) if file.refuses => return fail(libc::ENOSPC),
            _ => {
                let gone = self.gone.borrow();
                assert!(!gone.contains(&watch.token), "a token comes again");
                file.watch = Some(watch);
            }
        }
        file.news = true;
        Ok(())
    }

    fn file<R>(&self, fd: RawFd, body: impl FnOnce(&mut File) -> R) -> Option<R> {
        self.files.borrow_mut().get_mut(&fd).map(body)
    }

    /// A new file gets the number; the one before it is closed.
    fn open(&self, fd: RawFd) {
        let before = self.files.borrow_mut().insert(fd, File::default());
        let watch = before.and_then(|file| file.watch);
        self.gone
            .borrow_mut()
            .extend(watch.map(|watch| watch.token));
    }

    fn poll(&self) -> Vec<(Token, Readiness)> {
        let mut events = Vec::new();
        for file in self.files.borrow_mut().values_mut() {
            let Some(watch) = file.watch else { continue };
            let readiness = file.readiness();
            let tells = watch.trigger == Trigger::Level || std::mem::take(&mut file.news);
            if tells && readiness != Readiness::default() {
                events.push((watch.token, readiness));
            }
        }
        events
    }
}

impl Backend for Kernel {
    fn add(&self, watch: Watch) -> io::Result<()> {
        self.set(watch, true)
    }

    fn modify(&self, watch: Watch, before: Interest) -> io::Result<()> {
        let interest = self.file(watch.fd, |file| file.watch.map(|watch| watch.interest));
        let known = interest.flatten().unwrap_or(before);
        assert!(known == before || before == Interest::NONE, "{watch:?}");
        self.set(watch, false)
    }

    fn remove(&self, fd: RawFd, _before: Interest) -> io::Result<()> {
        match self.file(fd, |file| file.watch.take()).flatten() {
            Some(watch) => {
                self.gone.borrow_mut().push(watch.token);
                Ok(())
            }
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }
}

#[derive(Clone, Debug)]
enum Watching {
    Watch(RawFd, u8, u8, u8, bool),
    Unwatch(RawFd, u8),
    Rest(RawFd),
    Resume(RawFd),
    Settle(Option<RawFd>),
    Reopen(RawFd),
    Refuse(RawFd, bool),
}

fn roles(bits: u8) -> Vec<Role> {
    let chosen = ROLES.iter().enumerate();
    let chosen = chosen.filter(|(index, _)| bits & (1 << index) != 0);
    chosen.map(|(_, role)| *role).collect()
}

fn watching() -> impl Strategy<Value = Vec<Watching>> {
    let step = prop_oneof![
        6 => (0..FDS, any::<u8>(), 1..8_u8, 0..8_u8, any::<bool>())
            .prop_map(|(fd, who, at, clear, edge)| Watching::Watch(fd, who, at, clear, edge)),
        4 => (0..FDS, 1..8_u8).prop_map(|(fd, at)| Watching::Unwatch(fd, at)),
        3 => (0..FDS).prop_map(Watching::Rest),
        2 => (0..FDS).prop_map(Watching::Resume),
        1 => prop_oneof![Just(None), (0..FDS).prop_map(Some)].prop_map(Watching::Settle),
        1 => (0..FDS).prop_map(Watching::Reopen),
        1 => (0..FDS, any::<bool>()).prop_map(|(fd, refuses)| Watching::Refuse(fd, refuses)),
    ];
    vec(step, 0..60)
}

/// Who watches a descriptor, whether it has been closed behind the table's back since, and
/// whether the kernel reports input that nobody waits for.
#[derive(Clone, Default)]
struct Known(BTreeMap<RawFd, (Watchers<u8>, bool, bool)>);

impl Known {
    fn watch(&mut self, step: &Watching, table: &mut Registrations<u8>, kernel: &Kernel) {
        match *step {
            Watching::Reopen(fd) => {
                kernel.open(fd);
                self.0.entry(fd).or_default().1 = true;
            }
            Watching::Refuse(fd, refuses) => {
                kernel.file(fd, |file| file.refuses = refuses);
            }
            Watching::Rest(fd) => {
                let watch = kernel.file(fd, |file| file.watch).flatten();
                let entry = self.0.entry(fd).or_default();
                let for_input = watch.is_some_and(|watch| {
                    watch.interest == Interest::READABLE && watch.trigger == Trigger::Level
                });
                let rested = table.rest(fd);
                // Of one that is closed the table doesn't know it.
                if !entry.1 {
                    let may = for_input && entry.0.error.is_some();
                    assert_eq!(rested, entry.0.read.filter(|_| may));
                }
                if rested.is_some() {
                    assert_eq!(entry.0.read.take(), rested);
                    entry.2 = true;
                }
            }
            Watching::Resume(fd) => {
                let entry = self.0.entry(fd).or_default();
                let who = entry.0.error;
                let rests = std::mem::take(&mut entry.2);
                assert_eq!(table.resume(fd, &who.unwrap_or_default()), rests);
                if rests {
                    entry.0.read = who;
                }
            }
            Watching::Settle(None) => {
                table.settle_all(kernel);
                assert!(!table.has_resting());
                self.0.values_mut().for_each(|entry| entry.2 = false);
            }
            Watching::Settle(Some(fd)) => {
                let watch = kernel.file(fd, |file| file.watch).flatten();
                if let Some(watch) = watch {
                    let entry = self.0.entry(fd).or_default();
                    assert_eq!(table.rests(watch.token), entry.2);
                    table.settle(kernel, watch.token);
                    entry.2 = false;
                }
            }
            Watching::Unwatch(fd, at) => {
                let mut removed = Watchers::default();
                let entry = self.0.entry(fd).or_default();
                for role in roles(at) {
                    *removed.place(role) = entry.0.place(role).take();
                }
                assert_eq!(table.unwatch(kernel, fd, &roles(at)), removed);
                entry.2 = false;
            }
            Watching::Watch(fd, who, at, clear, edge) => {
                let (at, clear) = (roles(at), roles(clear));
                let trigger = if edge { Trigger::Edge } else { Trigger::Level };
                let refused = kernel.file(fd, |file| file.refuses && file.watch.is_none());
                let refused = refused.unwrap_or(true);
                let outcome = table.watch(kernel, fd, &who, &at, &clear, trigger);
                assert_eq!(outcome.is_err(), refused, "{outcome:?}");
                let Ok(displaced) = outcome else { return };
                let (before, closed, _) = self.0.remove(&fd).unwrap_or_default();
                // Of a file that is closed nobody is left.
                let stale = closed && before != Watchers::default();
                let mut now = if stale {
                    Watchers::default()
                } else {
                    before.clone()
                };
                let mut expected = if stale {
                    before.clone()
                } else {
                    Watchers::default()
                };
                for role in at.iter().chain(&clear) {
                    *expected.place(*role) = before.get(*role).copied();
                    *now.place(*role) = at.contains(role).then_some(who);
                }
                assert_eq!(displaced, expected);
                self.0.insert(fd, (now, false, false));
            }
        }
    }
}

/// A stream whose owner reads it as transports do.
struct Stream {
    table: Registrations<u8>,
    kernel: Kernel,
    share: Share,
    /// Deferred reads that are scheduled.
    scheduled: VecDeque<Token>,
    read: usize,
}

#[derive(Clone, Debug)]
enum Reading {
    Arrive(usize),
    HangUp,
    Poll,
    RunDeferred,
    WatchOutput(bool),
    MakeLevel,
    Pause,
    Resume,
    Join(bool),
}

fn reading() -> impl Strategy<Value = Vec<Reading>> {
    let step = prop_oneof![
        6 => (1..9 * SEGMENT).prop_map(Reading::Arrive),
        1 => Just(Reading::HangUp),
        5 => Just(Reading::Poll),
        5 => Just(Reading::RunDeferred),
        2 => any::<bool>().prop_map(Reading::WatchOutput),
        1 => Just(Reading::MakeLevel),
        1 => Just(Reading::Pause),
        2 => Just(Reading::Resume),
        1 => any::<bool>().prop_map(Reading::Join),
    ];
    vec(step, 0..60)
}

const SEGMENT: usize = crate::core::stream::read_budget::SEGMENT;
const FD: RawFd = 1;

impl Stream {
    fn new(streams: usize) -> Stream {
        let mut stream = Stream {
            table: Registrations::default(),
            kernel: Kernel::default(),
            share: Share::of(streams),
            scheduled: VecDeque::new(),
            read: 0,
        };
        stream.kernel.open(FD);
        stream.watch(Role::Read, Trigger::Edge);
        stream
    }

    fn watch(&mut self, role: Role, trigger: Trigger) {
        let outcome = self
            .table
            .watch(&self.kernel, FD, &1, &[role], &[], trigger);
        outcome.expect("the kernel agrees");
    }

    fn is_watched(&self, role: Role) -> bool {
        self.table
            .watchers(FD)
            .is_some_and(|all| all.get(role).is_some())
    }

    /// Reads the stream's share.
    fn serve(&mut self, token: Token, readiness: Readiness) {
        let watched = |stream: &Stream| {
            let found = stream.table.resolve(token);
            found.is_some_and(|(_, all)| all.read.is_some())
        };
        let mut budget = ReadBudget::new(self.share);
        while watched(self) {
            let room = self.share.size();
            let unread = self.kernel.file(FD, |file| file.unread).unwrap_or_default();
            let count = unread.min(room);
            let extent = Extent::of(count, room, true);
            if budget.defers(extent, readiness.has_more())
                && count > 0
                && self.table.defer_read(token, readiness)
            {
                self.scheduled.push_back(token);
            }
            self.kernel.file(FD, |file| file.unread -= count);
            self.read += count;
            if !budget.goes_on(extent) {
                return;
            }
        }
    }

    fn run(&mut self, step: &Reading) {
        match *step {
            Reading::Arrive(count) => {
                self.kernel.file(FD, |file| {
                    file.unread += count;
                    file.news = true;
                });
            }
            Reading::HangUp => {
                self.kernel.file(FD, |file| {
                    file.hung_up = true;
                    file.news = true;
                });
            }
            Reading::Poll => {
                let events = self.kernel.poll();
                // Who writes may stop anywhere, and is told again.
                let told = events.iter().any(|(_, readiness)| readiness.is_writable());
                assert_eq!(told, self.is_watched(Role::Write));
                for (token, readiness) in events {
                    if readiness.is_readable() && !self.table.merge_deferred(token, readiness) {
                        self.serve(token, readiness);
                    }
                }
            }
            Reading::RunDeferred => {
                let Some(token) = self.scheduled.pop_front() else {
                    return;
                };
                if let Some(readiness) = self.table.take_deferred(token) {
                    self.serve(token, readiness);
                }
            }
            Reading::WatchOutput(true) => self.watch(Role::Write, Trigger::Edge),
            Reading::WatchOutput(false) => {
                self.table.unwatch(&self.kernel, FD, &[Role::Write]);
            }
            Reading::MakeLevel => {
                let watch = self.kernel.file(FD, |file| file.watch).flatten();
                if let Some(watch) = watch {
                    self.table.make_level_triggered(&self.kernel, watch.token);
                }
            }
            Reading::Pause => {
                self.table.unwatch(&self.kernel, FD, &[Role::Read]);
            }
            Reading::Resume if !self.is_watched(Role::Read) => {
                self.watch(Role::Read, Trigger::Edge);
            }
            Reading::Resume => {}
            Reading::Join(edge) => {
                let trigger = if edge { Trigger::Edge } else { Trigger::Level };
                self.watch(Role::Error, trigger);
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn who_watches_is_who_was_put_there(steps in watching()) {
        let (mut table, kernel) = (Registrations::default(), Kernel::default());
        let mut known = Known::default();
        (0..FDS).for_each(|fd| kernel.open(fd));
        for step in &steps {
            known.watch(step, &mut table, &kernel);
            for (fd, (watchers, closed, rests)) in &known.0 {
                let found = table.watchers(*fd).cloned().unwrap_or_default();
                prop_assert_eq!(&found, watchers);
                // The kernel is asked for what they wait for, and its events find them.
                let watch = kernel.file(*fd, |file| file.watch).flatten();
                let wanted = watchers.interest().filter(|_| !closed);
                let wanted = wanted.map(|wanted| match rests {
                    true => wanted | Interest::READABLE,
                    false => wanted,
                });
                prop_assert_eq!(watch.map(|watch| watch.interest), wanted);
                if let Some(watch) = watch {
                    let resolved = table.resolve(watch.token);
                    prop_assert_eq!(resolved, Some((*fd, watchers)));
                }
            }
        }
    }

    #[test]
    fn whatever_comes_is_read(steps in reading(), streams in 0..9_usize) {
        let mut stream = Stream::new(streams);
        let mut arrived = 0;
        for step in &steps {
            if let Reading::Arrive(count) = step {
                arrived += count;
            }
            stream.run(step);
            prop_assert!(stream.scheduled.len() <= 1 + steps.len());
        }
        stream.run(&Reading::Resume);
        let mut turns = 0;
        while stream.read < arrived {
            let before = stream.read;
            stream.run(&Reading::Poll);
            while !stream.scheduled.is_empty() && stream.read == before {
                stream.run(&Reading::RunDeferred);
            }
            prop_assert!(stream.read > before, "{} of {arrived} were read", stream.read);
            turns += 1;
            prop_assert!(turns <= arrived);
        }
        prop_assert_eq!(stream.read, arrived);
    }
}
