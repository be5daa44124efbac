//! What asyncio keeps in a datagram transport's attributes, under the same names.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::address::Internet;
use super::{DatagramEndpoint, State};
use crate::py::support::make;

type Object = Option<Py<PyAny>>;

impl DatagramEndpoint {
    fn get(&self, py: Python<'_>, place: impl FnOnce(&State) -> &Object) -> Object {
        let state = self.state.lock(py);
        place(&state).as_ref().map(|object| object.clone_ref(py))
    }

    fn set(&self, py: Python<'_>, value: Object, place: impl FnOnce(&mut State) -> &mut Object) {
        let before = std::mem::replace(place(&mut self.state.lock(py)), value);
        drop(before);
    }
}

#[pymethods]
impl DatagramEndpoint {
    #[getter(_loop)]
    fn get_loop(&self, py: Python<'_>) -> Object {
        self.get(py, |state| &state.event_loop)
    }

    #[setter(_loop)]
    fn set_loop(&self, py: Python<'_>, event_loop: Object) {
        self.set(py, event_loop, |state| &mut state.event_loop);
    }

    #[getter(_sock)]
    fn get_sock(&self, py: Python<'_>) -> Object {
        self.get(py, |state| &state.sock)
    }

    #[setter(_sock)]
    fn set_sock(&self, py: Python<'_>, sock: Object) -> PyResult<()> {
        let (fileno, internet) = match &sock {
            Some(sock) => {
                let family: i32 = sock.getattr(py, intern!(py, "family"))?.extract(py)?;
                let fileno = sock.getattr(py, intern!(py, "fileno"))?;
                (Some(fileno), Internet::of(family))
            }
            None => (None, None),
        };
        let before = {
            let mut state = self.state.lock(py);
            state.internet = internet;
            let fileno = std::mem::replace(&mut state.fileno, fileno);
            (std::mem::replace(&mut state.sock, sock), fileno)
        };
        drop(before);
        Ok(())
    }

    #[getter(_protocol)]
    fn get_protocol(&self, py: Python<'_>) -> Object {
        self.get(py, |state| &state.protocol)
    }

    #[setter(_protocol)]
    fn set_protocol(&self, py: Python<'_>, protocol: Object) {
        self.set(py, protocol, |state| &mut state.protocol);
    }

    #[getter(_extra)]
    fn get_extra(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        let state = self.state.lock(py);
        state.extra.as_ref().map(|extra| extra.clone_ref(py))
    }

    #[setter(_extra)]
    fn set_extra(&self, py: Python<'_>, extra: Option<Py<PyDict>>) {
        let before = std::mem::replace(&mut self.state.lock(py).extra, extra);
        drop(before);
    }

    #[getter(_address)]
    fn get_address(&self, py: Python<'_>) -> Object {
        self.get(py, |state| &state.address)
    }

    #[setter(_address)]
    fn set_address(&self, py: Python<'_>, address: Object) {
        self.set(py, address, |state| &mut state.address);
    }

    #[getter(_buffer)]
    fn get_buffer(&self, py: Python<'_>) -> Object {
        self.get(py, |state| &state.buffer)
    }

    #[setter(_buffer)]
    fn set_buffer(&self, py: Python<'_>, buffer: Object) {
        self.set(py, buffer, |state| &mut state.buffer);
    }

    #[getter]
    fn get_max_size(&self, py: Python<'_>) -> Option<make::Unsigned<usize>> {
        self.state.lock(py).max_size.map(make::Unsigned)
    }

    #[setter]
    fn set_max_size(&self, py: Python<'_>, size: Option<usize>) {
        self.state.lock(py).max_size = size;
    }

    #[getter(_conn_lost)]
    fn get_conn_lost(&self, py: Python<'_>) -> make::Unsigned<u64> {
        make::Unsigned(self.state.lock(py).conn_lost)
    }

    #[setter(_conn_lost)]
    fn set_conn_lost(&self, py: Python<'_>, count: u64) {
        self.state.lock(py).conn_lost = count;
    }

    #[getter(_closing)]
    fn get_closing(&self, py: Python<'_>) -> bool {
        self.state.lock(py).closing
    }

    #[setter(_closing)]
    fn set_closing(&self, py: Python<'_>, closing: bool) {
        self.state.lock(py).closing = closing;
    }

    #[getter(_paused)]
    fn get_paused(&self, py: Python<'_>) -> bool {
        self.state.lock(py).paused
    }

    #[setter(_paused)]
    fn set_paused(&self, py: Python<'_>, paused: bool) {
        self.state.lock(py).paused = paused;
    }
}
