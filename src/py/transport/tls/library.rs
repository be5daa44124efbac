//! Which engine a library gets, and why: found out when its first connection is there.

use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::{classes, cpython, pyopenssl, self_check};
use crate::core::tls::Table;

/// The environment variable that forbids the direct engine.
const SWITCH: &str = "TORNADO4_TLS";

/// What was found out about a library.
pub struct Library {
    /// Its functions, where they may be called directly.
    pub table: Option<&'static Table>,
    /// Why they aren't; empty if they are.
    pub why: String,
    /// What the library calls itself.
    pub version: String,
}

/// The library of `ssl`.
///
/// # Errors
/// Those that are no `Exception`; then it will be asked again.
pub fn ssl(py: Python<'_>) -> PyResult<&Library> {
    static SSL: PyOnceLock<Library> = PyOnceLock::new();
    SSL.get_or_try_init(py, || {
        let version = py
            .import(intern!(py, "_ssl"))
            .and_then(|module| module.getattr(intern!(py, "OPENSSL_VERSION"))?.extract());
        Library::new(py, version, || {
            let table = &*Box::leak(Box::new(cpython::table(py)?));
            self_check::ssl(py, table)?;
            Ok(table)
        })
    })
}

/// The library of pyOpenSSL; `None` while nobody has imported that.
///
/// # Errors
/// As `ssl`.
pub fn openssl(py: Python<'_>) -> PyResult<Option<&Library>> {
    static OPENSSL: PyOnceLock<Library> = PyOnceLock::new();
    if classes::openssl(py)?.is_none() {
        return Ok(None);
    }
    let made = OPENSSL.get_or_try_init(py, || {
        let version = py.import(intern!(py, "OpenSSL.SSL")).and_then(|module| {
            let version = module.call_method1(intern!(py, "OpenSSL_version"), (0,))?;
            let version: Vec<u8> = version.extract()?;
            Ok(String::from_utf8_lossy(&version).into_owned())
        });
        Library::new(py, version, || {
            let table = &*Box::leak(Box::new(pyopenssl::table(py)?));
            self_check::openssl(py, table)?;
            Ok(table)
        })
    })?;
    Ok(Some(made))
}

impl Library {
    fn new(
        py: Python<'_>,
        version: PyResult<String>,
        find: impl FnOnce() -> PyResult<&'static Table>,
    ) -> PyResult<Library> {
        let found = if std::env::var_os(SWITCH).is_some_and(|set| set == "fallback") {
            Err(format!("{SWITCH} says so"))
        } else {
            match find() {
                Ok(table) => Ok(table),
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    Err(error.value(py).to_string())
                }
                Err(error) => return Err(error),
            }
        };
        let version = version.unwrap_or_default();
        Ok(match found {
            Ok(table) => Library {
                table: Some(table),
                why: String::new(),
                version,
            },
            Err(why) => Library {
                table: None,
                why,
                version,
            },
        })
    }
}
