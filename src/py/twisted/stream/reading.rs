//! Reading: what happens for each message that comes.

use std::io::ErrorKind;
use std::os::fd::{IntoRawFd, RawFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::attributes;
use super::{BUFFER_SIZE, Flag, Reason, State, StreamTransport, reason};
use crate::core::lock::lock;
use crate::core::sys::Trigger;
use crate::py::transport::read_buffer::{self, READ_SIZE};

/// A transport whose events take the short way, as it is at one moment.
pub struct Direct<'a, 'py> {
    stream: &'a Bound<'py, StreamTransport>,
    protocol: Bound<'py, PyAny>,
    /// What the log's messages begin with.
    pub prefix: Bound<'py, PyAny>,
    fd: RawFd,
    size: usize,
}

/// What a read has given.
pub enum Received<'py> {
    /// So much as there was room for, or less.
    Data(Bound<'py, PyBytes>, Extent),
    /// There is nothing to read.
    Nothing,
    /// Why the connection ends.
    End(Bound<'py, PyAny>),
}

/// How much a read has given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All there was, unless the event has said that there is more.
    Part,
    /// What somebody wants to have at once; there may be more.
    Piece,
    /// What is read at once; there may be more.
    Full,
}

/// How a transport's descriptor is to be reported: what takes the short way reads to
/// the end.
pub fn trigger(object: &Bound<'_, PyAny>) -> Trigger {
    match object.cast::<StreamTransport>() {
        Ok(stream) if lock(&stream.get().state).is_direct() => Trigger::Edge,
        _ => Trigger::Level,
    }
}

impl<'a, 'py> Direct<'a, 'py> {
    /// The short way to `object`, if there is one.
    ///
    /// # Errors
    /// Those of the log prefix.
    pub fn to(object: &'a Bound<'py, PyAny>) -> PyResult<Option<Direct<'a, 'py>>> {
        let Ok(stream) = object.cast::<StreamTransport>() else {
            return Ok(None);
        };
        let mut state = lock(&stream.get().state);
        if state.logstr.is_none() && state.is_direct() {
            drop(state);
            attributes::logstr(stream)?;
            state = lock(&stream.get().state);
        }
        Ok(Direct::at(stream, &state))
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
            size: state.buffer_size,
        })
    }

    /// Reads once.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn receive(&self) -> PyResult<Received<'py>> {
        let limit = limit(self.size);
        match read_buffer::receive(self.stream.py(), self.fd, limit) {
            Ok(data) => Ok(match data.as_bytes().len() {
                0 => Received::End(end(self.stream)?),
                READ_SIZE => Received::Data(data, Extent::Full),
                len if len >= limit => Received::Data(data, Extent::Piece),
                _ => Received::Data(data, Extent::Part),
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
    if size == BUFFER_SIZE { READ_SIZE } else { size }
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
        let state = lock(&slf.get().state);
        (state.buffer_size, state.is(Flag::Unix))
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

/// Reads once from a UNIX socket, with the descriptors that may come along.
fn read_unix<'py>(slf: &Bound<'py, StreamTransport>, fd: RawFd, size: usize) -> Reason<'py> {
    let py = slf.py();
    let (data, descriptors) = match read_buffer::receive_descriptors(py, fd, size) {
        Ok(received) => received,
        Err(error) => return failed(slf, &error),
    };
    if !descriptors.is_empty() {
        let packed: Vec<u8> = descriptors
            .into_iter()
            .flat_map(|descriptor| descriptor.into_raw_fd().to_ne_bytes())
            .collect();
        let name = intern!(py, "_ancillaryLevelSOLSOCKETTypeSCMRIGHTS");
        slf.call_method1(name, (PyBytes::new(py, &packed),))?;
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
    let name = if slf.get().is(Flag::Broken) {
        "CONNECTION_LOST"
    } else {
        "CONNECTION_DONE"
    };
    attributes::twisted(slf, name)
}
