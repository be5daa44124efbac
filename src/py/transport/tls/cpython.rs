//! Where the OpenSSL of `ssl` is, and what is behind its objects.
//!
//! `_ssl` has no API for that. Its objects keep the addresses at the same places in every
//! Python that is known here; each is compared with what must stand beside it before
//! anything is done with it.
#![allow(unsafe_code)]

use crate::py::support::make::Said;
use std::ffi::{CStr, CString, c_void};
use std::os::fd::RawFd;
use std::ptr::NonNull;

use crate::py::support::names::intern;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::core::tls::{Address, OverSocket, Session, Table};

/// The places are known up to this minor version of Python.
const LAST_KNOWN: u8 = 14;

/// In an `_ssl._SSLSocket`, in words after the object's head: the socket (null over
/// memory), the `SSL*`, the context.
const SOCKET: usize = 0;
const SSL: usize = 1;
const CONTEXT: usize = 2;

/// In an `_ssl._SSLContext` the `SSL_CTX*`, in a `MemoryBIO` the `BIO*`: the first word.
const FIRST: usize = 0;

/// Finds the functions of the library that `_ssl` uses.
///
/// # Errors
/// What is in the way, as text; those of Python.
pub fn table(py: Python<'_>) -> PyResult<Table> {
    let version = py.version_info();
    // GIL: without it an object's head is another one, and so is where these words are.
    if cfg!(Py_GIL_DISABLED) || version.minor > LAST_KNOWN || py_is_not_cpython(py)? {
        return Err(unusable("how this Python keeps an SSL* isn't known"));
    }
    let module = py.import(intern!(py, "_ssl"))?;
    let Some(path) = module.getattr_opt(intern!(py, "__file__"))? else {
        return Err(unusable("OpenSSL is linked into the interpreter"));
    };
    let path = CString::new(path.extract::<String>()?)?;
    // SAFETY: a path that ends. It is loaded already, and never unloaded; opening it once
    // more, and never closing it, makes sure of that.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    let Some(library) = NonNull::new(library) else {
        return Err(unusable("_ssl isn't loaded from its __file__"));
    };
    let find = |name: &CStr| {
        // SAFETY: the library is open, and the name ends. It is looked for in `_ssl` and
        // in what that is linked to.
        NonNull::new(unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) })
    };
    // SAFETY: what `_ssl` is linked to by these names is OpenSSL, or `_ssl` wouldn't work.
    let table = unsafe { Table::find(find) }.map_err(|missing| unusable(&missing.to_string()))?;
    let theirs: String = module.getattr(intern!(py, "OPENSSL_VERSION"))?.extract()?;
    if table.library_version() == theirs {
        Ok(table)
    } else {
        let ours = table.library_version();
        Err(unusable(&format!("found {ours}, but ssl has {theirs}")))
    }
}

/// What is behind an `_ssl._SSLSocket` over two `MemoryBIO`s, all of exactly these classes.
/// `None` if it doesn't look as it should.
///
/// # Errors
/// Those of asking for its context.
pub fn session(
    table: &'static Table,
    inner: &Bound<'_, PyAny>,
    incoming: &Bound<'_, PyAny>,
    outgoing: &Bound<'_, PyAny>,
) -> PyResult<Option<Session>> {
    let context = inner.getattr(intern!(inner.py(), "context"))?;
    let neighbour = NonNull::new(context.as_ptr().cast::<c_void>());
    if word(inner, CONTEXT)? != neighbour || word(inner, SOCKET)?.is_some() {
        return Ok(None);
    }
    let (Some(ssl), Some(read), Some(written)) = (
        word(inner, SSL)?,
        word(incoming, FIRST)?,
        word(outgoing, FIRST)?,
    ) else {
        return Ok(None);
    };
    // SAFETY: the word beside it is what it should be, so this is an `SSL*`.
    let (bios, owner) = unsafe { (table.bios(ssl), table.context(ssl)) };
    // The context of a connection may have been changed by an SNI callback; `context` says so
    // too.
    if bios != Some((read, written)) || owner != word(&context, FIRST)? {
        return Ok(None);
    }
    // SAFETY: an `SSL` and its two BIOs, which the engine's objects keep.
    Ok(Some(unsafe { Session::new(table, ssl, read, written) }))
}

/// What is behind an `_ssl._SSLSocket` over a socket, of exactly this class. `None` if it
/// doesn't look as it should.
///
/// # Errors
/// Those of asking for its context.
pub fn over_socket(
    table: &'static Table,
    inner: &Bound<'_, PyAny>,
    fd: RawFd,
) -> PyResult<Option<OverSocket>> {
    let context = inner.getattr(intern!(inner.py(), "context"))?;
    let neighbour = NonNull::new(context.as_ptr().cast::<c_void>());
    if word(inner, CONTEXT)? != neighbour || word(inner, SOCKET)?.is_none() {
        return Ok(None);
    }
    let Some(ssl) = word(inner, SSL)? else {
        return Ok(None);
    };
    // SAFETY: the word beside it is what it should be, so this is an `SSL*`.
    let (descriptor, owner) = unsafe { (table.descriptor(ssl), table.context(ssl)) };
    if descriptor != Some(fd) || owner != word(&context, FIRST)? {
        return Ok(None);
    }
    // SAFETY: an `SSL` over this socket, which its object keeps as long as that lives.
    Ok(Some(unsafe { OverSocket::new(table, ssl) }))
}

/// Whether a connection that was found in one `_ssl._SSLSocket` is this one's.
///
/// # Errors
/// Those of looking.
pub fn is_behind(connection: &OverSocket, inner: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(word(inner, SSL)? == Some(connection.address()))
}

/// A word of an object, counted after its head.
fn word(object: &Bound<'_, PyAny>, index: usize) -> PyResult<Option<Address>> {
    // SAFETY: an object's class is alive as long as the object.
    let size = unsafe { (*object.get_type_ptr()).tp_basicsize };
    let size = usize::try_from(size)?;
    let place = size_of::<ffi::PyObject>() + index * size_of::<usize>();
    if place + size_of::<usize>() > size {
        return Ok(None);
    }
    // SAFETY: the object is so large, and its words are aligned.
    let word = unsafe {
        object
            .as_ptr()
            .cast::<u8>()
            .add(place)
            .cast::<*mut c_void>()
            .read()
    };
    Ok(NonNull::new(word).filter(|word| word.cast::<usize>().is_aligned()))
}

fn py_is_not_cpython(py: Python<'_>) -> PyResult<bool> {
    let name: String = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "implementation"))?
        .getattr(intern!(py, "name"))?
        .extract()?;
    Ok(name != "cpython")
}

fn unusable(why: &str) -> PyErr {
    PyRuntimeError::new_err(Said(why.to_owned()))
}
