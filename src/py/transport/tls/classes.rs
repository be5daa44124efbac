//! The frameworks' own classes, by which an engine knows what it may drive.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::py::support::imports;

/// Those of `ssl`.
pub struct Ssl {
    pub object: Py<PyAny>,
    /// The class of what an `SSLObject` stands for.
    pub inner: Py<PyAny>,
    pub memory_bio: Py<PyAny>,
    pub want_read: Py<PyAny>,
    pub want_write: Py<PyAny>,
}

/// The classes of `ssl`.
///
/// # Errors
/// Those of importing it.
pub fn ssl(py: Python<'_>) -> PyResult<&Ssl> {
    static SSL: PyOnceLock<Ssl> = PyOnceLock::new();
    SSL.get_or_try_init(py, || {
        let ssl = py.import("ssl")?;
        let native = py.import("_ssl")?;
        Ok(Ssl {
            object: ssl.getattr("SSLObject")?.unbind(),
            inner: native.getattr("_SSLSocket")?.unbind(),
            memory_bio: native.getattr("MemoryBIO")?.unbind(),
            want_read: native.getattr("SSLWantReadError")?.unbind(),
            want_write: native.getattr("SSLWantWriteError")?.unbind(),
        })
    })
}

/// Those of pyOpenSSL.
pub struct OpenSsl {
    pub connection: Py<PyAny>,
    pub want_read: Py<PyAny>,
    pub want_write: Py<PyAny>,
    pub zero_return: Py<PyAny>,
}

/// The classes of pyOpenSSL; `None` while nobody has imported it.
///
/// # Errors
/// Those of looking.
pub fn openssl(py: Python<'_>) -> PyResult<Option<&OpenSsl>> {
    static OPENSSL: PyOnceLock<OpenSsl> = PyOnceLock::new();
    if let Some(openssl) = OPENSSL.get(py) {
        return Ok(Some(openssl));
    }
    if !imports::is_loaded(py, "OpenSSL.SSL")? {
        return Ok(None);
    }
    let made = OPENSSL.get_or_try_init(py, || {
        let ssl = py.import("OpenSSL.SSL")?;
        PyResult::Ok(OpenSsl {
            connection: ssl.getattr("Connection")?.unbind(),
            want_read: ssl.getattr("WantReadError")?.unbind(),
            want_write: ssl.getattr("WantWriteError")?.unbind(),
            zero_return: ssl.getattr("ZeroReturnError")?.unbind(),
        })
    })?;
    Ok(Some(made))
}

/// Whether an object has one of these attributes of its own, beside its class's.
///
/// # Errors
/// Those of looking.
pub fn has_own(object: &Bound<'_, PyAny>, names: &[&str]) -> PyResult<bool> {
    let attributes = object.getattr(intern!(object.py(), "__dict__"))?;
    let attributes = attributes.cast_into::<PyDict>()?;
    for name in names {
        if attributes.contains(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
