//! What the models have in the place of mio: a poll without descriptors, and its waker, which
//! loom can follow.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use loom::sync::{Arc, Condvar, Mutex};
use mio::Token;

use super::WAKER;
use crate::core::lock::lock;

/// A time-out that never comes in a model. Any other one has come at once.
pub const FAR: Duration = Duration::from_secs(3_600);

#[derive(Debug, Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

#[derive(Debug)]
pub struct Poll(Arc<Signal>);

#[derive(Debug)]
pub struct Waker(Arc<Signal>);

#[derive(Debug)]
pub struct Events(Vec<event::Event>);

impl Poll {
    pub fn new() -> io::Result<Poll> {
        Ok(Poll(Arc::default()))
    }

    pub fn registry(&self) -> &Poll {
        self
    }

    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let Signal { given, changed } = &*self.0;
        let mut given = lock(given);
        while !*given && timeout.is_none_or(|timeout| timeout >= FAR) {
            given = changed.wait(given).expect("no thread panics");
        }
        events.0.clear();
        if std::mem::take(&mut *given) {
            events.0.push(event::Event(WAKER));
        }
        Ok(())
    }
}

impl AsRawFd for Poll {
    /// One that is open.
    fn as_raw_fd(&self) -> RawFd {
        libc::STDERR_FILENO
    }
}

impl Waker {
    pub fn new(poll: &Poll, _: Token) -> io::Result<Waker> {
        Ok(Waker(poll.0.clone()))
    }

    pub fn wake(&self) -> io::Result<()> {
        *lock(&self.0.given) = true;
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Events {
    pub fn with_capacity(capacity: usize) -> Events {
        Events(Vec::with_capacity(capacity))
    }

    pub fn iter(&self) -> impl Iterator<Item = &event::Event> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub mod event {
    use super::Token;

    #[derive(Debug)]
    pub struct Event(pub Token);

    impl Event {
        pub fn token(&self) -> Token {
            self.0
        }

        pub fn is_readable(&self) -> bool {
            false
        }

        pub fn is_writable(&self) -> bool {
            false
        }

        pub fn is_error(&self) -> bool {
            false
        }

        pub fn is_read_closed(&self) -> bool {
            false
        }

        pub fn is_priority(&self) -> bool {
            false
        }
    }
}
