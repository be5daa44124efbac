//! The frameworks' own classes, by which an engine knows what it may drive.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use crate::py::support::class_version::ClassVersion;
use crate::py::support::imports;

/// Those of `ssl`.
pub struct Ssl {
    pub object: Stock,
    pub socket: Stock,
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
        let ssl = py.import(intern!(py, "ssl"))?;
        let native = py.import(intern!(py, "_ssl"))?;
        Ok(Ssl {
            object: Stock::of(&ssl, "SSLObject", &["read", "write"])?,
            socket: Stock::of(&ssl, "SSLSocket", &["read", "recv_into", "send"])?,
            inner: native.getattr(intern!(py, "_SSLSocket"))?.unbind(),
            memory_bio: native.getattr(intern!(py, "MemoryBIO"))?.unbind(),
            want_read: native.getattr(intern!(py, "SSLWantReadError"))?.unbind(),
            want_write: native.getattr(intern!(py, "SSLWantWriteError"))?.unbind(),
        })
    })
}

/// Those of pyOpenSSL.
pub struct OpenSsl {
    pub connection: Stock,
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
        let ssl = py.import(intern!(py, "OpenSSL.SSL"))?;
        PyResult::Ok(OpenSsl {
            connection: Stock::of(
                &ssl,
                "Connection",
                &["recv", "send", "bio_read", "bio_write"],
            )?,
            want_read: ssl.getattr(intern!(py, "WantReadError"))?.unbind(),
            want_write: ssl.getattr(intern!(py, "WantWriteError"))?.unbind(),
            zero_return: ssl.getattr(intern!(py, "ZeroReturnError"))?.unbind(),
        })
    })?;
    Ok(Some(made))
}

/// A class, and the methods of it that an engine stands for.
pub struct Stock {
    class: Py<PyType>,
    /// In which the class had the methods still.
    version: ClassVersion,
    /// By name; `None` if there is one of somebody's own.
    methods: Option<Py<PyDict>>,
}

impl Stock {
    fn of(module: &Bound<'_, PyModule>, class: &str, names: &[&str]) -> PyResult<Stock> {
        let py = module.py();
        let class = module.getattr(make::name(py, class)?)?;
        let class = class.cast_into::<PyType>()?;
        let methods = make::dict(py)?;
        let mut are_stock = true;
        for name in names {
            let name = make::name(py, name)?;
            let method = class.getattr(&name)?;
            let globals = method.getattr_opt(intern!(py, "__globals__"))?;
            are_stock &= globals.is_some_and(|globals| globals.is(module.dict()));
            methods.set_item(name, method)?;
        }
        Ok(Stock {
            class: class.unbind(),
            version: ClassVersion::new(),
            methods: are_stock.then(|| methods.unbind()),
        })
    }

    /// Whether an object is of this class exactly, and neither it nor the class has methods
    /// of somebody's own.
    ///
    /// # Errors
    /// Those of looking.
    pub fn is_class_of(&self, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = object.py();
        let class = self.class.bind(py);
        let Some(methods) = &self.methods else {
            return Ok(false);
        };
        if !object.get_type().is(class) {
            return Ok(false);
        }
        let has_them = || {
            for (name, method) in methods.bind(py) {
                if !class.getattr(name.cast_into::<PyString>()?)?.is(method) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        if !self.version.holds(class, has_them)? {
            return Ok(false);
        }
        let own = object.getattr(intern!(py, "__dict__"))?;
        let own = own.cast_into::<PyDict>()?;
        for (name, _) in methods.bind(py) {
            if own.contains(name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
