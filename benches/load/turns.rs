//! The loop: what is ready is served until the meter says that it is enough.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::meter::Meter;

/// How often a load looks for what got lost.
const SWEEP: Duration = Duration::from_millis(500);

/// Some way to keep a server busy.
pub trait Load {
    /// Registers what there is, so that the first events come.
    fn begin(&mut self, registry: &Registry) -> Result<(), String>;

    /// Serves one of its sockets, and tells the meter what that completed.
    fn ready(&mut self, index: usize, registry: &Registry, meter: &mut Meter)
    -> Result<(), String>;

    /// Does again what got no answer since it was called last.
    fn sweep(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// How many times that was needed.
    fn lost(&self) -> u64 {
        0
    }
}

/// Runs a load until the meter has enough.
pub fn drive(poll: &mut Poll, load: &mut impl Load, meter: &mut Meter) -> Result<(), String> {
    let mut events = Events::with_capacity(1_024);
    let mut swept = Instant::now();
    while meter.goes_on()? {
        let begin = Instant::now();
        match poll.poll(&mut events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result.map_err(|error| format!("poll: {error}"))?,
        }
        meter.wait(begin.elapsed());
        for event in &events {
            load.ready(event.token().0, poll.registry(), meter)?;
        }
        if swept.elapsed() > SWEEP {
            load.sweep()?;
            swept = Instant::now();
        }
    }
    Ok(())
}

/// Makes a poll.
pub fn new_poll() -> Result<Poll, String> {
    Poll::new().map_err(|error| format!("no poll: {error}"))
}

/// Watches a socket, edge-triggered. It is forgotten when it is closed.
pub fn watch(
    registry: &Registry,
    socket: &impl AsRawFd,
    index: usize,
    interest: Interest,
) -> Result<(), String> {
    registry
        .register(&mut SourceFd(&socket.as_raw_fd()), Token(index), interest)
        .map_err(|error| format!("can't watch a socket: {error}"))
}
