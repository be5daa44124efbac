//! Twisted's and pyOpenSSL's own classes, and whether they are as they come.

use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyModule, PyType};

use super::known::{AGGREGATOR, CONNECTING, LAYER, WRAPPER, WRITING};
use super::original::{are_known, is_original};
use crate::py::support::attributes;
use crate::py::support::class_version::ClassVersion;
use crate::py::support::imports;

/// What its class says as long as the object doesn't.
const NOT_YET: [&str; 3] = ["_handshakeDone", "_lostTLSConnection", "_aborted"];

/// What only the object says.
const OF_OBJECT: [&str; 3] = ["_tlsConnection", "_appSendBuffer", "wrappedProtocol"];

/// The methods of a `Connection` that the shorter way leaves out.
const CONNECTION: [&str; 4] = ["recv", "send", "bio_read", "bio_write"];

/// The classes, and in which versions they were found to be as they come.
pub struct Stock {
    pub plain: Py<PyType>,
    pub buffering: Py<PyType>,
    pub aggregator: Py<PyType>,
    /// `OpenSSL.SSL.Error`.
    pub error: Py<PyAny>,
    pub failure: Py<PyAny>,
    /// `twisted.internet.protocol.Protocol`.
    pub protocol: Py<PyType>,
    pub wrapper: Py<PyType>,
    connection: Py<PyType>,
    factory: Py<PyType>,
    tls: Py<PyModule>,
    policies: Py<PyModule>,
    openssl: Py<PyModule>,
    plain_seen: ClassVersion,
    buffering_seen: ClassVersion,
    connecting_seen: ClassVersion,
    factory_seen: ClassVersion,
    aggregator_seen: ClassVersion,
    connection_seen: ClassVersion,
}

