//! What Twisted keeps in a transport's attributes, under the same names.
//!
//! Setting and deleting them, and what is there if they aren't set, follow Twisted's own
//! transports, on which they are plain attributes.

use crate::py::support::names::intern;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList};

use super::super::tls;
use super::own::{NAMES, Name};
use super::{State, StreamTransport, attributes, missing, overrides};
use crate::core::stream::send_queue::SendQueue;
use crate::py::support::make;
use crate::py::transport::buffers::View;
use crate::py::transport::owned_bytes::OwnedBytes;

impl StreamTransport {
    /// Notes a value that was set, which is somebody's own unless `change` has taken it
    /// into the state. What `change` takes out is dropped with no lock held.
    fn store<R>(
        &self,
        py: Python<'_>,
        name: Name,
        own: Option<Py<PyAny>>,
        change: impl FnOnce(&mut State) -> R,
    ) {
        let before = {
            let mut state = self.state.lock(py);
            (change(&mut state), state.own.put(name as u32, true, own))
        };
        drop(before);
    }

    /// Deletes a value that was set.
    fn remove<R>(
        &self,
        py: Python<'_>,
        name: Name,
        label: &str,
        change: impl FnOnce(&mut State) -> R,
    ) -> PyResult<()> {
        let before = {
            let mut state = self.state.lock(py);
            if !state.own.is_set(name as u32) {
                return Err(missing(label));
            }
            (change(&mut state), state.own.put(name as u32, false, None))
        };
        drop(before);
        Ok(())
    }

    fn check_set(&self, py: Python<'_>, name: Name, label: &str) -> PyResult<()> {
        let set = self.state.lock(py).own.is_set(name as u32);
        if set { Ok(()) } else { Err(missing(label)) }
    }

    /// What waits to be sent, as Twisted has it in a list.
    fn unsent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let unsent = self.copy_of_unsent(py, usize::MAX)?;
        make::list(
            py,
            Some(unsent).filter(|unsent| !unsent.as_bytes().is_empty()),
        )
    }

    /// The first of what waits to be sent, `limit` bytes at most.
    pub(super) fn copy_of_unsent<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let len = self.state.lock(py).stream.buffer.len().min(limit);
        make::bytes_with(py, len, |room| {
            self.state.lock(py).stream.buffer.copy_to(room)
        })
    }

    /// A value of somebody's own.
    pub(super) fn own<'py>(&self, py: Python<'py>, name: Name) -> Option<Bound<'py, PyAny>> {
        let state = self.state.lock(py);
        state
            .own
            .get(name as u32)
            .map(|value| value.bind(py).clone())
    }
}

#[pymethods]
#[allow(non_snake_case)]
impl StreamTransport {
    /// What has been set on this transport, as Twisted's own have it in their `__dict__`.
    fn _attributes<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let set = slf.get().state.lock(slf.py()).set_attributes();
        let attributes = make::dict(slf.py())?;
        for (bit, name) in NAMES {
            if set & bit == 0 {
                continue;
            }
            let name = make::name(slf.py(), name)?;
            let value = if bit == Name::Fileno as u32 {
                overrides::fileno(slf)
            } else {
                slf.getattr(&name)
            };
            match value {
                Ok(value) => attributes.set_item(name, value)?,
                // Deleted meanwhile.
                Err(error) if error.is_instance_of::<PyAttributeError>(slf.py()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(attributes)
    }

    /// The names of the attributes that are native.
    #[classattr]
    fn _names() -> Vec<&'static str> {
        NAMES.iter().map(|(_, name)| *name).collect()
    }

    /// The attributes that aren't native.
    fn _ownDict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        Ok(crate::py::support::attributes::dict(slf)?.cast_into()?)
    }

    // The socket

