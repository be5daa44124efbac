//! Benchmarks of the Rust core, which need no interpreter.
//!
//! `cargo bench --no-default-features --bench core`; see README.md.
#![allow(
    missing_docs,
    reason = "criterion's macros make public functions without documentation"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that can't go on may end with a panic"
)]

use std::hint::black_box;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use _core::core::clock::Deadline;
use _core::core::inbox::Inbox;
use _core::core::poller::Poller;
use _core::core::registrations::{Registrations, Role};
use _core::core::sys::Trigger;
use _core::core::timers::{Key, Timers};

/// How many other timers there are in a loop with much to do.
const OTHERS: usize = 10_000;

/// How many calls a turn has.
const CALLS: u64 = 1_000;

/// How many descriptors the poll watches.
const WATCHED: usize = 1_000;

/// The point `micros` microseconds after `start`.
fn after(start: Deadline, micros: usize) -> Deadline {
    let distance = Duration::from_micros(micros as u64);
    start.plus_seconds(distance.as_secs_f64()).expect("a time")
}

/// Numbers below `count`, each once, in an order without order.
fn shuffled(count: usize) -> impl Iterator<Item = usize> {
    // A stride that has no divisor in common with the counts used here.
    (0..count).map(move |index| index * 7_919 % count)
}

/// Timers at 10 s and later, one each millisecond, in no order.
fn crowd(start: Deadline, count: usize) -> (Timers<usize>, Vec<Key>) {
    let mut timers = Timers::default();
    let keys = shuffled(count).map(|place| {
        let deadline = after(start, 10_000_000 + place * 1_000);
        timers.insert(deadline, place).0
    });
    let keys = keys.collect();
    (timers, keys)
}

fn timers(criterion: &mut Criterion) {
    let start = Deadline::now();
    let mut group = criterion.benchmark_group("timers");
    for others in [0, OTHERS] {
        let (mut timers, _) = crowd(start, others);
        let middle = after(start, 10_000_000 + others * 500);
        group.bench_function(format!("insert, remove/{others} others"), |bench| {
            bench.iter(|| {
                let (key, _) = timers.insert(black_box(middle), 0);
                timers.remove(key)
            });
        });
    }
    for count in [1, OTHERS] {
        let deadlines: Vec<_> = shuffled(count).map(|micros| after(start, micros)).collect();
        let now = after(start, count);
        let mut timers = Timers::default();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("insert, fire/{count}"), |bench| {
            bench.iter(|| {
                for deadline in &deadlines {
                    timers.insert(*deadline, 0);
                }
                while let Some(value) = timers.pop_due(now) {
                    black_box(value);
                }
            });
        });
    }
    let later = [20_000_000, 30_000_000, 40_000_000];
    let sooner = [9_000_000, 8_000_000, 7_000_000];
    group.throughput(Throughput::Elements((OTHERS * later.len()) as u64));
    for (name, moves) in [("later", later), ("sooner", sooner)] {
        group.bench_function(format!("reschedule {name}/{OTHERS} others"), |bench| {
            bench.iter_batched_ref(
                || crowd(start, OTHERS),
                |(timers, keys)| {
                    // Several times each, so that the heap must be tidied too.
                    for micros in moves {
                        for (place, key) in keys.iter().enumerate() {
                            let deadline = after(start, micros + place);
                            black_box(timers.reschedule(*key, deadline));
                        }
                    }
                    timers.next_deadline()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Runs everything that is in the inbox, as one turn does; how much it was.
fn turn(inbox: &mut Inbox<u64>) -> u64 {
    let outer = inbox.begin_turn();
    let mut ran = 0;
    while let Some(call) = inbox.pop() {
        black_box(call);
        ran += 1;
    }
    while let Some(call) = inbox.pop_last(&outer) {
        black_box(call);
        ran += 1;
    }
    ran
}

fn inbox(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inbox");
    for calls in [1, CALLS] {
        let mut inbox = Inbox::default();
        group.throughput(Throughput::Elements(calls));
        group.bench_function(format!("push, pop in one turn/{calls}"), |bench| {
            bench.iter(|| {
                for call in 0..calls {
                    black_box(inbox.push(call));
                }
                turn(&mut inbox)
            });
        });
    }
    group.finish();
}

/// Duplicates of a socket: to the poll each is a descriptor of its own.
fn duplicates(socket: &UnixStream, count: usize) -> Vec<OwnedFd> {
    (0..count)
        .map(|_| {
            let copy = socket.try_clone().expect("descriptors: see `ulimit -n`");
            copy.into()
        })
        .collect()
}

fn registrations(criterion: &mut Criterion) {
    let poller = Poller::new().unwrap();
    let backend = poller.backend();
    let mut table = Registrations::default();
    let watcher = Arc::new(());
    let (socket, _peer) = UnixStream::pair().unwrap();
    let fd = socket.as_raw_fd();
    let mut group = criterion.benchmark_group("registrations");
    group.bench_function("watch, unwatch", |bench| {
        bench.iter(|| {
            let displaced = table.watch(&backend, fd, &watcher, &[Role::Read], &[], Trigger::Level);
            black_box(displaced.unwrap());
            table.unwatch(&backend, fd, &[Role::Read])
        });
    });
    table
        .watch(&backend, fd, &watcher, &[Role::Read], &[], Trigger::Level)
        .unwrap();
    group.bench_function("watch, unwatch output of a watched input", |bench| {
        bench.iter(|| {
            let displaced =
                table.watch(&backend, fd, &watcher, &[Role::Write], &[], Trigger::Level);
            black_box(displaced.unwrap());
            table.unwatch(&backend, fd, &[Role::Write])
        });
    });
    group.finish();
}

fn poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll");
    for ready in [0, 1, 100] {
        let poller = Poller::new().unwrap();
        let mut table = Registrations::default();
        let watcher = Arc::new(());
        // One end of a pair has something to read, the other has not.
        let (full, empty) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut &empty, b"x").unwrap();
        let mut files = duplicates(&full, ready);
        files.extend(duplicates(&empty, WATCHED - ready));
        for file in &files {
            table
                .watch(
                    &poller.backend(),
                    file.as_raw_fd(),
                    &watcher,
                    &[Role::Read],
                    &[],
                    Trigger::Level,
                )
                .unwrap();
        }
        let mut events = Vec::new();
        group.bench_function(format!("{ready} of {WATCHED} ready"), |bench| {
            bench.iter(|| {
                poller.poll(Some(Duration::ZERO), &mut events).unwrap();
                assert_eq!(events.len(), ready);
                for event in events.drain(..) {
                    black_box(table.resolve(event.token));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(core, timers, inbox, registrations, poll);
criterion_main!(core);
