//! The descriptor and the family of a socket object, for less than asking its methods.
//!
//! They are the first two fields of `_socket.socket` in every Python that is known here. Whether
//! that is so is found out by the first socket that is looked at; if it isn't, its own methods
//! are asked.
#![allow(unsafe_code)]

use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::{attributes, imports};

/// The fields are known up to this minor version of Python.
const LAST_KNOWN: u8 = 14;

/// The first fields of a socket object, whose class is `_socket.socket` or one derived from it.
#[repr(C)]
struct First {
    head: ffi::PyObject,
    descriptor: RawFd,
    family: i32,
}

/// `_socket.socket`'s own ways to tell, and whether the fields are where they are expected.
struct Ways {
    fileno: Py<PyAny>,
    family: Py<PyAny>,
    known: bool,
}

impl Ways {
    /// Found by a socket that is open.
    fn find(socket: &Bound<'_, PyAny>) -> PyResult<Ways> {
        let py = socket.py();
        let class = py
            .import(intern!(py, "_socket"))?
            .getattr(intern!(py, "socket"))?;
        let mut ways = Ways {
            fileno: class.getattr(intern!(py, "fileno"))?.unbind(),
            family: class.getattr(intern!(py, "family"))?.unbind(),
            known: false,
        };
        // Without a GIL an object's head is another one.
        if !cfg!(Py_GIL_DISABLED) && py.version_info().minor <= LAST_KNOWN {
            ways.known = look(socket) == (ways.descriptor(socket)?, ways.family(socket)?);
        }
        Ok(ways)
    }

    fn descriptor(&self, socket: &Bound<'_, PyAny>) -> PyResult<RawFd> {
        self.fileno.bind(socket.py()).call1((socket,))?.extract()
    }

    fn family(&self, socket: &Bound<'_, PyAny>) -> PyResult<i32> {
        let family = self.family.bind(socket.py());
        attributes::of_descriptor(family, socket)?.extract()
    }
}

/// What stands where the two are expected.
fn look(socket: &Bound<'_, PyAny>) -> (RawFd, i32) {
    // SAFETY: attached; the object is alive, and is as long as a socket object, which has more
    // than these two numbers.
    let first = unsafe { &*socket.as_ptr().cast::<First>() };
    (first.descriptor, first.family)
}

/// Whether a socket object is of Python's own class itself. Nothing is, if another class stood in
/// the place of that one when it was looked for: its methods may be anything.
///
/// # Errors
/// Those of looking for the class.
pub fn is_plain(socket: &Bound<'_, PyAny>) -> PyResult<bool> {
    static REPLACED: PyOnceLock<bool> = PyOnceLock::new();
    let py = socket.py();
    let class = imports::socket_class(py)?;
    if !socket.get_type().is(class) {
        return Ok(false);
    }
    let replaced = REPLACED.get_or_try_init(py, || -> PyResult<bool> {
        let native = py
            .import(intern!(py, "_socket"))?
            .getattr(intern!(py, "socket"))?;
        let base = class.getattr(intern!(py, "__base__"))?;
        let module = class.getattr(intern!(py, "__module__"))?;
        Ok(!base.is(&native) || !module.eq(intern!(py, "socket"))?)
    })?;
    Ok(!replaced)
}

/// The descriptor and the address family of a socket object of Python's own class, or one derived
/// from that; -1: it is closed. It isn't asked by a `fileno` of somebody's own: its sending and
/// receiving don't look for that either.
///
/// # Errors
/// Those of asking it.
pub fn of(socket: &Bound<'_, PyAny>) -> PyResult<(RawFd, i32)> {
    static WAYS: PyOnceLock<Ways> = PyOnceLock::new();
    let ways = match WAYS.get(socket.py()) {
        Some(ways) => ways,
        None => WAYS.get_or_try_init(socket.py(), || Ways::find(socket))?,
    };
    if ways.known {
        return Ok(look(socket));
    }
    Ok((ways.descriptor(socket)?, ways.family(socket)?))
}
