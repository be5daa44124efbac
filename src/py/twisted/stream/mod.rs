//! The native half of Twisted's stream transports: TCP and UNIX connections.
//!
//! Twisted's own classes stand behind it in the bases and do what is rare. What
//! they keep in attributes is here, under the same names, so that their code works
//! on it; what is read rarely (the socket object, the log string) is made when it
//! is first asked for.

mod attributes;
mod flags;
mod lifetime;
mod methods;
mod overrides;
mod own;
mod properties;
mod reading;
mod writing;

use crate::py::support::make::Said;
use std::os::fd::RawFd;

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use own::{FLAGS, IN_THE_WAY, Name, Own, SENDS, TLS, USED};

use super::{Reactor, TLSLayer};
use crate::core::registrations::Role;
use crate::core::stream::write_buffer::late::Pending;
use crate::core::sys::Trigger;
use crate::py::support::guarded::Guarded;
use crate::py::transport::stream::Stream;

pub use attributes::fileno;
pub use lifetime::Accepted;
pub use overrides::Replaceable;
pub use reading::{Direct, trigger};
pub use writing::{flush, write_directly};

/// Twisted's `FileDescriptor.bufferSize`.
const BUFFER_SIZE: usize = 64 * 1024;

/// What a transport is or does, one bit each.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Flag {
    Connected = 1,
    Disconnected = 1 << 1,
    Disconnecting = 1 << 2,
    WriteDisconnecting = 1 << 3,
    WriteDisconnected = 1 << 4,
    StreamingProducer = 1 << 5,
    ProducerPaused = 1 << 6,
    Tls = 1 << 7,
    /// Nothing is sent but by `doWrite`.
    Corked = 1 << 10,
    /// Nothing is sent any more.
    Aborting = 1 << 11,
    /// Descriptors may come with the data.
    Unix = 1 << 13,
    /// The class has no methods of its own for what is done natively.
    NativeClass = 1 << 14,
    /// The class has a `doWrite` of its own: nothing is sent but by that.
    OwnWrite = 1 << 15,
}

/// The native half of a stream transport; see Twisted's `tcp.Connection`.
#[pyclass(frozen, subclass, module = "tornado4._core")]
pub struct StreamTransport {
    state: Guarded<State>,
}

struct State {
    /// The high-water mark of what waits to be sent is `bufferSize`.
    stream: Stream,
    /// See `Flag`.
    flags: u32,
    /// The connection's number at its port.
    session: u32,
    producer: Option<Py<PyAny>>,
    /// The reactor's native core, unless the reactor has methods of its own. It knows its
    /// reactor; any other one is in `own`.
    core: Option<Py<Reactor>>,
    logstr: Option<Py<PyAny>>,
    /// The port that accepted this connection.
    server: Option<Py<PyAny>>,
    /// The class of the protocol it was made for, and where the port listened.
    origin: Option<(Py<PyType>, Py<PyAny>)>,
    /// Which attributes were set, and to what of somebody's own.
    own: Own,
}

impl State {
    fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u32 != 0
    }

    /// Whether events take the fast path: the transport is native and connected, with
    /// nobody's own methods or socket in the way.
    fn is_direct(&self) -> bool {
        let ways = Flag::NativeClass as u32 | Flag::Connected as u32;
        self.flags & ways == ways && !self.own.any(IN_THE_WAY)
    }

    /// Whether nobody has methods of their own, or a socket, for what is done natively.
    fn is_native(&self) -> bool {
        self.is(Flag::NativeClass) && !self.own.any(USED)
    }

    /// Whether there is a socket, as an object or not.
    fn has_socket(&self) -> bool {
        self.stream.fd >= 0 || self.stream.socket.is_some() || self.own.any(Name::Socket as u32)
    }

    /// How the descriptor is to be reported: what takes the fast path reads to the end,
    /// and so does nobody else as long as there is no socket object.
    fn trigger(&self) -> Trigger {
        if self.is_direct() && self.stream.socket.is_none() {
            Trigger::Edge
        } else {
            Trigger::Level
        }
    }

    /// The reactor's native core, while its methods for descriptors are the native ones.
    fn core(&self) -> Option<&Py<Reactor>> {
        let core = self.core.as_ref();
        core.filter(|core| core.get().allows_fast_path())
    }

    /// Whether nothing is sent but by `doWrite`.
    fn sends_by_method(&self) -> bool {
        self.is(Flag::Corked) || self.is(Flag::OwnWrite) || self.own.any(SENDS)
    }

    /// The native half of the protocol, if that is TLS.
    fn tls<'py>(&self, py: Python<'py>) -> Option<Bound<'py, TLSLayer>> {
        let layer = self.own.get(TLS)?.bind(py);
        layer.cast::<TLSLayer>().ok().cloned()
    }

    /// Sets it. Hands back what must be dropped with no lock held.
    #[must_use]
    fn set_tls(&mut self, layer: Option<Py<TLSLayer>>) -> Option<Py<PyAny>> {
        self.own.put(TLS, false, layer.map(Py::into_any))
    }

    /// What has to be done when everything is sent.
    fn pending(&self) -> Pending {
        let asks = !self.is(Flag::StreamingProducer) || self.is(Flag::ProducerPaused);
        let halves = self.is(Flag::WriteDisconnecting) && !self.is(Flag::WriteDisconnected);
        Pending {
            resume: self.producer.is_some() && asks,
            end: self.is(Flag::Disconnecting),
            end_writing: halves,
        }
    }

    /// Sets a flag; what somebody has put in its place is forgotten.
    fn set(&mut self, flag: Flag, on: bool) {
        if flag as u32 & FLAGS != 0 {
            self.own.note(flag as u32);
        }
        if on {
            self.flags |= flag as u32;
        } else {
            self.flags &= !(flag as u32);
        }
    }
}

