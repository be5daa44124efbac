//! Accepting connections: a listening port's work when it is readable.

use std::io::ErrorKind;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::stream::{Accepted, StreamTransport, fileno};
use super::{Reactor, tls};
use crate::core::sys::sockets::{self as socket, Peer};
use crate::py::transport::addresses::peer_name;

/// Accept up to `count` connections of a `tcp.Port`, or with `unix` of a `unix.Port`, and
/// connect them to protocols.
///
/// Each gets a transport of class `transport`. Returns how many were accepted, and
/// whether an error other than that there are no more was met: then Twisted's own
/// way of accepting has to deal with it.
///
/// # Errors
/// What the factory and the protocols raise.
#[pyfunction]
pub fn accept_connections<'py>(
    port: &Bound<'py, PyAny>,
    core: &Bound<'py, Reactor>,
    transport: &Bound<'py, PyType>,
    count: usize,
    unix: bool,
) -> PyResult<(usize, bool)> {
    let py = port.py();
    let reactor = port.getattr(intern!(py, "reactor"))?;
    let number = port.getattr(intern!(py, "_realPortNumber"))?;
    let mut accepted = 0;
    let mut accepting = None;
    for _ in 0..count {
        if core.get().event_loop().is_parents() {
            // A forked child: the parent accepts the others.
            break;
        }
        // Anew each time: the application may have closed the port.
        let fd = fileno(port)?;
        let accepting = accepting.get_or_insert_with(|| socket::Accepting::new(fd));
        let (connection, peer) = match accepting.next(fd) {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return Ok((accepted, true)),
        };
        accepted += 1;
        if unix == matches!(peer, Peer::Internet(_)) {
            // Closed: only a port that was adopted under a wrong family gets this.
            continue;
        }
        let client = peer_name(py, &peer)?;
        let built = port.call_method1(intern!(py, "_buildAddr"), (client,))?;
        let protocol = port
            .getattr(intern!(py, "factory"))?
            .call_method1(intern!(py, "buildProtocol"), (built,))?;
        if protocol.is_none() {
            continue;
        }
        let session = port.getattr(intern!(py, "sessionno"))?;
        port.setattr(intern!(py, "sessionno"), session.add(1_u8)?)?;
        let connection = Accepted {
            socket: connection,
            peer,
            protocol: &protocol,
            server: port,
            session: &session,
            port: &number,
            reactor: &reactor,
            core,
        };
        let transport = StreamTransport::accepted(transport, connection)?;
        if !tls::connect(&protocol, &transport)? {
            protocol.call_method1(intern!(py, "makeConnection"), (transport,))?;
        }
    }
    Ok((accepted, false))
}
