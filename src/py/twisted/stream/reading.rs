//! Reading: what happens for each message that comes.

use std::io::ErrorKind;
use std::os::fd::{IntoRawFd, RawFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::attributes;
use super::overrides::behind;
use super::own::Name;
use super::{BUFFER_SIZE, Flag, Reason, State, StreamTransport, missing, reason};
use crate::core::stream::read_budget::{Extent, ReadBudget};
use crate::core::sys::Trigger;
use crate::core::sys::sockets::Ancillary;
use crate::py::transport::read_buffer::{self, READ_SIZE};

/// A transport whose events take the fast path, as it is at one moment.
pub struct Direct<'a, 'py> {
    stream: &'a Bound<'py, StreamTransport>,
    protocol: Bound<'py, PyAny>,
    /// What the log's messages begin with.
    pub prefix: Bound<'py, PyAny>,
    fd: RawFd,
    size: usize,
    /// Whether descriptors may come with the data.
    unix: bool,
    /// Whether there is a socket object, which others may read from.
    shared: bool,
}

/// What a read has given.
pub enum Received<'py> {
    /// So much as there was room for, or less.
    Data(Bound<'py, PyBytes>, Extent),
    /// Descriptors or the like, and the data that they came with; there may be more.
    Ancillary(Vec<Ancillary>, Bound<'py, PyBytes>),
    /// There is nothing to read.
    Nothing,
    /// Why the connection ends.
    End(Bound<'py, PyAny>),
}

/// How an object's descriptor is to be reported.
pub fn trigger(object: &Bound<'_, PyAny>) -> Trigger {
    match object.cast::<StreamTransport>() {
        Ok(stream) => stream.get().state.lock(stream.py()).trigger(),
        Err(_) => Trigger::Level,
    }
}

impl<'a, 'py> Direct<'a, 'py> {
    /// The fast path to `object`, if there is one.
    ///
    /// # Errors
    /// Those of the log prefix.
    pub fn to(object: &'a Bound<'py, PyAny>) -> PyResult<Option<Direct<'a, 'py>>> {
        let Ok(stream) = object.cast::<StreamTransport>() else {
            return Ok(None);
        };
        let mut state = stream.get().state.lock(stream.py());
        if state.logstr.is_none() && state.is_direct() {
            drop(state);
            attributes::logstr(stream)?;
            state = stream.get().state.lock(stream.py());
        }
        let Some(mut direct) = Direct::at(stream, &state) else {
            return Ok(None);
        };
        let socket = state.socket.as_ref();
        let socket = socket.map(|socket| socket.bind(object.py()).clone());
        drop(state);
        if let Some(socket) = socket {
            // Somebody else may have closed it.
            direct.fd = attributes::fileno(&socket)?;
        }
        Ok((direct.fd >= 0).then_some(direct))
    }

    fn at(stream: &'a Bound<'py, StreamTransport>, state: &State) -> Option<Direct<'a, 'py>> {
        let py = stream.py();
        if !state.is_direct() {
            return None;
        }
        Some(Direct {
            stream,
            protocol: state.protocol.as_ref()?.bind(py).clone(),
            prefix: state.logstr.as_ref()?.bind(py).clone(),
            fd: state.fd,
            size: state.buffer.high(),
            unix: state.is(Flag::Unix),
            shared: state.socket.is_some(),
        })
    }

    /// The transport itself.
    pub fn stream(&self) -> &'a Bound<'py, StreamTransport> {
        self.stream
    }

    /// How much is read in one iteration.
    pub fn budget(&self) -> ReadBudget {
        if self.shared {
            ReadBudget::once()
        } else {
            ReadBudget::default()
        }
    }

    /// Whether others may read from the socket.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Reads once.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn receive(&self) -> PyResult<Received<'py>> {
        let (py, limit) = (self.stream.py(), limit(self.size));
        let outcome = if self.unix {
            read_buffer::receive_ancillary(py, self.fd, limit)
        } else {
            read_buffer::receive(py, self.fd, limit).map(|data| (data, Vec::new()))
        };
        match outcome {
            Ok((data, ancillary)) if !ancillary.is_empty() => {
                Ok(Received::Ancillary(ancillary, data))
            }
            Ok((data, _)) => Ok(match data.as_bytes().len() {
                0 => Received::End(end(self.stream)?),
                len => Received::Data(data, Extent::of(len, limit, limit >= READ_SIZE)),
            }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(_) => attributes::twisted(self.stream, "CONNECTION_LOST").map(Received::End),
        }
    }

    /// Hands over what came.
    ///
    /// # Errors
    /// What the protocol raises.
    pub fn deliver(&self, data: &Bound<'py, PyBytes>) -> PyResult<()> {
        let name = intern!(data.py(), "dataReceived");
        self.protocol.call_method1(name, (data,)).map(drop)
    }
}

/// Larger reads than Twisted's mean fewer of them, unless somebody wants another size.
fn limit(size: usize) -> usize {
    if size == BUFFER_SIZE {
        READ_SIZE
    } else {
        size.min(READ_SIZE)
    }
}

fn failed<'py>(slf: &Bound<'py, StreamTransport>, error: &std::io::Error) -> Reason<'py> {
    if error.kind() == ErrorKind::WouldBlock {
        return Ok(None);
    }
    reason(slf, "CONNECTION_LOST")
}

/// Reads once, and hands over what came.
///
/// # Errors
/// What the protocol raises.
pub fn read<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let py = slf.py();
    let (size, unix) = {
        let state = slf.get().state.lock(slf.py());
        if state.own.any(Name::Socket as u32) {
            drop(state);
            return behind(slf, intern!(py, "doRead"))?.call0().map(Some);
        }
        if !state.has_socket() {
            return Err(missing("socket"));
        }
        (state.buffer.high(), state.is(Flag::Unix))
    };
    let fd = StreamTransport::fd(slf)?;
    if unix {
        return read_unix(slf, fd, size);
    }
    match read_buffer::receive(py, fd, limit(size)) {
        Ok(data) => slf
            .call_method1(intern!(py, "_dataReceived"), (data,))
            .map(Some),
        Err(error) => failed(slf, &error),
    }
}

