//! Reading: what happens for each message that comes.

use std::io::ErrorKind;
use std::os::fd::{IntoRawFd, RawFd};

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::super::tls;
use super::attributes;
use super::overrides::behind;
use super::own::Name;
use super::{BUFFER_SIZE, Flag, Reason, State, StreamTransport, missing, reason};
use crate::core::registrations::Role;
use crate::core::sys::Trigger;
use crate::core::sys::sockets::Ancillary;
use crate::py::support::make;
use crate::py::transport::read_buffer::{self, READ_SIZE};
use crate::py::transport::reading::{Event, Reader, Received, Room};
use crate::py::transport::stream::{Face, Stream};
use crate::py::twisted::selectable;

/// A transport whose events take the fast path, as it is at one moment.
pub struct Direct<'a, 'py> {
    /// The transport itself.
    pub stream: &'a Bound<'py, StreamTransport>,
    /// What the log's messages begin with.
    pub prefix: Bound<'py, PyAny>,
    /// Who reads from it.
    pub reader: Reader<'py>,
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
        let socket = state.stream.socket.as_ref();
        let socket = socket.map(|socket| socket.bind(object.py()).clone());
        drop(state);
        if let Some(socket) = socket {
            // Somebody else may have closed it.
            direct.reader.fd = attributes::fileno(&socket)?;
        }
        Ok((direct.reader.fd >= 0).then_some(direct))
    }

    fn at(stream: &'a Bound<'py, StreamTransport>, state: &State) -> Option<Direct<'a, 'py>> {
        let py = stream.py();
        if !state.is_direct() {
            return None;
        }
        let limit = limit(state.stream.buffer.high());
        let reader = Reader {
            protocol: state.stream.protocol.as_ref()?.bind(py).clone(),
            fd: state.stream.fd,
            room: if state.is(Flag::Unix) {
                Room::BytesAndMore(limit)
            } else {
                Room::Bytes(limit)
            },
            once: state.stream.socket.is_some(),
        };
        Some(Direct {
            stream,
            prefix: state.logstr.as_ref()?.bind(py).clone(),
            reader,
        })
    }
}

impl Face for StreamTransport {
    /// A reason of Twisted's.
    type End<'py> = Bound<'py, PyAny>;

    #[inline]
    fn stream<R>(slf: &Bound<'_, Self>, look: impl FnOnce(&mut Stream) -> R) -> R {
        look(&mut slf.get().state.lock(slf.py()).stream)
    }

    fn reader<'py>(
        slf: &Bound<'py, Self>,
        event: &Event<'_, 'py>,
    ) -> PyResult<Option<Reader<'py>>> {
        if !selectable::watches(event, slf.as_any(), Role::Read) {
            return Ok(None);
        }
        Ok(Direct::to(slf.as_any())?.map(|direct| direct.reader))
    }

    fn received<'py>(
        slf: &Bound<'py, Self>,
        reader: &Reader<'py>,
        received: Received<'py>,
    ) -> Reason<'py> {
        match received {
            Received::Data(data) => {
                hand_over(slf, &reader.protocol, data.as_any())?;
                Ok(None)
            }
            Received::Ancillary(ancillary, data) => received_with(slf, ancillary, &data),
            Received::End => end(slf).map(Some),
            // Nobody gives memory of their own.
            Received::Failed(_) | Received::Refused(_) | Received::Filled(_) | Received::Taken => {
                reason(slf, "CONNECTION_LOST")
            }
        }
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
        (state.stream.buffer.high(), state.is(Flag::Unix))
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
fn received_with<'py>(
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
                slf.call_method1(name, (make::bytes(py, &packed)?,))?;
            }
            Ancillary::Other { level, kind, data } => {
                let data = make::bytes(py, &data)?;
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
    hand_over(slf, protocol.bind(py), data)?;
    Ok(None)
}

/// Hands data to a protocol, if it is TLS by its native half.
///
/// # Errors
/// What the protocol raises.
#[inline]
fn hand_over<'py>(
    slf: &Bound<'py, StreamTransport>,
    protocol: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = slf.py();
    let layer = slf.get().state.lock(py).tls(py);
    if let Some(layer) = layer
        && let Ok(data) = data.cast_exact::<PyBytes>()
        && tls::received(&layer, protocol, data)?
    {
        return Ok(());
    }
    protocol.call_method1(intern!(py, "dataReceived"), (data,))?;
    Ok(())
}

/// Why a connection that has nothing more to read ends.
fn end<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    let name = if slf.get().state.lock(slf.py()).stream.buffer.is_broken() {
        "CONNECTION_LOST"
    } else {
        "CONNECTION_DONE"
    };
    attributes::twisted(slf, name)
}
