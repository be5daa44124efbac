//! What asyncio keeps in a transport's attributes, under the same names.

use std::os::fd::RawFd;

use crate::py::support::names::intern;
use mio::Token;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyString};

use super::{EventLoop, Flag, SocketTransport, stock};
use crate::core::interest::Readiness;
use crate::py::support::make;
use crate::py::transport::addresses;
use crate::py::transport::stream;

impl SocketTransport {
    /// What `get_extra_info` knows of an accepted connection but for the socket.
    pub(super) fn keep_addresses(slf: &Bound<'_, Self>) -> PyResult<()> {
        let extra = make::dict(slf.py())?;
        for name in ["peername", "sockname"] {
            extra.set_item(name, Self::address(slf, name)?)?;
        }
        let before = slf.get().state.lock(slf.py()).extra.replace(extra.unbind());
        drop(before);
        Ok(())
    }

    /// The address of one end of an accepted connection; None if it isn't known.
    fn address<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let known = {
            let state = slf.get().state.lock(slf.py());
            match name {
                "peername" => state.stream.peer.get(),
                _ if !state.stream.is_open() => state.local.get(),
                _ => stream::local_address(&state.stream).unwrap_or_default(),
            }
        };
        let tuple = |known| addresses::without_scope(slf.py(), &known, None);
        known.map(|known| Ok(tuple(known)?.into_any())).transpose()
    }

    /// Says it in asyncio's log, in debug mode.
    pub(super) fn log_in_debug(slf: &Bound<'_, Self>, message: &str) -> PyResult<()> {
        let event_loop = slf.get().event_loop(slf.py());
        if event_loop.is_some_and(|event_loop| event_loop.get().is_debug()) {
            slf.call_method1(intern!(slf.py(), "_log"), (make::text(slf.py(), message)?,))?;
        }
        Ok(())
    }
}

#[pymethods]
impl SocketTransport {
    /// asyncio's own class, for `isinstance`.
    #[getter]
    #[allow(clippy::unused_self)]
    fn __class__<'py>(&self, py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
        stock::socket_transport_class(py)
    }

    /// Return optional information about the transport. Follows asyncio.BaseTransport.
    ///
    /// Names are "socket", "sockname" and "peername".
    #[pyo3(signature = (name, default = None))]
    fn get_extra_info<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let kept = slf
            .get()
            .state
            .lock(slf.py())
            .extra
            .as_ref()
            .map(|extra| extra.bind(py).clone());
        if kept.is_none()
            && let Ok(name) = name.cast::<PyString>()
            && let Ok(name) = name.to_str()
            && matches!(name, "peername" | "sockname")
        {
            return Self::address(slf, name);
        }
        let extra = match kept {
            Some(extra) => extra,
            None => slf.getattr(intern!(py, "_extra"))?.cast_into::<PyDict>()?,
        };
        Ok(extra.get_item(name)?.or(default))
    }

    /// What get_extra_info() knows so far.
    fn _known(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        let state = self.state.lock(py);
        state.extra.as_ref().map(|extra| extra.clone_ref(py))
    }

    fn _keep_addresses(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::keep_addresses(slf)
    }

    /// The socket object; None after the end.
    fn _make_socket<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        stream::socket(slf)
    }

    /// The socket object; None after the end. Whoever asks may close it.
    #[getter(_sock)]
    fn shared_socket<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::flush_now(slf)?;
        let socket = stream::socket(slf)?;
        let mut state = slf.get().state.lock(slf.py());
        state.stream.share();
        state.set(Flag::Through, true);
        drop(state);
        Ok(socket)
    }

    /// The descriptor, -1 after the end.
    #[getter]
    fn _sock_fd(&self, py: Python<'_>) -> RawFd {
        self.state.lock(py).stream.fd
    }

    /// The descriptor's number, which is remembered after the end.
    fn _number(&self, py: Python<'_>) -> RawFd {
        self.state.lock(py).number
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Option<Py<EventLoop>> {
        self.event_loop(py).map(Bound::unbind)
    }

    #[getter]
    fn _protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.protocol(py).map(Bound::unbind)
    }

    /// Return the current protocol. Follows asyncio.BaseTransport.
    fn get_protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.protocol(py).map(Bound::unbind)
    }

    #[getter]
    fn _server(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = self.state.lock(py);
        state.server.as_ref().map(|server| server.clone_ref(py))
    }

    #[getter]
    fn _closing(&self, py: Python<'_>) -> bool {
        self.is(py, Flag::Closing)
    }

    #[getter]
    fn _paused(&self, py: Python<'_>) -> bool {
        self.is(py, Flag::Paused)
    }

    #[getter]
    fn _eof(&self, py: Python<'_>) -> bool {
        self.is(py, Flag::Eof)
    }

    #[getter]
    fn _conn_lost(&self, py: Python<'_>) -> u32 {
        self.state.lock(py).lost
    }

    #[getter]
    fn _protocol_paused(&self, py: Python<'_>) -> bool {
        self.state.lock(py).stream.buffer.is_paused()
    }

    #[getter]
    fn _low_water(&self, py: Python<'_>) -> make::Unsigned<usize> {
        make::Unsigned(self.state.lock(py).stream.buffer.limits().0)
    }

    #[getter]
    fn _high_water(&self, py: Python<'_>) -> make::Unsigned<usize> {
        make::Unsigned(self.state.lock(py).stream.buffer.limits().1)
    }

    /// A copy of what the socket hasn't taken yet.
    #[getter]
    fn _buffer<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyByteArray>> {
        Self::flush_now(slf)?;
        let py = slf.py();
        let len = slf.get().state.lock(py).stream.buffer.len();
        PyByteArray::new_with(py, len, |room| {
            slf.get().state.lock(py).stream.buffer.copy_to(room);
            Ok(())
        })
    }

    /// Whether the descriptor is watched for (input, output).
    #[getter]
    fn _polls(&self, py: Python<'_>) -> (bool, bool) {
        let state = self.state.lock(py);
        (state.is(Flag::Reading), state.stream.buffer.is_watched())
    }

    #[getter]
    fn _empty_waiter(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let state = self.state.lock(py);
        state
            .empty_waiter
            .as_ref()
            .map(|waiter| waiter.clone_ref(py))
    }

    /// Have a future done when everything is sent, or None; writing is refused meanwhile.
    fn _set_empty_waiter(slf: &Bound<'_, Self>, waiter: Option<Py<PyAny>>) -> PyResult<()> {
        Self::flush_now(slf)?;
        let (before, done) = {
            let mut state = slf.get().state.lock(slf.py());
            let done = waiter.as_ref().filter(|_| state.stream.buffer.is_empty());
            let done = done.map(|waiter| waiter.clone_ref(slf.py()));
            (std::mem::replace(&mut state.empty_waiter, waiter), done)
        };
        drop(before);
        done.map_or(Ok(()), |done| stock::set_result(done.bind(slf.py())))
    }

    /// Let sendfile() use the descriptor, or not.
    fn _lend(&self, py: Python<'_>, lent: bool) {
        self.state.lock(py).set(Flag::Lent, lent);
    }

    /// Whether nobody else may use the descriptor.
    fn _owns(&self, py: Python<'_>) -> bool {
        let state = self.state.lock(py);
        !state.is(Flag::Closing) && !state.is(Flag::Lent)
    }

    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        let Some(event_loop) = slf.get().event_loop(slf.py()) else {
            return Ok(());
        };
        let nobodys = Token(usize::MAX);
        Self::ready(slf, &event_loop, nobodys, Readiness::READABLE)
    }
}
