//! Reading datagrams, and handing them to the protocol.

use std::io;
use std::sync::atomic::Ordering;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::known::Known;
use super::{DatagramEndpoint, address};
use crate::core::clock::Deadline;
use crate::core::datagrams::Batch;
use crate::core::sys::sockets::Peer;
use crate::py::event_loop::EventLoop;
use crate::py::support::error;
use crate::py::transport::read_buffer::{self, READ_SIZE};

/// What a look into the socket has given.
enum Received<'py> {
    /// Whom it is for, what it is, and who sent it.
    Datagram(Bound<'py, PyAny>, Bound<'py, PyBytes>, Bound<'py, PyAny>),
    Failed(io::Error),
    /// Nothing is there, or nothing is to be read any more.
    Nothing,
    /// What asyncio's own code is for.
    Rare,
}

/// Reads a datagram, and further ones as long as nothing else is to be done: what came of
/// a datagram always runs before the next one is read, as on asyncio's own loop.
///
/// # Errors
/// Those of the protocol.
pub fn read(slf: &Bound<'_, DatagramEndpoint>) -> PyResult<()> {
    let mut batch = Batch::new();
    while read_one(slf)? && may_go_on(slf) && batch.goes_on(Deadline::now()) {}
    Ok(())
}

/// Whether nothing but more datagrams is to be seen to, as far as is known without a poll.
fn may_go_on(slf: &Bound<'_, DatagramEndpoint>) -> bool {
    let state = slf.get().state.lock(slf.py());
    let event_loop = state.event_loop.as_ref().map(|it| it.bind(slf.py()));
    let Some(Ok(event_loop)) = event_loop.map(|it| it.cast::<EventLoop>()) else {
        return false;
    };
    let this = event_loop.get();
    state.is_reading()
        && this.calls.lock(slf.py()).is_empty()
        && !this.stopping.load(Ordering::Relaxed)
        && !this.driven.load(Ordering::Relaxed)
        && !this.is_debug()
        && this.turns.load(Ordering::Relaxed) > 0
}

/// Reads a datagram; whether another one may be there.
fn read_one(slf: &Bound<'_, DatagramEndpoint>) -> PyResult<bool> {
    let py = slf.py();
    match receive(slf) {
        Ok(Received::Datagram(protocol, data, from)) => {
            protocol.call_method1(intern!(py, "datagram_received"), (data, from))?;
            Ok(true)
        }
        Ok(Received::Nothing) => Ok(false),
        Ok(Received::Failed(failure)) => {
            let failure = error::value(py, error::os_error(failure));
            slf.call_method1(intern!(py, "_receive_failed"), (failure,))?;
            Ok(false)
        }
        Ok(Received::Rare) => {
            slf.call_method0(intern!(py, "_read_rare"))?;
            Ok(false)
        }
        Err(error) if error::ends_the_loop(py, &error) => Err(error),
        Err(error) => {
            slf.call_method1(intern!(py, "_receive_failed"), (error::value(py, error),))?;
            Ok(false)
        }
    }
}

fn receive<'py>(slf: &Bound<'py, DatagramEndpoint>) -> PyResult<Received<'py>> {
    let py = slf.py();
    let (fileno, protocol, size) = {
        let state = slf.get().state.lock(slf.py());
        if state.conn_lost != 0 {
            return Ok(Received::Nothing);
        }
        match (&state.fileno, &state.protocol, state.max_size) {
            (Some(fileno), Some(protocol), Some(size)) if state.internet.is_some() => {
                (fileno.bind(py).clone(), protocol.bind(py).clone(), size)
            }
            _ => return Ok(Received::Rare),
        }
    };
    let fd = fileno.call0()?.extract()?;
    // No Internet datagram is longer.
    match read_buffer::receive_from(py, fd, size.min(READ_SIZE)) {
        Ok((data, from)) => Ok(Received::Datagram(protocol, data, sender(slf, &from)?)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
        Err(error) => Ok(Received::Failed(error)),
    }
}

/// The sender's address as the socket module has it.
fn sender<'py>(slf: &Bound<'py, DatagramEndpoint>, from: &Peer) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let Peer::Internet(from) = from else {
        return Ok(py.None().into_bound(py));
    };
    let last = {
        let mut state = slf.get().state.lock(slf.py());
        if let Some((tuple, displaced)) = state.senders.recall(py, from) {
            drop(state);
            drop(displaced);
            return Ok(tuple.into_bound(py).into_any());
        }
        state.senders.last().map(|last| last.clone_ref(py))
    };
    let tuple = address::tuple(py, from, last)?;
    let sender = Known {
        tuple: tuple.clone().unbind(),
        address: *from,
    };
    let displaced = slf.get().state.lock(slf.py()).senders.note(sender);
    drop(displaced);
    Ok(tuple.into_any())
}
