//! A connection's beginning, when a port has accepted it, and its end.

use std::os::fd::{IntoRawFd, OwnedFd};

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyType};

use super::super::{Reactor, tls};
use super::attributes::{self, twisted};
use super::overrides::{self, behind};
use super::own::Name;
use super::{Flag, StreamTransport, missing, writing};
use crate::core::registrations::Role;
use crate::core::sys::sockets::{self as sys, Peer};
use crate::py::support::instances;
use crate::py::transport::addresses::peer_name;

/// What a port knows of a connection that it accepted.
pub struct Accepted<'a, 'py> {
    /// The connection.
    pub socket: OwnedFd,
    /// Where it comes from.
    pub peer: Peer,
    /// Its protocol.
    pub protocol: &'a Bound<'py, PyAny>,
    /// The port itself.
    pub server: &'a Bound<'py, PyAny>,
    /// Its number, whatever that is.
    pub session: &'a Bound<'py, PyAny>,
    /// The number where the port listens.
    pub port: &'a Bound<'py, PyAny>,
    /// The reactor, whose methods are the native ones.
    pub reactor: &'a Bound<'py, PyAny>,
    /// The reactor's core.
    pub core: &'a Bound<'py, Reactor>,
}

impl StreamTransport {
    /// A transport of class `class` for a connection that was just accepted.
    ///
    /// # Errors
    /// `OSError` when the connection can't be watched.
    pub fn accepted<'py>(
        class: &Bound<'py, PyType>,
        accepted: Accepted<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let made = instances::uninitialized(class)?;
        let slf = made.cast::<StreamTransport>()?;
        let fd = accepted.socket.into_raw_fd();
        {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.fd = fd;
            match &accepted.peer {
                Peer::Internet(peer) => state.stream.peer = (*peer).into(),
                _ => state.set(Flag::Unix, true),
            }
            state.stream.protocol = Some(accepted.protocol.clone().unbind());
            state.server = Some(accepted.server.clone().unbind());
            let class = accepted.protocol.get_type().unbind();
            state.origin = Some((class, accepted.port.clone().unbind()));
            state.core = Some(accepted.core.clone().unbind());
            state.set(Flag::Connected, true);
            let set = [
                Name::Reactor,
                Name::Session,
                Name::LogStr,
                Name::TempDataBuffer,
                Name::TempDataLen,
            ];
            for name in set {
                state.own.note(name as u32);
            }
        }
        overrides::look_at_own_class(slf)?;
        if let Some(layer) = tls::attach(slf, accepted.protocol)? {
            let before = slf.get().state.lock(slf.py()).set_tls(Some(layer));
            drop(before);
        }
        let mut host_name = None;
        let session = accepted.session.cast_exact::<PyInt>();
        let session = session.ok().and_then(|session| session.extract().ok());
        match session {
            Some(session) => slf.get().state.lock(slf.py()).session = session,
            None => made.setattr(intern!(class.py(), "sessionno"), accepted.session)?,
        }
        if is_named(&accepted.peer) {
            // Few clients of a UNIX socket have a name.
            let name = peer_name(class.py(), &accepted.peer)?;
            made.setattr(intern!(class.py(), "client"), (&name, class.py().None()))?;
            host_name = Some(name);
        }
        if host_name.is_some()
            || session.is_none()
            || !is_named_by_class(accepted.core.get(), accepted.protocol)?
        {
            // It may look at what will change, or refuse the connection.
            let name = intern!(class.py(), "_getLogPrefix");
            let prefix = slf.call_method1(name, (accepted.protocol,))?;
            let prefix = prefix.call_method1(intern!(class.py(), "__format__"), ("",))?;
            attributes::name(slf, &prefix, accepted.session, host_name.as_ref())?;
        }
        match slf.get().core(slf.py()) {
            Some(core) => Reactor::watch_fresh(core.bind(slf.py()), &made, fd)?,
            None => attributes::ask_reactor(slf, Role::Read, true)?,
        }
        Ok(made)
    }
}

/// Whether a peer is a UNIX socket that has a name.
fn is_named(peer: &Peer) -> bool {
    match peer {
        Peer::Path(path) => !path.is_empty(),
        Peer::Abstract(_) => true,
        Peer::Internet(_) | Peer::Nobody => false,
    }
}

/// Whether a protocol's log prefix is just the name of its class, as Twisted has it.
fn is_named_by_class(core: &Reactor, protocol: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = protocol.py();
    let Some(method) = protocol.getattr_opt(intern!(py, "logPrefix"))? else {
        return Ok(false);
    };
    let function = method.getattr_opt(intern!(py, "__func__"))?;
    Ok(function.is_some_and(|function| function.is(&core.log_prefix)))
}

