//! An established connection of which nothing has been replaced.

use std::cell::Cell;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList};

use super::stock::{has_any, stock};
use super::{Driven, TLSLayer};
use crate::py::support::attributes;
use crate::py::support::dict_version::dict_version;
use crate::py::transport::tls::Engine;

/// See the module's documentation.
pub struct Established<'py> {
    pub protocol: Bound<'py, PyAny>,
    pub engine: Engine,
    connection: Bound<'py, PyAny>,
    /// The protocol's.
    own: Bound<'py, PyDict>,
    of_connection: Bound<'py, PyDict>,
    /// In which versions of the two it was found to be so.
    seen: Cell<Seen>,
}

/// The versions of the dicts of a protocol and of its connection.
pub type Seen = Option<(u64, u64)>;

impl<'py> Established<'py> {
    /// The connection as it is now; `None`: Twisted's methods have to do what is to be done.
    ///
    /// # Errors
    /// None, unless the classes are broken.
    #[inline]
    pub fn of(
        layer: &Bound<'py, TLSLayer>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Established<'py>>> {
        let py = layer.py();
        let Some(stock) = stock(py)? else {
            return Ok(None);
        };
        if !stock.serves(protocol)? {
            return Ok(None);
        }
        let own = dict(protocol)?;
        if !is_idle(&own)? {
            return Ok(None);
        }
        let driven = {
            let state = layer.get().state.lock(py);
            let driven = state.driven.as_ref();
            driven.map(|driven| {
                (
                    driven.connection.bind(py).clone(),
                    driven.engine.clone_ref(py),
                )
            })
        };
        let (connection, engine) = match driven {
            Some(driven) => driven,
            None => match drive(layer, &own)? {
                Some(driven) => driven,
                None => return Ok(None),
            },
        };
        let of_connection = dict(&connection)?;
        let seen = layer.get().state.lock(py).seen;
        let established = Established {
            protocol: protocol.clone(),
            engine,
            connection,
            own,
            of_connection,
            seen: Cell::new(seen),
        };
        if !established.stays()? {
            return Ok(None);
        }
        layer.get().state.lock(py).seen = established.seen.get();
        Ok(Some(established))
    }

    /// Whether it still is what it was, after a call that may have changed that.
    ///
    /// # Errors
    /// As `of`.
    #[inline]
    pub fn stays(&self) -> PyResult<bool> {
        // GIL: nobody changes a class or an attribute between this look and the step after it.
        let seen = match (dict_version(&self.own), dict_version(&self.of_connection)) {
            (Some(own), Some(of_connection)) => Some((own, of_connection)),
            _ => None,
        };
        if seen.is_some() && seen == self.seen.get() {
            return Ok(true);
        }
        let stays = self.look()?;
        self.seen.set(seen.filter(|_| stays));
        Ok(stays)
    }

    fn look(&self) -> PyResult<bool> {
        let py = self.protocol.py();
        let methods = [
            intern!(py, "dataReceived"),
            intern!(py, "_flushReceiveBIO"),
            intern!(py, "_flushSendBIO"),
            intern!(py, "_write"),
        ];
        let of_connection = [
            intern!(py, "recv"),
            intern!(py, "send"),
            intern!(py, "bio_read"),
            intern!(py, "bio_write"),
        ];
        let connection = self.own.get_item(intern!(py, "_tlsConnection"))?;
        Ok(connection.is_some_and(|now| now.is(&self.connection))
            && is_set(&self.own, intern!(py, "_handshakeDone"))?
            && !is_set(&self.own, intern!(py, "_lostTLSConnection"))?
            && !self.is_aborted()?
            && !has_any(&self.own, methods)?
            && !has_any(&self.of_connection, of_connection)?)
    }

    /// Whether the application has aborted the connection, and is given nothing more.
    ///
    /// # Errors
    /// As `of`.
    #[inline]
    pub fn is_aborted(&self) -> PyResult<bool> {
        is_set(&self.own, intern!(self.protocol.py(), "_aborted"))
    }

    /// An attribute that the protocol has of its own.
    ///
    /// # Errors
    /// `AttributeError` if it hasn't.
    #[inline]
    pub fn get(&self, name: &Bound<'py, pyo3::types::PyString>) -> PyResult<Bound<'py, PyAny>> {
        match self.own.get_item(name)? {
            Some(found) => Ok(found),
            None => self.protocol.getattr(name),
        }
    }

    /// Whether the application may write: it hasn't ended the connection.
    ///
    /// # Errors
    /// As `of`.
    #[inline]
    pub fn is_writable(&self) -> PyResult<bool> {
        Ok(!is_set(
            &self.own,
            intern!(self.protocol.py(), "disconnecting"),
        )?)
    }

    /// Whether somebody is paused when much waits to be sent.
    ///
    /// # Errors
    /// As `of`.
    #[inline]
    pub fn has_producer(&self) -> PyResult<bool> {
        let producer = self
            .own
            .get_item(intern!(self.protocol.py(), "_producer"))?;
        Ok(producer.is_some_and(|producer| !producer.is_none()))
    }

    /// Has the transport below send what was encrypted.
    ///
    /// # Errors
    /// Those of the transport, such as what a producer's pause raises.
    #[inline]
    pub fn send(&self) -> PyResult<()> {
        let py = self.protocol.py();
        match self.engine.outgoing(py)? {
            None => Ok(()),
            Some(data) => self.send_now(&data),
        }
    }

    /// Has the transport below send this.
    ///
    /// # Errors
    /// As `send`.
    pub fn send_now(&self, data: &Bound<'py, PyBytes>) -> PyResult<()> {
        if data.as_bytes().is_empty() {
            return Ok(());
        }
        let py = data.py();
        let transport = self.get(intern!(py, "transport"))?;
        transport.call_method1(intern!(py, "write"), (data,))?;
        Ok(())
    }
}

/// Whether an attribute is there and true.
#[inline]
fn is_set(own: &Bound<'_, PyDict>, name: &Bound<'_, pyo3::types::PyString>) -> PyResult<bool> {
    match own.get_item(name)? {
        None => Ok(false),
        Some(value) => match value.cast_exact::<PyBool>() {
            Ok(value) => Ok(value.is_true()),
            Err(_) => value.is_truthy(),
        },
    }
}

/// Whether nothing waits for the peer before it can be encrypted.
#[inline]
fn is_idle(own: &Bound<'_, PyDict>) -> PyResult<bool> {
    match own.get_item(intern!(own.py(), "_appSendBuffer"))? {
        Some(waiting) => Ok(waiting
            .cast_exact::<PyList>()
            .is_ok_and(|list| list.is_empty())),
        None => Ok(false),
    }
}

fn dict<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    Ok(attributes::dict(object)?.cast_into()?)
}

/// What drives the connection, which is made now that the handshake is done.
fn drive<'py>(
    layer: &Bound<'py, TLSLayer>,
    own: &Bound<'py, PyDict>,
) -> PyResult<Option<(Bound<'py, PyAny>, Engine)>> {
    let py = layer.py();
    if !is_set(own, intern!(py, "_handshakeDone"))? {
        return Ok(None);
    }
    let Some(connection) = own.get_item(intern!(py, "_tlsConnection"))? else {
        return Ok(None);
    };
    let Some(engine) = Engine::of_connection(&connection)? else {
        return Ok(None);
    };
    let driven = Driven {
        connection: connection.clone().unbind(),
        engine: engine.clone_ref(py),
    };
    let before = {
        let mut state = layer.get().state.lock(py);
        // Not after the end.
        match state.protocol {
            Some(_) => state.driven.replace(driven),
            None => Some(driven),
        }
    };
    drop(before);
    Ok(Some((connection, engine)))
}
