//! `IOStream.set_nodelay`, which Tornado's servers call twice for each request.

use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::cache::Field;
use super::{Entry, Kind, Streams};
use crate::core::sys::sockets;
use crate::py::support::socket_objects;

impl Streams {
    /// See `Streams::set_nodelay`.
    pub(super) fn set_option(entry: &Entry<'_, '_>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(value) = value.cast_exact::<PyBool>() else {
            return Ok(false);
        };
        let Some(socket) = entry.fields.get(Field::Socket)? else {
            return Ok(false);
        };
        // Of a stream that is closed.
        if socket.is_none() {
            return Ok(true);
        }
        let is_plain = match entry.kind {
            Kind::Socket => socket_objects::is_plain(&socket)?,
            Kind::Tls => entry.source(true)?.is_some(),
            Kind::Pipe => false,
        };
        if !is_plain {
            return Ok(false);
        }
        let (fd, family) = socket_objects::of(&socket)?;
        if !matches!(family, libc::AF_INET | libc::AF_INET6) {
            return Ok(true);
        }
        // What the system refuses Tornado's method tries once more.
        Ok(fd >= 0 && sockets::set_nodelay(fd, value.is_true()).is_ok())
    }
}