/// The classes; `None` while nobody has imported them, or if one of the modules isn't what
/// it is called, which is no business of connections without TLS.
///
/// # Errors
/// Those that are no `Exception`.
#[inline]
pub fn stock(py: Python<'_>) -> PyResult<Option<&'static Stock>> {
    static STOCK: PyOnceLock<Stock> = PyOnceLock::new();
    if let Some(stock) = STOCK.get(py) {
        return Ok(Some(stock));
    }
    if !imports::is_loaded(py, "twisted.protocols.tls")? {
        return Ok(None);
    }
    match Stock::find(py) {
        Ok(found) => Ok(found.map(|found| STOCK.get_or_init(py, || found))),
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Stock {
    /// `twisted.protocols.tls`.
    pub fn module<'py>(&self, py: Python<'py>) -> &Bound<'py, PyModule> {
        self.tls.bind(py)
    }

    /// `None`: they are being imported.
    ///
    /// # Errors
    /// Those of modules that aren't what they are called.
    fn find(py: Python<'_>) -> PyResult<Option<Stock>> {
        let tls = py.import(intern!(py, "twisted.protocols.tls"))?;
        if tls
            .getattr_opt(intern!(py, "TLSMemoryBIOFactory"))?
            .is_none()
        {
            return Ok(None);
        }
        let class = |module: &Bound<'_, PyModule>, name| -> PyResult<Py<PyType>> {
            Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        let policies = py.import(intern!(py, "twisted.protocols.policies"))?;
        let openssl = py.import(intern!(py, "OpenSSL.SSL"))?;
        let failure = py
            .import(intern!(py, "twisted.python.failure"))?
            .getattr(intern!(py, "Failure"))?;
        Ok(Some(Stock {
            plain: class(&tls, "TLSMemoryBIOProtocol")?,
            buffering: class(&tls, "BufferingTLSTransport")?,
            aggregator: class(&tls, "_AggregateSmallWrites")?,
            error: openssl.getattr(intern!(py, "Error"))?.unbind(),
            failure: failure.unbind(),
            protocol: class(&tls, "Protocol")?,
            factory: class(&tls, "TLSMemoryBIOFactory")?,
            connection: class(&openssl, "Connection")?,
            wrapper: class(&policies, "ProtocolWrapper")?,
            tls: tls.unbind(),
            policies: policies.unbind(),
            openssl: openssl.unbind(),
            plain_seen: ClassVersion::default(),
            buffering_seen: ClassVersion::default(),
            connecting_seen: ClassVersion::default(),
            factory_seen: ClassVersion::default(),
            aggregator_seen: ClassVersion::default(),
            connection_seen: ClassVersion::default(),
        }))
    }

    /// Whether a protocol is of one of the two classes, and these and pyOpenSSL's are as
    /// they come.
    ///
    /// # Errors
    /// None, unless the classes are broken.
    #[inline]
    pub fn serves(&self, protocol: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, class) = (protocol.py(), protocol.get_type());
        let seen = if class.is(&self.buffering) {
            &self.buffering_seen
        } else if class.is(&self.plain) {
            &self.plain_seen
        } else {
            return Ok(false);
        };
        let connection = self.connection.bind(py);
        Ok(seen.holds(&class, || self.is_layer(&class))?
            && self
                .connection_seen
                .holds(connection, || self.is_connection(connection))?)
    }

    fn is_layer(&self, class: &Bound<'_, PyType>) -> PyResult<bool> {
        let py = class.py();
        for name in NOT_YET {
            if !class.getattr(name)?.is(PyBool::new(py, false)) {
                return Ok(false);
            }
        }
        for name in OF_OBJECT {
            if class.getattr_opt(name)?.is_some() {
                return Ok(false);
            }
        }
        let (base, tls) = (self.plain.bind(py), self.tls.bind(py));
        let (wrapper, policies) = (self.wrapper.bind(py), self.policies.bind(py));
        let owner = "TLSMemoryBIOProtocol";
        Ok(are_known(class, &LAYER, tls, owner)?
            && are_known(base, &WRITING, tls, owner)?
            && are_known(wrapper, &WRAPPER, policies, "ProtocolWrapper")?)
    }

    /// Whether the `makeConnection` of a protocol's class is Twisted's own.
    ///
    /// # Errors
    /// As `serves`.
    pub fn connects(&self, protocol: &Bound<'_, PyAny>) -> PyResult<bool> {
        let class = protocol.get_type();
        if !class.is(&self.buffering) {
            return Ok(false);
        }
        self.connecting_seen.holds(&class, || {
            let tls = self.tls.bind(class.py());
            are_known(&class, &CONNECTING, tls, "TLSMemoryBIOProtocol")
        })
    }

    /// Whether a factory is Twisted's own, and only notes which protocols there are.
    ///
    /// # Errors
    /// As `serves`.
    pub fn registers(&self, factory: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, class) = (factory.py(), factory.get_type());
        if !class.is(&self.factory) {
            return Ok(false);
        }
        let name = "registerProtocol";
        let own = attributes::dict(factory)?.cast_into::<PyDict>()?;
        let seen = self.factory_seen.holds(&class, || {
            let policies = self.policies.bind(py);
            is_original(&class, name, policies, "WrappingFactory.registerProtocol")
        })?;
        Ok(seen && !own.contains(name)?)
    }

    fn is_connection(&self, class: &Bound<'_, PyType>) -> PyResult<bool> {
        let module = self.openssl.bind(class.py());
        all_original(class, &CONNECTION, module, "Connection")
    }

    /// Whether this is an `_AggregateSmallWrites` as it comes.
    ///
    /// # Errors
    /// None, unless the class is broken.
    pub fn aggregates(&self, aggregator: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, class) = (aggregator.py(), aggregator.get_type());
        if !class.is(&self.aggregator) {
            return Ok(false);
        }
        self.aggregator_seen.holds(&class, || {
            let size = class.getattr(intern!(py, "MAX_BUFFER_SIZE"))?;
            Ok(size.eq(super::writing::MAX_BUFFER_SIZE)?
                && are_known(
                    &class,
                    &AGGREGATOR,
                    self.tls.bind(py),
                    "_AggregateSmallWrites",
                )?)
        })
    }
}

fn all_original(
    class: &Bound<'_, PyType>,
    names: &[&str],
    module: &Bound<'_, PyAny>,
    owner: &str,
) -> PyResult<bool> {
    for name in names {
        if !is_original(class, name, module, &format!("{owner}.{name}"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an object has one of these attributes of its own.
///
/// # Errors
/// None.
#[inline]
pub fn has_any<const N: usize>(
    attributes: &Bound<'_, PyDict>,
    names: [&Bound<'_, pyo3::types::PyString>; N],
) -> PyResult<bool> {
    for name in names {
        if attributes.contains(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
