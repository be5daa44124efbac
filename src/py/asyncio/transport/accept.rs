//! Accepting connections: a listening socket's work when it is readable.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::beginning::Parts;
use super::{EventLoop, SocketTransport, stock};
use crate::core::sys::sockets::{self as sys, Peer};
use crate::py::asyncio::readers::descriptor;
use crate::py::support::context;
use crate::py::support::error::ends_the_loop;

/// The callback of a listening socket: accepts what connections there are.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Acceptor {
    event_loop: Py<EventLoop>,
    /// The transports' class.
    class: Py<PyType>,
    factory: Py<PyAny>,
    socket: Py<PyAny>,
    server: Option<Py<PyAny>>,
    /// The own end of what is accepted, if it is always the same one.
    local: Option<SocketAddr>,
    /// How many connections are accepted in one iteration at most.
    backlog: usize,
    /// asyncio's own way, with its arguments: for errors, and in debug mode, where it logs.
    fallback: (Py<PyAny>, Py<PyTuple>),
}

impl Acceptor {
    /// Connects an accepted connection to a protocol. As on asyncio's own loop what a
    /// factory raises is reported in debug mode only.
    fn connect(
        &self,
        event_loop: &Bound<'_, EventLoop>,
        connection: OwnedFd,
        peer: SocketAddr,
    ) -> PyResult<()> {
        let py = event_loop.py();
        let context = context::copy_current(py)?;
        let outcome = context::run_in(py, &context, || {
            let protocol = self.factory.bind(py).call0()?;
            let parts = Parts {
                event_loop,
                protocol: &protocol,
                waiter: None,
                server: self.server.as_ref().map(|server| server.bind(py)),
            };
            let ends = (self.local, peer);
            SocketTransport::accepted(self.class.bind(py), connection, ends, parts)
        });
        match outcome {
            Err(error) if !ends_the_loop(py, &error) => Ok(()),
            outcome => outcome,
        }
    }
}

#[pymethods]
impl Acceptor {
    #[new]
    #[pyo3(signature = (event_loop, class_, factory, socket, server, backlog, fallback))]
    fn new(
        event_loop: Py<EventLoop>,
        class_: Py<PyType>,
        factory: Py<PyAny>,
        socket: &Bound<'_, PyAny>,
        server: Option<Py<PyAny>>,
        backlog: usize,
        fallback: (Py<PyAny>, Py<PyTuple>),
    ) -> PyResult<Self> {
        let fd = socket.call_method0(intern!(socket.py(), "fileno"))?;
        let local = sys::local_address_of_accepted(descriptor(&fd)?);
        Ok(Acceptor {
            event_loop,
            class: class_,
            factory,
            socket: socket.clone().unbind(),
            server,
            local,
            backlog,
            fallback,
        })
    }

    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let event_loop = self.event_loop.bind(py);
        let fall_back = || {
            let (method, args) = &self.fallback;
            method.call1(py, args.clone_ref(py)).map(drop)
        };
        let mut accepting: Option<sys::Accepting> = None;
        for _ in 0..self.backlog {
            if event_loop.get().is_parents() {
                // A forked child: the parent accepts the others.
                return Ok(());
            }
            if event_loop.get().is_debug() {
                return fall_back();
            }
            // Anew each time: a factory may close the server.
            let fd: RawFd = self
                .socket
                .call_method0(py, intern!(py, "fileno"))?
                .extract(py)?;
            if fd < 0 {
                return Ok(());
            }
            let accepting = accepting.get_or_insert_with(|| sys::Accepting::new(fd));
            match accepting.next(fd) {
                Ok((connection, Peer::Internet(peer))) => {
                    self.connect(event_loop, connection, peer)?;
                }
                Ok((connection, _)) => {
                    let socket = stock::socket_of(py, connection)?;
                    event_loop.call_method1(
                        intern!(py, "_accepted"),
                        (&self.factory, socket, &self.server),
                    )?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It meets the same error, and knows what to do.
                Err(_) => return fall_back(),
            }
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.class)?;
        visit.call(&self.factory)?;
        visit.call(&self.socket)?;
        visit.call(&self.server)?;
        visit.call(&self.fallback.0)?;
        visit.call(&self.fallback.1)
    }
}
