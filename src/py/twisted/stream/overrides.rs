//! Methods of somebody's own in place of native ones: a subclass's, or an object's.
//!
//! Where there is one that the fast path would not call, it is never taken.
#![allow(unsafe_code)]

use crate::py::support::make;
use crate::py::support::make::Said;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::py::support::names::intern;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PySuper, PyTuple, PyType};

use super::own::{IN_THE_WAY, NAMES, Name, SENDS};
use super::{BUFFER_SIZE, Flag, StreamTransport, attributes, missing};
use crate::py::support::imports;

/// A native method as an attribute of a transport's class, which can be replaced on each
/// transport: `Replaceable(name)`.
///
/// As on every object, what was set on a transport is found before what its class has;
/// but the transport knows of it.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Replaceable {
    name: Py<PyString>,
    bit: u32,
}

#[pymethods]
impl Replaceable {
    #[new]
    fn new(name: &Bound<'_, PyString>) -> PyResult<Self> {
        let replaceable = IN_THE_WAY | SENDS;
        let word = name.to_str()?;
        let found = NAMES.iter().find(|(_, other)| *other == word);
        match found {
            Some((bit, _)) if bit & replaceable != 0 && word != "socket" => Ok(Replaceable {
                name: name.clone().unbind(),
                bit: *bit,
            }),
            _ => Err(PyValueError::new_err(Said(format!(
                "{word} isn't replaceable"
            )))),
        }
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        transport: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let Some(transport) = transport else {
            return Ok(slf.clone().into_any());
        };
        let stream = transport.cast::<StreamTransport>()?;
        let own = {
            let state = stream.get().state.lock(stream.py());
            state.own.get(this.bit).map(|own| own.bind(py).clone())
        };
        own.map_or_else(|| this.native(stream), Ok)
    }

    fn __set__(&self, transport: &Bound<'_, PyAny>, method: &Bound<'_, PyAny>) -> PyResult<()> {
        let stream = transport.cast::<StreamTransport>()?;
        let native = self.bit == Name::Fileno as u32 && is_of_socket(stream, method)?;
        self.put(stream, (!native).then(|| method.clone().unbind()));
        Ok(())
    }

    fn __delete__(&self, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let stream = transport.cast::<StreamTransport>()?;
        let py = stream.py();
        let set = stream.get().state.lock(stream.py()).set_attributes();
        if set & self.bit == 0 {
            return Err(missing(self.name.bind(py).to_str()?));
        }
        let mut rest = None;
        if self.bit == Name::Fileno as u32 && stream.get().has_socket(py) {
            // Set by Twisted's constructor. Behind it is that of its `FileDescriptor`.
            rest = Some(behind(stream, intern!(py, "fileno"))?.unbind());
        }
        let before = stream
            .get()
            .state
            .lock(stream.py())
            .own
            .put(self.bit, false, rest);
        drop(before);
        Ok(())
    }

    #[getter]
    fn __name__(&self, py: Python<'_>) -> Py<PyString> {
        self.name.clone_ref(py)
    }

    #[getter]
    fn __qualname__(&self, py: Python<'_>) -> String {
        format!("StreamTransport.{}", self.name.bind(py))
    }

    /// Call the native method of a transport, whatever was set on it.
    #[pyo3(signature = (transport, *args, **kwargs))]
    fn __call__<'py>(
        &self,
        transport: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Ok(stream) = transport.cast::<StreamTransport>() else {
            let class = transport.get_type();
            let message = format!("a StreamTransport is needed, not {}", class.name()?);
            return Err(PyTypeError::new_err(Said(message)));
        };
        self.native(stream)?.call(args, kwargs)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.name)
    }
}

impl Replaceable {
    fn put(&self, stream: &Bound<'_, StreamTransport>, method: Option<Py<PyAny>>) {
        let set = method.is_some();
        let before = stream
            .get()
            .state
            .lock(stream.py())
            .own
            .put(self.bit, set, method);
        drop(before);
    }

    /// The native method, bound to a transport.
    fn native<'py>(&self, stream: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
        let py = stream.py();
        // Where Python code stands between, the native half has a name of its own.
        match self.bit {
            bit if bit == Name::DoRead as u32 => stream.getattr(intern!(py, "_doRead")),
            bit if bit == Name::DoWrite as u32 => stream.getattr(intern!(py, "_doWrite")),
            bit if bit == Name::LogPrefix as u32 => stream.getattr(intern!(py, "_logPrefix")),
            bit if bit == Name::WriteSomeData as u32 => behind(stream, self.name.bind(py)),
            _ => bound(stream, self.name.bind(py)),
        }
    }
}

