//! A stream transport's attributes that take more than a look.

use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::prelude::*;

use super::super::Reactor;
use super::own::Name;
use super::properties::no_logstr;
use super::{Flag, StreamTransport, missing, overrides};
use crate::core::registrations::Role;
use crate::core::sys::sockets::{self as sys, Peer};
use crate::py::support::error;
use crate::py::support::imports;
use crate::py::support::make;
use crate::py::support::refcounts::references;
use crate::py::transport::addresses::{host_text, peer_name};
use crate::py::transport::stream;

/// What an object says its descriptor is.
///
/// # Errors
/// Whatever it raises.
pub fn fileno(object: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    if let Ok(stream) = object.cast::<StreamTransport>() {
        let state = stream.get().state.lock(stream.py());
        if state.is_native() && state.stream.socket.is_none() {
            return Ok(state.stream.fd);
        }
    }
    object
        .call_method0(intern!(object.py(), "fileno"))?
        .extract()
}

/// Something of Twisted's, from the module that knows it.
///
/// # Errors
/// None, unless Twisted is broken.
pub fn twisted<'py>(slf: &Bound<'py, StreamTransport>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match slf.get().core(slf.py()) {
        Some(core) => core.get().reason(py, name),
        None => py
            .import(intern!(py, "tornado4.platform.twisted._reports"))?
            .getattr(name),
    }
}

/// The descriptor.
///
/// # Errors
/// `AttributeError` after the end, as Twisted's own transports have it then.
pub fn open_fd(slf: &Bound<'_, StreamTransport>) -> PyResult<RawFd> {
    if slf.get().state.lock(slf.py()).stream.fd < 0 {
        return Err(missing("socket"));
    }
    StreamTransport::fd(slf)
}

/// What is in the place of the socket object: somebody's own, or else the transport's.
///
/// # Errors
/// `AttributeError` after the end.
pub fn socket<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    match slf.get().own(slf.py(), Name::Socket) {
        Some(own) => Ok(own),
        None => own_socket(slf),
    }
}

/// Somebody comes to know the descriptor: nothing may be held back about it.
pub fn settle(slf: &Bound<'_, StreamTransport>) {
    let py = slf.py();
    let (fd, core) = {
        let state = slf.get().state.lock(py);
        let core = state.core.as_ref().map(|core| core.clone_ref(py));
        (state.stream.fd, core)
    };
    if let Some(core) = core {
        core.get().settle(py, fd);
    }
}

/// The transport's socket object, which is made now if there is none yet.
///
/// # Errors
/// `AttributeError` after the end.
pub fn own_socket<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    settle(slf);
    stream::socket(slf)?.ok_or_else(|| missing("socket"))
}

/// Takes over a socket object. One that isn't of the socket module's own class reads and
/// writes by itself from now on; the transport's own stays behind it.
///
/// # Errors
/// `OSError`, if there is no object for the transport's own socket yet and none can be made.
pub fn adopt(slf: &Bound<'_, StreamTransport>, socket: &Bound<'_, PyAny>) -> PyResult<()> {
    settle(slf);
    overrides::look_at_class(slf)?;
    let foreign = !socket.get_type().is(imports::socket_class(slf.py())?);
    if foreign && slf.get().state.lock(slf.py()).stream.fd >= 0 {
        own_socket(slf)?;
    }
    let fd = if foreign { -1 } else { fileno(socket)? };
    let (owned, before) = {
        let mut state = slf.get().state.lock(slf.py());
        let object = socket.clone().unbind();
        if foreign {
            (
                None,
                (state.own.put(Name::Socket as u32, true, Some(object)), None),
            )
        } else {
            let owned = state.stream.socket.is_none().then_some(state.stream.fd);
            state.stream.fd = fd;
            let own = state.own.put(Name::Socket as u32, true, None);
            (owned, (own, state.stream.socket.replace(object)))
        }
    };
    drop(before);
    if let Some(owned) = owned.filter(|owned| *owned >= 0 && *owned != fd) {
        sys::close(owned);
    }
    Ok(())
}

/// Takes the descriptor out of the socket object, if nobody else has that: what has none
/// is reported edge-triggered. Another object is made when somebody asks for it.
///
/// # Errors
/// None, unless the socket object is broken; `OSError` if it can't be watched anew.
pub fn take_over(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let py = slf.py();
    let Some(socket) = ({
        let state = slf.get().state.lock(slf.py());
        let socket = state.stream.socket.as_ref().filter(|_| state.is_native());
        socket.map(|socket| socket.bind(py).clone())
    }) else {
        return Ok(());
    };
    if references(&socket) != 2 {
        return Ok(());
    }
    let fd = socket.call_method0(intern!(py, "detach"))?.extract()?;
    let core = {
        let mut state = slf.get().state.lock(slf.py());
        state.stream.fd = fd;
        state.stream.socket = None;
        state.core().map(|core| core.bind(py).clone())
    };
    match core {
        Some(core) => Reactor::watch_anew(&core, slf.as_any()),
        None => Ok(()),
    }
}

