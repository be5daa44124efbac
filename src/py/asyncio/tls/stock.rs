//! asyncio's own classes, and whether they are as asyncio has them.
#![allow(unsafe_code)]

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use super::State;
use crate::py::support::class_version::ClassVersion;

/// The methods of the protocol that are done natively: one that somebody sets on an object
/// would not be called.
const METHODS: [&str; 16] = [
    "get_buffer",
    "buffer_updated",
    "max_size",
    "_do_read",
    "_do_read__buffered",
    "_do_read__copied",
    "_do_write",
    "_write_appdata",
    "_process_outgoing",
    "_control_app_writing",
    "_control_ssl_reading",
    "_get_read_buffer_size",
    "_get_write_buffer_size",
    "__getattr__",
    "__getattribute__",
    "__setattr__",
];

/// The methods of the transport that are done natively.
pub const TRANSPORT_METHODS: [&str; 2] = ["write", "writelines"];

/// The methods of the `ssl.SSLObject` that are done natively.
const OBJECT_METHODS: [&str; 2] = ["read", "write"];

/// How much asyncio reads at once: `SSLProtocol.max_size`.
pub const MAX_SIZE: usize = 256 * 1024;

/// What this knows of `asyncio.sslproto`.
struct Module {
    protocol: Class,
    transport: Class,
    object: Class,
    wrapped: Py<PyAny>,
    handshake: Py<PyAny>,
    flushing: Py<PyAny>,
    shutdown: Py<PyAny>,
    /// The names of the protocol's methods.
    methods: Vec<Py<PyString>>,
}

struct Class {
    class: Py<PyType>,
    /// The names of its module.
    names: Py<PyDict>,
    /// In which version what is done natively was found to be of its module.
    seen: ClassVersion,
}

fn module(py: Python<'_>) -> PyResult<&Module> {
    static MODULE: PyOnceLock<Module> = PyOnceLock::new();
    MODULE.get_or_try_init(py, || {
        let module = py.import(intern!(py, "asyncio.sslproto"))?;
        let class = |module: &Bound<'_, PyModule>, name| {
            PyResult::Ok(Class {
                class: module.getattr(name)?.cast_into::<PyType>()?.unbind(),
                names: module.dict().unbind(),
                seen: ClassVersion::default(),
            })
        };
        let states = module.getattr(intern!(py, "SSLProtocolState"))?;
        let state = |name| PyResult::Ok(states.getattr(name)?.unbind());
        Ok(Module {
            protocol: class(&module, "SSLProtocol")?,
            transport: class(&module, "_SSLProtocolTransport")?,
            object: class(&py.import(intern!(py, "ssl"))?, "SSLObject")?,
            wrapped: state("WRAPPED")?,
            handshake: state("DO_HANDSHAKE")?,
            flushing: state("FLUSHING")?,
            shutdown: state("SHUTDOWN")?,
            methods: METHODS
                .iter()
                .map(|name| make::name(py, name).map(Bound::unbind))
                .collect::<PyResult<_>>()?,
        })
    })
}

/// Whether an object is exactly of asyncio's class.
pub fn is_protocol(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let module = module(object.py())?;
    Ok(object.get_type().is(&module.protocol.class))
}

/// Whether an object is exactly of asyncio's class.
pub fn is_transport(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let module = module(object.py())?;
    Ok(object.get_type().is(&module.transport.class))
}

/// asyncio's class of the transport.
pub fn transport_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    Ok(module(py)?.transport.class.bind(py))
}

/// Which state an attribute says.
pub fn state(value: &Bound<'_, PyAny>) -> PyResult<State> {
    let module = module(value.py())?;
    Ok(if value.is(&module.wrapped) {
        State::Wrapped
    } else if value.is(&module.handshake) {
        State::Handshake
    } else if value.is(&module.flushing) {
        State::Flushing
    } else if value.is(&module.shutdown) {
        State::Shutdown
    } else {
        State::Unwrapped
    })
}

/// Whether an object's attributes stand in the way of its class's methods.
pub fn has_own(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    for name in &module(attributes.py())?.methods {
        if attributes.contains(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the methods that are done natively are those of asyncio.
#[inline]
pub fn is_unchanged(py: Python<'_>) -> PyResult<bool> {
    let module = module(py)?;
    Ok(module.protocol.has(py, &METHODS)?
        && module.transport.has(py, &TRANSPORT_METHODS)?
        && module.object.has(py, &OBJECT_METHODS)?)
}

/// Whether the attributes of an `ssl.SSLObject` stand in the way of its class's methods.
#[inline]
pub fn has_own_of_object(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    // What it stands for is the only one that it has by itself.
    if attributes.len() <= 1 {
        return Ok(false);
    }
    let py = attributes.py();
    Ok(attributes.contains(intern!(py, "read"))? || attributes.contains(intern!(py, "write"))?)
}

impl Class {
    /// Whether it has these attributes from its module.
    #[inline]
    fn has(&self, py: Python<'_>, names: &[&str]) -> PyResult<bool> {
        self.seen.holds(self.class.bind(py), || {
            for name in names {
                if !is_original(self, name, py)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// Whether an attribute of a class is what the class's module has put there.
fn is_original(class: &Class, name: &str, py: Python<'_>) -> PyResult<bool> {
    let found = class.class.bind(py).getattr(intern!(py, "__dict__"))?;
    let found = found.call_method1(intern!(py, "get"), (name,))?;
    if name.starts_with("__") {
        return Ok(found.is_none());
    }
    if name == "max_size" {
        return found.eq(MAX_SIZE);
    }
    // SAFETY: attached, and the object is alive. The second one is called for a function
    // only, and what it returns is borrowed from that.
    let globals = unsafe {
        if ffi::PyFunction_Check(found.as_ptr()) == 0 {
            return Ok(false);
        }
        ffi::PyFunction_GetGlobals(found.as_ptr())
    };
    Ok(globals == class.names.as_ptr())
}

/// Whether Python's `except Exception` catches it.
pub fn is_exception(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyException>(py)
}

/// What calls a report as from an `except` clause: asyncio's debug log has the traceback.
pub fn call_handling(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let find = || {
        let module = py.import(intern!(py, "tornado4.platform._handling"))?;
        PyResult::Ok(module.getattr(intern!(py, "call_handling"))?.unbind())
    };
    Ok(FUNCTION.get_or_try_init(py, find)?.bind(py))
}

/// Whether asyncio takes this exception of OpenSSL's for "not now".
pub fn means_again(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let find = || {
        PyResult::Ok(
            py.import(intern!(py, "ssl"))?
                .getattr(intern!(py, "SSLSyscallError"))?
                .unbind(),
        )
    };
    Ok(error.is_instance(py, CLASS.get_or_try_init(py, find)?.bind(py)))
}
