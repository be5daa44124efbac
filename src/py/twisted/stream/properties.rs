//! What Twisted keeps in a transport's attributes, under the same names.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::{StreamTransport, attributes, missing};
use crate::core::lock::lock;
use crate::core::stream::send_queue::SendQueue;

#[pymethods]
#[allow(non_snake_case)]
impl StreamTransport {
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
    fn delete_socket(&self) -> PyResult<()> {
        let socket = {
            let mut state = lock(&self.state);
            if state.socket.is_none() {
                return Err(missing("socket"));
            }
            state.fd = -1;
            state.socket.take()
        };
        drop(socket);
        Ok(())
    }

    // Objects

    #[getter]
    pub(super) fn get_protocol(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let protocol = state.protocol.as_ref().ok_or_else(|| missing("protocol"))?;
        Ok(protocol.clone_ref(py))
    }

    #[setter]
    fn set_protocol(&self, protocol: Py<PyAny>) {
        let before = lock(&self.state).protocol.replace(protocol);
        drop(before);
    }

    #[deleter]
    fn delete_protocol(&self) -> PyResult<()> {
        let protocol = lock(&self.state).protocol.take();
        protocol.map(drop).ok_or_else(|| missing("protocol"))
    }

    #[getter]
    fn get_producer(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = lock(&self.state);
        state
            .producer
            .as_ref()
            .map(|producer| producer.clone_ref(py))
    }

    #[setter]
    fn set_producer(&self, producer: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut lock(&self.state).producer, producer);
        drop(before);
    }

    #[getter]
    pub(super) fn get_reactor(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let reactor = state.reactor.as_ref().ok_or_else(|| missing("reactor"))?;
        Ok(reactor.clone_ref(py))
    }

    #[setter]
    fn set_reactor(&self, reactor: &Bound<'_, PyAny>) {
        attributes::set_reactor(self, reactor);
    }

    #[getter]
    fn get_server(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = lock(&self.state);
        let server = state.server.as_ref().ok_or_else(|| missing("server"))?;
        Ok(server.clone_ref(py))
    }

    #[setter]
    fn set_server(&self, server: Py<PyAny>) {
        let before = lock(&self.state).server.replace(server);
        drop(before);
    }

    #[getter]
    fn get_sessionno(&self) -> u64 {
        lock(&self.state).session
    }

    #[setter]
    fn set_sessionno(&self, session: u64) {
        lock(&self.state).session = session;
    }

    // The log

    /// What the log's messages about this connection begin with. See `doRead`.
    #[getter]
    fn get_logPrefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let own = lock(&slf.get().state)
            .log_prefix
            .as_ref()
            .map(|own| own.clone_ref(slf.py()));
        match own {
            Some(own) => Ok(own.into_bound(slf.py())),
            None => slf.getattr(pyo3::intern!(slf.py(), "_logPrefix")),
        }
    }

    #[setter]
    fn set_logPrefix(&self, method: Py<PyAny>) {
        let before = lock(&self.state).log_prefix.replace(method);
        drop(before);
    }

    #[deleter]
    fn delete_logPrefix(&self) -> PyResult<()> {
        let before = lock(&self.state).log_prefix.take();
        before.map(drop).ok_or_else(|| missing("logPrefix"))
    }

    fn _logPrefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr(pyo3::intern!(slf.py(), "logstr"))
    }

    #[getter]
    fn get_logstr<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        attributes::logstr(slf)
    }

    #[setter]
    fn set_logstr(&self, logstr: Py<PyAny>) {
        let before = lock(&self.state).logstr.replace(logstr);
        drop(before);
    }

    // What waits to be sent, as FileDescriptor shows it

    #[getter]
    fn get_dataBuffer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let unsent = lock(&self.state).queue.to_vec();
        PyBytes::new(py, &unsent)
    }

    #[setter]
    fn set_dataBuffer(&self, data: Bound<'_, PyBytes>) {
        let mut queue = SendQueue::default();
        let empty = queue.push(PyBackedBytes::from(data));
        let before = std::mem::replace(&mut lock(&self.state).queue, queue);
        drop((before, empty));
    }

    #[getter(_tempDataLen)]
    fn get_temp_data_len(&self) -> usize {
        0
    }

    // FileDescriptor's constructor sets both; there is nothing to be set.
    #[setter(_tempDataLen)]
    fn set_temp_data_len(&self, _len: Py<PyAny>) {}

    #[getter(_tempDataBuffer)]
    fn get_temp_data_buffer<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let unsent = lock(&self.state).queue.to_vec();
        let chunks = (!unsent.is_empty()).then(|| PyBytes::new(py, &unsent));
        chunks.into_iter().collect()
    }

    #[setter(_tempDataBuffer)]
    fn set_temp_data_buffer(&self, _buffer: Py<PyAny>) {}

    #[getter]
    fn get_bufferSize(&self) -> usize {
        lock(&self.state).buffer_size
    }

    #[setter]
    fn set_bufferSize(&self, size: usize) {
        lock(&self.state).buffer_size = size;
    }
}