/// Reads once from a UNIX socket, with what may come along.
fn read_unix<'py>(slf: &Bound<'py, StreamTransport>, fd: RawFd, size: usize) -> Reason<'py> {
    match read_buffer::receive_ancillary(slf.py(), fd, limit(size)) {
        Ok((data, ancillary)) => received_with(slf, ancillary, &data),
        Err(error) => failed(slf, &error),
    }
}

/// Hands over descriptors and whatever else came with data, and then the data.
///
/// # Errors
/// What the protocol raises.
pub fn received_with<'py>(
    slf: &Bound<'py, StreamTransport>,
    ancillary: Vec<Ancillary>,
    data: &Bound<'py, PyBytes>,
) -> Reason<'py> {
    let py = slf.py();
    for part in ancillary {
        match part {
            Ancillary::Descriptors(descriptors) => {
                let packed: Vec<u8> = descriptors
                    .into_iter()
                    .flat_map(|descriptor| descriptor.into_raw_fd().to_ne_bytes())
                    .collect();
                let name = intern!(py, "_ancillaryLevelSOLSOCKETTypeSCMRIGHTS");
                slf.call_method1(name, (PyBytes::new(py, &packed),))?;
            }
            Ancillary::Other { level, kind, data } => {
                let data = PyBytes::new(py, &data);
                slf.call_method1(intern!(py, "_ancillaryUnknown"), (level, kind, data))?;
            }
        }
    }
    slf.call_method1(intern!(py, "_dataReceived"), (data,))
        .map(Some)
}

/// Hands data to the protocol; `None` or nothing is the end.
///
/// # Errors
/// What the protocol raises.
pub fn received<'py>(slf: &Bound<'py, StreamTransport>, data: &Bound<'py, PyAny>) -> Reason<'py> {
    let py = slf.py();
    if !data.is_truthy()? {
        return end(slf).map(Some);
    }
    let protocol = slf.get().get_protocol(py)?;
    protocol.call_method1(py, intern!(py, "dataReceived"), (data,))?;
    Ok(None)
}

/// Why a connection that has nothing more to read ends.
fn end<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    let name = if slf.get().state.lock(slf.py()).buffer.is_broken() {
        "CONNECTION_LOST"
    } else {
        "CONNECTION_DONE"
    };
    attributes::twisted(slf, name)
}