/// Ends the connection once everything is sent, through the TLS layer if there is one.
///
/// # Errors
/// Those of the TLS layer, and of the protocol if the end comes at once.
pub fn lose_connection(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let py = slf.py();
    let (tls, half_closed, native) = {
        let state = slf.get().state.lock(slf.py());
        if !state.is(Flag::Connected) || state.is(Flag::Disconnecting) {
            return Ok(());
        }
        (
            state.is(Flag::Tls),
            state.is(Flag::WriteDisconnected),
            state.is_native(),
        )
    };
    if tls {
        let protocol = slf.get().get_protocol(py)?;
        protocol.call_method0(py, intern!(py, "loseConnection"))?;
        return Ok(());
    }
    match slf.get().core(slf.py()) {
        Some(core) if native && !half_closed => {
            Reactor::watch(core.bind(py), slf.as_any(), Role::Write, true)?;
            slf.get().state.lock(py).stream.buffer.watch(true);
        }
        _ => {
            slf.call_method0(intern!(py, "stopReading"))?;
            if half_closed {
                // Nothing is sent any more, so nobody would notice.
                slf.call_method0(intern!(py, "stopWriting"))?;
                let done = twisted(slf, "CONNECTION_DONE")?;
                let done = twisted(slf, "Failure")?.call1((done,))?;
                slf.call_method1(intern!(py, "connectionLost"), (done,))?;
                return Ok(());
            }
            slf.call_method0(intern!(py, "startWriting"))?;
        }
    }
    slf.get().set(slf.py(), Flag::Disconnecting, true);
    Ok(())
}

/// Ends the connection: tells the producer, closes the socket, tells the protocol.
///
/// # Errors
/// What the producer and the protocol raise.
pub fn connection_lost(
    slf: &Bound<'_, StreamTransport>,
    reason: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = slf.py();
    let (producer, native) = {
        let mut state = slf.get().state.lock(slf.py());
        if !state.has_socket() {
            // Told already, such as by an abort within the protocol's own method.
            return Ok(());
        }
        state.set(Flag::Disconnected, true);
        state.set(Flag::Connected, false);
        let producer = state.producer.as_ref();
        let producer = producer.map(|producer| producer.clone_ref(py));
        (producer, state.is_native())
    };
    if let Some(producer) = producer {
        producer.call_method0(py, intern!(py, "stopProducing"))?;
        let before = {
            let mut state = slf.get().state.lock(slf.py());
            state.own.note(Name::Producer as u32);
            state.producer.take()
        };
        drop(before);
    }
    if native {
        StreamTransport::unwatch(slf, Role::Read)?;
        writing::stop_writing(slf)?;
        close_socket(slf, !is_abort(slf, reason)?)?;
    } else {
        slf.call_method0(intern!(py, "stopReading"))?;
        slf.call_method0(intern!(py, "stopWriting"))?;
        let orderly = !is_abort(slf, reason)?;
        slf.call_method1(intern!(py, "_closeSocket"), (orderly,))?;
    }
    let (protocol, tls, rest) = {
        let mut state = slf.get().state.lock(slf.py());
        state.stream.fd = -1;
        let own = [Name::Socket, Name::Fileno].map(|name| state.own.put(name as u32, false, None));
        let rest = (own, state.stream.socket.take(), state.stream.buffer.take());
        let tls = state.tls(py);
        let rest = (rest, state.set_tls(None));
        (state.stream.protocol.take(), tls, rest)
    };
    drop(rest);
    if let Some(protocol) = protocol {
        let outcome = protocol.call_method1(py, intern!(py, "connectionLost"), (reason,));
        if let Some(tls) = tls {
            tls.get().end(py);
        }
        outcome?;
    }
    Ok(())
}

/// Whether a connection ends because the application has aborted it.
fn is_abort(slf: &Bound<'_, StreamTransport>, reason: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = slf.py();
    let core = slf.get().core(slf.py());
    if core.is_some_and(|core| core.get().is_usual(reason)) {
        return Ok(false);
    }
    let aborted = twisted(slf, "ConnectionAborted")?;
    reason
        .call_method1(intern!(py, "check"), (aborted,))?
        .is_truthy()
}

/// Closes the socket, after the usual farewell or with a reset.
///
/// # Errors
/// `AttributeError` when there is none.
pub fn close_socket(slf: &Bound<'_, StreamTransport>, orderly: bool) -> PyResult<()> {
    let py = slf.py();
    if slf.get().state.lock(slf.py()).own.any(Name::Socket as u32) {
        behind(slf, intern!(py, "_closeSocket"))?.call1((orderly,))?;
        return Ok(());
    }
    let fd = StreamTransport::fd(slf)?;
    let (socket, owned) = {
        let mut state = slf.get().state.lock(slf.py());
        match &state.stream.socket {
            Some(socket) => (Some(socket.clone_ref(py)), -1),
            None if state.stream.fd < 0 => return Err(missing("socket")),
            None => (None, std::mem::replace(&mut state.stream.fd, -1)),
        }
    };
    if fd >= 0 {
        if orderly {
            sys::shutdown(fd);
        } else {
            sys::reset_on_close(fd);
        }
    }
    match socket {
        Some(socket) => match socket.call_method0(py, intern!(py, "close")) {
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyOSError>(py) => Ok(()),
            outcome => outcome.map(drop),
        },
        None => {
            sys::close(owned);
            Ok(())
        }
    }
}
