//! Sending datagrams: plain ones to plain addresses, past an empty buffer.

use std::io;
use std::net::SocketAddr;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyTuple};

use super::known::Known;
use super::{DatagramEndpoint, address};
use crate::core::sys::sockets;
use crate::py::transport::buffers::View;

/// What came of it.
pub enum Outcome {
    /// The kernel has taken the datagram.
    Sent,
    /// It has refused it, or told of an earlier failure.
    Failed(io::Error),
    /// Nothing has been done: asyncio's own code is for it.
    Rare,
}

/// Who gets it.
enum Recipient {
    Peer,
    Address(SocketAddr),
}

/// Sends a datagram now, if it is as simple as that.
///
/// # Errors
/// Those of objects that are not what asyncio puts there.
pub fn send(
    slf: &Bound<'_, DatagramEndpoint>,
    data: &Bound<'_, PyAny>,
    addr: Option<&Bound<'_, PyAny>>,
) -> PyResult<Outcome> {
    let py = slf.py();
    let (fileno, buffer, extra, own) = {
        let state = slf.get().state.lock(slf.py());
        match (&state.fileno, &state.buffer, &state.extra) {
            (Some(fileno), Some(buffer), Some(extra)) if state.conn_lost == 0 => {
                let own = state.address.as_ref().map(|own| own.bind(py).clone());
                let bound = |object: &Py<PyAny>| object.bind(py).clone();
                (bound(fileno), bound(buffer), extra.bind(py).clone(), own)
            }
            _ => return Ok(Outcome::Rare),
        }
    };
    if buffer.len()? != 0 {
        return Ok(Outcome::Rare);
    }
    let addr = match own {
        Some(own) if own.is_truthy()? => match addr {
            Some(addr) if !addr.eq(&own)? => return Ok(Outcome::Rare),
            _ => Some(own),
        },
        _ => addr.cloned(),
    };
    let Some(peer) = extra.get_item(intern!(py, "peername"))? else {
        return Ok(Outcome::Rare);
    };
    let recipient = if peer.is_truthy()? {
        Recipient::Peer
    } else if let Some(address) = addr.and_then(|addr| internet(slf, &addr)) {
        Recipient::Address(address)
    } else {
        return Ok(Outcome::Rare);
    };
    let fd = fileno.call0()?.extract()?;
    if let Ok(data) = data.cast_exact::<PyBytes>() {
        return Ok(send_to(fd, data.as_bytes(), &recipient));
    }
    let is_view =
        data.is_exact_instance_of::<PyByteArray>() || data.is_exact_instance_of::<PyMemoryView>();
    // A view may have no length, and may not be contiguous.
    if is_view
        && data.len().is_ok()
        && let Ok(view) = View::of_bytes(data)
    {
        return Ok(view.read(|bytes| send_to(fd, bytes, &recipient)));
    }
    Ok(Outcome::Rare)
}

fn send_to(fd: i32, data: &[u8], recipient: &Recipient) -> Outcome {
    if data.is_empty() {
        // Some versions of Python send it.
        return Outcome::Rare;
    }
    let sent = match recipient {
        Recipient::Peer => sockets::send(fd, data),
        Recipient::Address(address) => sockets::send_to(fd, data, address),
    };
    match sent {
        Ok(_) => Outcome::Sent,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::Rare,
        Err(error) => Outcome::Failed(error),
    }
}

/// The Internet address that an object stands for.
fn internet(slf: &Bound<'_, DatagramEndpoint>, addr: &Bound<'_, PyAny>) -> Option<SocketAddr> {
    let addr = addr.cast_exact::<PyTuple>().ok()?;
    let kind = {
        let state = slf.get().state.lock(slf.py());
        for known in [state.senders.last(), state.recipient.as_ref()]
            .into_iter()
            .flatten()
        {
            if known.tuple.is(addr) {
                return Some(known.address);
            }
        }
        state.internet?
    };
    let address = address::parse(addr, kind)?;
    let known = Known {
        tuple: addr.clone().unbind(),
        address,
    };
    let before = slf.get().state.lock(slf.py()).recipient.replace(known);
    drop(before);
    Some(address)
}
