//! Descriptors that the poll isn't asked to watch before the end of the iteration that
//! has made them; see `core::registrations::fresh`.

use mio::Token;
use pyo3::prelude::*;

use super::call::Call;
use super::watcher;
use crate::core::interest::{Interest, Readiness};
use crate::core::sys::sockets;
use crate::py::event_loop::EventLoop;
use crate::py::support::error;
use crate::py::twisted::Selectable;

/// The end of the iteration has come: the poll is asked.
///
/// Who only waits to write to a new socket, such as to close it, mostly can at once, and
/// waits no longer then: the socket itself is asked once, for less than it takes to have
/// the poll watch it and forget it again.
///
/// # Errors
/// `MemoryError`.
pub fn settle(event_loop: &Bound<'_, EventLoop>, token: Token) -> PyResult<()> {
    let this = event_loop.get();
    let Some((fd, interest)) = this.with_registrations(|all| all.unasked(token)) else {
        return Ok(());
    };
    if interest == Interest::WRITABLE {
        let readiness = sockets::readiness_to_write(fd);
        if readiness != Readiness::default() {
            let call = Call::Fresh(token, readiness);
            if this.defer(event_loop.py(), call).is_ok() {
                return Ok(());
            }
        }
    }
    ask(event_loop, token)
}

/// Serves the descriptor; if it is watched still, the poll is asked.
///
/// # Errors
/// Those exceptions that must end the loop.
pub fn dispatch(
    event_loop: &Bound<'_, EventLoop>,
    token: Token,
    readiness: Readiness,
) -> PyResult<()> {
    let outcome = watcher::dispatch(event_loop, token, readiness);
    outcome.and(ask(event_loop, token))
}

/// Asks the poll now. What it refuses to watch is reported, and disconnected when its turn
/// comes: nobody would hear of it again.
///
/// # Errors
/// `MemoryError`.
pub fn ask(event_loop: &Bound<'_, EventLoop>, token: Token) -> PyResult<()> {
    let this = event_loop.get();
    let Err(error) = this.ask(token) else {
        return Ok(());
    };
    match watcher::resolve(this, token) {
        Some(watchers) => {
            Selectable::report(event_loop.py(), &watchers, error::os_error(error));
            this.defer(event_loop.py(), Call::Refused(token))
        }
        None => Ok(()),
    }
}

/// Disconnects what the poll refuses to watch, in both directions.
///
/// # Errors
/// Those exceptions that must end the loop.
pub fn disconnect(event_loop: &Bound<'_, EventLoop>, token: Token) -> PyResult<()> {
    match watcher::resolve(event_loop.get(), token) {
        Some(watchers) => Selectable::disconnect(event_loop.py(), &watchers),
        None => Ok(()),
    }
}
