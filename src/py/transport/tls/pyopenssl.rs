//! Where the OpenSSL of pyOpenSSL is, and what is behind its objects: `cffi` says.
#![allow(unsafe_code)]

use crate::py::support::make;
use crate::py::support::make::Said;
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use crate::py::support::names::intern;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::core::tls::{Address, Session, Table};

/// Finds the functions of the library that pyOpenSSL uses, which is `cryptography`'s own.
///
/// # Errors
/// What is in the way.
pub fn table(py: Python<'_>) -> PyResult<Table> {
    let native = py.import(intern!(py, "cryptography.hazmat.bindings._rust"))?;
    let native = native.getattr(intern!(py, "_openssl"))?;
    let (cffi, library) = (
        native.getattr(intern!(py, "ffi"))?,
        native.getattr(intern!(py, "lib"))?,
    );
    if !py
        .import(intern!(py, "OpenSSL.SSL"))?
        .getattr(intern!(py, "_ffi"))?
        .is(&cffi)
    {
        let why = "pyOpenSSL uses another library than cryptography";
        return Err(PyRuntimeError::new_err(Said(why)));
    }
    let find = |name: &CStr| {
        let name = make::name(py, name.to_str().ok()?).ok()?;
        let function = cffi.call_method1(intern!(py, "addressof"), (&library, name));
        address(&cffi, &function.ok()?).ok()?
    };
    // SAFETY: cffi says where the functions of these names are.
    unsafe { Table::find(find) }
        .map_err(|missing| PyRuntimeError::new_err(Said(missing.to_string())))
}

/// What is behind an `OpenSSL.SSL.Connection` over memory BIOs, of exactly that class, whose
/// `SSL*` is `ssl`'s. `None` if it has no such addresses.
///
/// # Errors
/// Those of asking for them.
pub fn session(
    table: &'static Table,
    conn: &Bound<'_, PyAny>,
    ssl: &Bound<'_, PyAny>,
) -> PyResult<Option<Session>> {
    let py = conn.py();
    let cffi = cffi(py)?;
    let ssl = address(cffi, ssl)?;
    let incoming = address(cffi, &conn.getattr(intern!(py, "_into_ssl"))?)?;
    let outgoing = address(cffi, &conn.getattr(intern!(py, "_from_ssl"))?)?;
    let (Some(ssl), Some(incoming), Some(outgoing)) = (ssl, incoming, outgoing) else {
        return Ok(None);
    };
    // SAFETY: pyOpenSSL's own, which the engine's objects keep.
    Ok(Some(unsafe {
        Session::new(table, ssl, incoming, outgoing)
    }))
}

fn cffi(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FFI: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let find = || {
        PyResult::Ok(
            py.import(intern!(py, "OpenSSL.SSL"))?
                .getattr(intern!(py, "_ffi"))?
                .unbind(),
        )
    };
    Ok(FFI.get_or_try_init(py, find)?.bind(py))
}

/// The address that a cffi object stands for.
fn address(cffi: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<Option<Address>> {
    let py = cffi.py();
    let number = cffi.call_method1(intern!(py, "cast"), (intern!(py, "uintptr_t"), object))?;
    let number: usize = number.call_method0(intern!(py, "__int__"))?.extract()?;
    Ok(NonNull::new(
        std::ptr::with_exposed_provenance_mut::<c_void>(number),
    ))
}