/// Why a connection has ended, if it has: what `doRead` and `doWrite` return.
type Reason<'py> = PyResult<Option<Bound<'py, PyAny>>>;

/// A reason of Twisted's for the end of a connection.
fn reason<'py>(slf: &Bound<'py, StreamTransport>, name: &str) -> Reason<'py> {
    attributes::twisted(slf, name).map(Some)
}

fn missing(name: &str) -> PyErr {
    PyAttributeError::new_err(Said(name.to_owned()))
}

impl State {
    /// The bits of the attributes that were set.
    fn set_attributes(&self) -> u32 {
        let there = [
            (self.has_socket(), Name::Socket),
            // Unless it was deleted.
            (
                self.has_socket() && !self.own.any(Name::Fileno as u32),
                Name::Fileno,
            ),
            (self.stream.protocol.is_some(), Name::Protocol),
            (self.server.is_some(), Name::Server),
            (!self.stream.buffer.is_empty(), Name::DataBuffer),
        ];
        let there = there.into_iter().filter(|(is, _)| *is);
        there.fold(self.own.set(), |bits, (_, name)| bits | name as u32)
    }
}

impl StreamTransport {
    /// Whether there is a socket, as an object or not.
    fn has_socket(&self, py: Python<'_>) -> bool {
        self.state.lock(py).has_socket()
    }

    /// Whether nobody has methods of their own, or a socket, for what is done natively.
    fn is_native(&self, py: Python<'_>) -> bool {
        self.state.lock(py).is_native()
    }

    /// Whether the flag is set.
    fn is(&self, py: Python<'_>, flag: Flag) -> bool {
        self.state.lock(py).is(flag)
    }

    fn set(&self, py: Python<'_>, flag: Flag, on: bool) {
        self.state.lock(py).set(flag, on);
    }

    /// The core of the reactor, if its methods for descriptors are the native ones.
    pub fn core(&self, py: Python<'_>) -> Option<Py<Reactor>> {
        self.state.lock(py).core().map(|core| core.clone_ref(py))
    }

    /// Whether its reactor's methods for descriptors are the native ones.
    pub fn has_core(&self, py: Python<'_>) -> bool {
        self.state.lock(py).core().is_some()
    }

    /// The descriptor, -1 if there is none. A socket object that somebody else
    /// has closed has none, whatever its number was.
    ///
    /// # Errors
    /// Whatever the socket object raises.
    pub fn fd(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        let (fd, socket) = {
            let state = slf.get().state.lock(slf.py());
            let socket = state
                .stream
                .socket
                .as_ref()
                .map(|socket| socket.clone_ref(slf.py()));
            (state.stream.fd, socket)
        };
        match socket {
            Some(socket) => attributes::fileno(socket.bind(slf.py())),
            None => Ok(fd),
        }
    }

    /// Calls the reactor's method for a role, its native one if it can be.
    fn watch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        match slf.get().core(slf.py()) {
            Some(core) => Reactor::watch(core.bind(slf.py()), slf.as_any(), role, false),
            None => attributes::ask_reactor(slf, role, true),
        }
    }

    fn unwatch(slf: &Bound<'_, Self>, role: Role) -> PyResult<()> {
        match slf.get().core(slf.py()) {
            Some(core) => {
                core.get().unwatch(slf.as_any(), role);
                Ok(())
            }
            None => attributes::ask_reactor(slf, role, false),
        }
    }
}

#[pymethods]
impl StreamTransport {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        StreamTransport {
            state: Guarded::new(State {
                stream: Stream::default(),
                flags: 0,
                producer: None,
                core: None,
                logstr: None,
                server: None,
                session: 0,
                origin: None,
                own: Own::default(),
            }),
        }
    }

    // The collector

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.visit(&visit) else {
            return Ok(());
        };
        state.stream.traverse(visit)?;
        visit.call(&state.producer)?;
        visit.call(&state.core)?;
        visit.call(&state.logstr)?;
        visit.call(&state.server)?;
        if let Some((class, port)) = &state.origin {
            visit.call(class)?;
            visit.call(port)?;
        }
        state.own.traverse(visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        let held = {
            let mut state = self.state.lock(py);
            // The socket object stays: it owns the descriptor and holds nothing.
            [
                state.stream.protocol.take(),
                state.producer.take(),
                state.logstr.take(),
                state.server.take(),
            ]
        };
        drop(held);
        let held = {
            let mut state = self.state.lock(py);
            (state.core.take(), state.own.take(), state.origin.take())
        };
        drop(held);
    }
}