/// The own end's address as the socket module has it.
///
/// # Errors
/// `AttributeError` after the end; `OSError`.
pub fn sockname<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(own) = slf.get().own(slf.py(), Name::Socket) {
        return own.call_method0(intern!(slf.py(), "getsockname"));
    }
    let local = sys::local_end(open_fd(slf)?).map_err(error::os_error)?;
    match local {
        Peer::Nobody => socket(slf)?.call_method0(intern!(slf.py(), "getsockname")),
        local => peer_name(slf.py(), &local),
    }
}

/// What the log's messages about this connection begin with. Unless somebody has said
/// something else, it is made of the class of the protocol that the connection was made
/// for.
///
/// # Errors
/// Those of `getnameinfo`, for a peer whose address has a scope.
pub fn logstr<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let (class, session) = {
        let state = slf.get().state.lock(slf.py());
        if let Some(logstr) = &state.logstr {
            return Ok(logstr.bind(py).clone());
        }
        let named = state.own.is_set(Name::LogStr as u32);
        let origin = state.origin.as_ref().filter(|_| named);
        let class = origin.map(|(class, _)| class.bind(py).clone());
        (class, state.session)
    };
    match class {
        Some(class) => {
            let session = make::unsigned(py, session)?;
            name(slf, class.name()?.as_any(), &session, None)
        }
        None => Ok(no_logstr(py)),
    }
}

/// Makes the log string of a connection that was accepted, and keeps it. `host_name` is
/// that of a UNIX socket, if it has one.
///
/// # Errors
/// Those of `getnameinfo`, for a peer whose address has a scope.
pub fn name<'py>(
    slf: &Bound<'py, StreamTransport>,
    prefix: &Bound<'py, PyAny>,
    session: &Bound<'py, PyAny>,
    host_name: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let peer = {
        let state = slf.get().state.lock(slf.py());
        let nameless = state.is(Flag::Unix);
        if !state.stream.peer.is_known() && !nameless {
            return Err(missing("hostname"));
        }
        state.stream.peer.get()
    };
    let host = match (peer, host_name) {
        (Some(peer), _) => host_text(py, &peer)?,
        (None, Some(name)) => name.to_string(),
        (None, None) => String::new(),
    };
    let (prefix, session) = (prefix.str()?, session.str()?);
    let (prefix, session) = (prefix.to_string_lossy(), session.to_string_lossy());
    let logstr = make::text(py, &format!("{prefix},{session},{host}"))?.into_any();
    let kept = logstr.clone().unbind();
    let before = slf.get().state.lock(py).logstr.replace(kept);
    drop(before);
    Ok(logstr)
}

/// Notes the reactor, and its native core if its methods lead there anyway.
pub fn set_reactor(transport: &StreamTransport, reactor: &Bound<'_, PyAny>) {
    let py = reactor.py();
    let core = reactor
        .getattr(intern!(py, "_transportCore"))
        .ok()
        .and_then(|core| core.cast_into::<Reactor>().ok());
    // A proxy of the reactor may have the same core.
    let known = core
        .as_ref()
        .is_some_and(|core| core.get().reactor.is(reactor));
    let own = (!known).then(|| reactor.clone().unbind());
    let before = {
        let mut state = transport.state.lock(py);
        let core = std::mem::replace(&mut state.core, core.map(Bound::unbind));
        (state.own.put(Name::Reactor as u32, true, own), core)
    };
    drop(before);
}

/// Calls the reactor's own method for a role.
///
/// # Errors
/// `AttributeError` without a reactor; what the method raises.
pub fn ask_reactor(slf: &Bound<'_, StreamTransport>, role: Role, add: bool) -> PyResult<()> {
    let py = slf.py();
    let method = match (role, add) {
        (Role::Write, true) => intern!(py, "addWriter"),
        (Role::Write, false) => intern!(py, "removeWriter"),
        (_, true) => intern!(py, "addReader"),
        (_, false) => intern!(py, "removeReader"),
    };
    let reactor = slf.get().get_reactor(py)?;
    reactor.bind(py).call_method1(method, (slf,))?;
    Ok(())
}