    #[getter]
    fn get_socket<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::socket(slf)
    }

    #[setter]
    fn set_socket(slf: &Bound<'_, Self>, socket: &Bound<'_, PyAny>) -> PyResult<()> {
        attributes::adopt(slf, socket)
    }

    #[deleter]
    fn delete_socket(slf: &Bound<'_, Self>) -> PyResult<()> {
        // What is deleted is an object, which others may have. `fileno` still does, as it
        // is on Twisted's own transports.
        attributes::socket(slf)?;
        let fileno = overrides::fileno(slf).ok().map(Bound::unbind);
        let before = {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.fd = -1;
            let socket = state.own.put(Name::Socket as u32, false, None);
            let set = fileno.is_some();
            let before = state.own.put(Name::Fileno as u32, set, fileno);
            (before, socket, state.stream.socket.take())
        };
        drop(before);
        Ok(())
    }

    // Objects

    #[getter]
    pub(super) fn get_protocol(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = self.state.lock(py);
        let protocol = state
            .stream
            .protocol
            .as_ref()
            .ok_or_else(|| missing("protocol"))?;
        Ok(protocol.clone_ref(py))
    }

    #[setter]
    fn set_protocol(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        let tls = tls::attach(slf, protocol)?;
        let before = {
            let mut state = slf.get().state.lock(slf.py());
            let tls = state.set_tls(tls);
            let protocol = protocol.clone().unbind();
            (state.stream.protocol.replace(protocol), tls)
        };
        drop(before);
        Ok(())
    }

    #[deleter]
    fn delete_protocol(&self, py: Python<'_>) -> PyResult<()> {
        let (protocol, tls) = {
            let mut state = self.state.lock(py);
            (state.stream.protocol.take(), state.set_tls(None))
        };
        drop(tls);
        protocol.map(drop).ok_or_else(|| missing("protocol"))
    }

    #[getter]
    fn get_producer(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = self.state.lock(py);
        state
            .producer
            .as_ref()
            .map(|producer| producer.clone_ref(py))
    }

    #[setter]
    fn set_producer(&self, py: Python<'_>, producer: Option<Py<PyAny>>) {
        self.store(py, Name::Producer, None, |state| {
            std::mem::replace(&mut state.producer, producer)
        });
    }

    #[deleter]
    fn delete_producer(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::Producer, "producer", |state| {
            state.producer.take()
        })
    }

    #[getter]
    pub(super) fn get_reactor(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = self.state.lock(py);
        let own = state.own.get(Name::Reactor as u32);
        let reactor = own.or_else(|| Some(&state.core.as_ref()?.get().reactor));
        let reactor = reactor.ok_or_else(|| missing("reactor"))?;
        Ok(reactor.clone_ref(py))
    }

    #[setter]
    fn set_reactor(&self, reactor: &Bound<'_, PyAny>) {
        attributes::set_reactor(self, reactor);
    }

    #[deleter]
    fn delete_reactor(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::Reactor, "reactor", |state| state.core.take())
    }

    #[getter]
    fn get_server(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = self.state.lock(py);
        let server = state.server.as_ref().ok_or_else(|| missing("server"))?;
        Ok(server.clone_ref(py))
    }

    #[setter]
    fn set_server(&self, py: Python<'_>, server: Py<PyAny>) {
        let before = self.state.lock(py).server.replace(server);
        drop(before);
    }

    #[deleter]
    fn delete_server(&self, py: Python<'_>) -> PyResult<()> {
        let server = self.state.lock(py).server.take();
        server.map(drop).ok_or_else(|| missing("server"))
    }

    #[getter]
    fn get_sessionno<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = self.own(py, Name::Session) {
            return Ok(own);
        }
        let state = self.state.lock(py);
        if !state.own.is_set(Name::Session as u32) {
            return Err(missing("sessionno"));
        }
        Ok(make::unsigned(py, state.session)?.into_any())
    }

    #[setter]
    fn set_sessionno(&self, py: Python<'_>, session: Py<PyAny>) {
        self.store(py, Name::Session, Some(session), |_| ());
    }

    #[deleter]
    fn delete_sessionno(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::Session, "sessionno", |_| ())
    }

    // The log

    fn _logPrefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr(crate::py::support::names::intern!(slf.py(), "logstr"))
    }

    #[getter]
    fn get_logstr<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::logstr(slf)
    }

    #[setter]
    fn set_logstr(&self, py: Python<'_>, logstr: Py<PyAny>) {
        self.store(py, Name::LogStr, None, |state| state.logstr.replace(logstr));
    }

    #[deleter]
    fn delete_logstr(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::LogStr, "logstr", |state| state.logstr.take())
    }

    // What waits to be sent, as FileDescriptor shows it

    #[getter]
    fn get_dataBuffer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = self.own(py, Name::DataBuffer) {
            return Ok(own);
        }
        Ok(self.copy_of_unsent(py, usize::MAX)?.into_any())
    }

    #[setter]
    fn set_dataBuffer(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut queue = SendQueue::default();
        let mut empty = None;
        if let Ok(data) = data.cast_exact::<PyBytes>() {
            empty = queue.push(OwnedBytes::from(data.clone()));
        } else if let Ok(view) = View::of_bytes(data) {
            let copy = view.read(|bytes| make::bytes(py, bytes))?;
            empty = queue.push(OwnedBytes::from(copy));
        }
        let own = (!data.is_instance_of::<PyBytes>()).then(|| data.clone().unbind());
        self.store(py, Name::DataBuffer, own, |state| {
            // One chunk at most, behind nothing.
            let before = state.stream.buffer.take();
            state.stream.buffer.append(queue);
            (before, empty)
        });
        Ok(())
    }

    #[deleter]
    fn delete_dataBuffer(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::DataBuffer, "dataBuffer", |state| {
            state.stream.buffer.take()
        })
    }

    #[getter(_tempDataLen)]
    fn get_temp_data_len<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = self.own(py, Name::TempDataLen) {
            return Ok(own);
        }
        self.check_set(py, Name::TempDataLen, "_tempDataLen")?;
        Ok(make::unsigned(py, 0_u8)?.into_any())
    }

    // FileDescriptor's constructor sets both; there is nothing to be set.
    #[setter(_tempDataLen)]
    fn set_temp_data_len(&self, py: Python<'_>, len: &Bound<'_, PyAny>) {
        let own = (number(len).0 != Some(0)).then(|| len.clone().unbind());
        self.store(py, Name::TempDataLen, own, |_| ());
    }

    #[deleter(_tempDataLen)]
    fn delete_temp_data_len(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::TempDataLen, "_tempDataLen", |_| ())
    }

    #[getter(_tempDataBuffer)]
    fn get_temp_data_buffer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = self.own(py, Name::TempDataBuffer) {
            return Ok(own);
        }
        self.check_set(py, Name::TempDataBuffer, "_tempDataBuffer")?;
        Ok(self.unsent(py)?.into_any())
    }

    #[setter(_tempDataBuffer)]
    fn set_temp_data_buffer(slf: &Bound<'_, Self>, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let plain = buffer.is_exact_instance_of::<PyList>()
            && (buffer.len()? == 0 || buffer.eq(slf.get().unsent(slf.py())?)?);
        let own = (!plain).then(|| buffer.clone().unbind());
        slf.get().store(slf.py(), Name::TempDataBuffer, own, |_| ());
        Ok(())
    }

    #[deleter(_tempDataBuffer)]
    fn delete_temp_data_buffer(&self, py: Python<'_>) -> PyResult<()> {
        self.remove(py, Name::TempDataBuffer, "_tempDataBuffer", |_| ())
    }

    #[getter]
    fn get_bufferSize<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = self.own(py, Name::BufferSize) {
            return Ok(own);
        }
        let size = self.state.lock(py).stream.buffer.high();
        Ok(make::size(py, size)?.into_any())
    }

    #[setter]
    fn set_bufferSize(&self, py: Python<'_>, size: &Bound<'_, PyAny>) {
        let (number, own) = number(size);
        let number = number.and_then(|number| usize::try_from(number).ok());
        self.store(py, Name::BufferSize, own, |state| {
            state
                .stream
                .buffer
                .set_high(number.unwrap_or(state.stream.buffer.high()));
        });
    }

    #[deleter]
    fn delete_bufferSize(slf: &Bound<'_, Self>) -> PyResult<()> {
        let size = overrides::buffer_size(&slf.get_type())?;
        slf.get()
            .remove(slf.py(), Name::BufferSize, "bufferSize", |state| {
                state.stream.buffer.set_high(size);
            })
    }
}

/// A number that the state can hold, or the value itself to be kept as it is.
fn number(value: &Bound<'_, PyAny>) -> (Option<u64>, Option<Py<PyAny>>) {
    let number = value.extract::<u64>().ok();
    let plain = number.is_some() && value.is_exact_instance_of::<PyInt>();
    (number, (!plain).then(|| value.clone().unbind()))
}

/// The log string of a transport that has none.
pub fn no_logstr(py: Python<'_>) -> Bound<'_, PyAny> {
    intern!(py, "Uninitialized").clone().into_any()
}