/// A method of the native class itself, bound to a transport.
fn bound<'py>(
    stream: &Bound<'py, StreamTransport>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = stream.py();
    let class = py.get_type::<StreamTransport>();
    let method = class.getattr(name)?;
    // SAFETY: attached; all three are alive. A method's type is a descriptor, which
    // returns a new reference, or null with an exception.
    unsafe {
        let Some(get) = (*method.get_type().as_type_ptr()).tp_descr_get else {
            return Err(missing(name.to_str()?));
        };
        let bound = get(method.as_ptr(), stream.as_ptr(), class.as_ptr());
        Bound::from_owned_ptr_or_err(py, bound)
    }
}

/// What Twisted's own classes have, behind the native one.
///
/// # Errors
/// `AttributeError` if they have nothing of that name.
pub fn behind<'py>(
    stream: &Bound<'py, StreamTransport>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let class = stream.py().get_type::<StreamTransport>();
    PySuper::new(&class, stream)?.getattr(name)
}

/// `fileno` as Twisted's own transports have it among their attributes: somebody's own, or
/// that of the socket object.
///
/// # Errors
/// `AttributeError` if there is no socket.
pub fn fileno<'py>(slf: &Bound<'py, StreamTransport>) -> PyResult<Bound<'py, PyAny>> {
    let own = slf.get().own(slf.py(), Name::Fileno);
    let set = slf
        .get()
        .state
        .lock(slf.py())
        .own
        .is_set(Name::Fileno as u32);
    match own {
        Some(own) if set => Ok(own),
        Some(_) => Err(missing("fileno")),
        None => attributes::own_socket(slf)?.getattr(intern!(slf.py(), "fileno")),
    }
}

/// Whether a class leaves to the native transport what the fast path doesn't call.
///
/// # Errors
/// None, unless the class is broken.
fn is_native(class: &Bound<'_, PyType>) -> PyResult<bool> {
    for (bit, name) in NAMES {
        let method = bit & IN_THE_WAY != 0 && name != "socket";
        if method && !is_inherited(class, &make::name(class.py(), name)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a class sends by a `doWrite` or a `writeSomeData` of its own; see `Stream`.
///
/// # Errors
/// None, unless the class is broken.
fn sends_itself(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    Ok(!is_inherited(class, intern!(py, "doWrite"))?
        || !is_inherited(class, intern!(py, "writeSomeData"))?)
}

/// Whether somebody has changed a class's methods since it was made.
static CHANGED: AtomicBool = AtomicBool::new(false);

/// Somebody has changed a class's methods.
pub fn classes_changed() {
    CHANGED.store(true, Ordering::Relaxed);
}

/// Notes what the transport's class leaves to the native code.
///
/// # Errors
/// `TypeError` for a buffer's size that isn't a number; no other, unless the class is broken.
pub fn look_at_class(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    let class = slf.get_type();
    let (native, sends) = (is_native(&class)?, sends_itself(&class)?);
    let size = buffer_size(&class)?;
    let mut state = slf.get().state.lock(slf.py());
    state.set(Flag::NativeClass, native);
    state.set(Flag::OwnWrite, sends);
    if !state.own.is_set(Name::BufferSize as u32) {
        state.stream.buffer.set_high(size);
    }
    Ok(())
}

/// Notes the same of a transport of our own class, which leaves everything to it unless
/// somebody has changed it.
///
/// # Errors
/// As `look_at_class`.
pub fn look_at_own_class(slf: &Bound<'_, StreamTransport>) -> PyResult<()> {
    if CHANGED.load(Ordering::Relaxed) {
        return look_at_class(slf);
    }
    slf.get().set(slf.py(), Flag::NativeClass, true);
    Ok(())
}

/// The buffer's size that a class says, or else Twisted's.
///
/// # Errors
/// `TypeError` for one that isn't a number.
pub fn buffer_size(class: &Bound<'_, PyType>) -> PyResult<usize> {
    let name = intern!(class.py(), "bufferSize");
    let native = class.py().get_type::<StreamTransport>();
    let size = class.getattr(name)?;
    if size.is(native.getattr(name)?) {
        return Ok(BUFFER_SIZE);
    }
    size.extract()
}

/// Whether a class has a method from the native transport.
fn is_inherited(class: &Bound<'_, PyType>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let found = class.getattr_opt(name)?;
    Ok(found.is_none_or(|found| found.is_exact_instance_of::<Replaceable>()))
}

/// Whether this is a method of the transport's socket object: Twisted takes its `fileno`.
fn is_of_socket(slf: &Bound<'_, StreamTransport>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = slf.py();
    let Some(owner) = value.getattr_opt(intern!(py, "__self__"))? else {
        return Ok(false);
    };
    let plain = owner.get_type().is(imports::socket_class(py)?);
    let state = slf.get().state.lock(slf.py());
    let socket = state.stream.socket.as_ref();
    Ok(plain && socket.is_some_and(|socket| socket.is(&owner)))
}
