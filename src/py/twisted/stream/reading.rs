//! Reading: what happens for each message that comes.

use std::io::ErrorKind;
use std::os::fd::RawFd;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{BUFFER_SIZE, Flag, Reason, StreamTransport, reason};
use crate::core::lock::lock;
use crate::py::twisted::Reactor;
use crate::py::twisted::read_buffer::{READ_SIZE, ReadBuffer};

/// A transport whose events take the short way, as it is at one moment.
pub struct Direct<'a, 'py> {
    stream: &'a Bound<'py, StreamTransport>,
    protocol: Bound<'py, PyAny>,
    /// What the log's messages begin with.
    pub prefix: Bound<'py, PyAny>,
    fd: RawFd,
    size: usize,
}

impl<'a, 'py> Direct<'a, 'py> {
    /// The short way to `object`: for a native transport that is connected, with
    /// nobody's own methods, socket object or descriptors in the way.
    pub fn to(object: &'a Bound<'py, PyAny>) -> Option<Direct<'a, 'py>> {
        let (stream, py) = (object.cast::<StreamTransport>().ok()?, object.py());
        let state = lock(&stream.get().state);
        let ways = Flag::Native as u32 | Flag::Connected as u32;
        let detours = ways | Flag::Unix as u32 | Flag::Tls as u32;
        let direct = state.flags & detours == ways
            && state.socket.is_none()
            && state.log_prefix.is_none()
            && state.methods.iter().all(Option::is_none);
        if !direct {
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

    /// Reads once, and hands over what came; also says whether that was as much as
    /// could be.
    ///
    /// # Errors
    /// What the protocol raises.
    pub fn read(&self, reactor: &Reactor) -> PyResult<(Option<Bound<'py, PyAny>>, bool)> {
        let py = self.stream.py();
        match reactor.buffer.receive(py, self.fd, limit(self.size)) {
            Ok(data) => {
                let full = data.as_bytes().len() == READ_SIZE;
                Ok((deliver(self.stream, &self.protocol, &data)?, full))
            }
            Err(error) => Ok((failed(self.stream, &error)?, false)),
        }
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
    let (size, core, unix) = {
        let state = lock(&slf.get().state);
        let core = state.core.as_ref().map(|core| core.bind(py).clone());
        (state.buffer_size, core, state.is(Flag::Unix))
    };
    let fd = StreamTransport::fd(slf)?;
    let own = ReadBuffer::default();
    let buffer = core.as_ref().map_or(&own, |core| &core.get().buffer);
    if unix {
        return read_unix(slf, buffer, fd, size);
    }
    match buffer.receive(py, fd, limit(size)) {
        Ok(data) => slf
            .call_method1(intern!(py, "_dataReceived"), (data,))
            .map(Some),
        Err(error) => failed(slf, &error),
    }
}

/// Reads once from a UNIX socket, with the descriptors that may come along.
fn read_unix<'py>(
    slf: &Bound<'py, StreamTransport>,
    buffer: &ReadBuffer,
    fd: RawFd,
    size: usize,
) -> Reason<'py> {
    let py = slf.py();
    let (data, descriptors) = match buffer.receive_descriptors(py, fd, size) {
        Ok(received) => received,
        Err(error) => return failed(slf, &error),
    };
    if !descriptors.is_empty() {
        let packed: Vec<u8> = descriptors.into_iter().flat_map(i32::to_ne_bytes).collect();
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
        return ended(slf);
    }
    let protocol = slf.get().get_protocol(py)?;
    protocol.call_method1(py, intern!(py, "dataReceived"), (data,))?;
    Ok(None)
}

fn deliver<'py>(
    slf: &Bound<'py, StreamTransport>,
    protocol: &Bound<'py, PyAny>,
    data: &Bound<'py, PyBytes>,
) -> Reason<'py> {
    if data.as_bytes().is_empty() {
        return ended(slf);
    }
    protocol.call_method1(intern!(slf.py(), "dataReceived"), (data,))?;
    Ok(None)
}

/// Why a connection that has nothing more to read ends.
fn ended<'py>(slf: &Bound<'py, StreamTransport>) -> Reason<'py> {
    let name = if slf.get().is(Flag::Broken) {
        "CONNECTION_LOST"
    } else {
        "CONNECTION_DONE"
    };
    reason(slf, name)
}
