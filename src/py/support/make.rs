//! Objects of Python's that are made of Rust's values. PyO3's constructors panic when memory
//! is short; these raise `MemoryError`.
#![allow(unsafe_code)]

use pyo3::PyErrArguments;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Takes what a function of the interpreter has made.
///
/// # Safety
/// `object` is a new reference to an instance of `T`, or null with an exception set.
unsafe fn made<T>(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<Bound<'_, T>> {
    // SAFETY: the caller's.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked()) }
}

/// `bytes` of this size, which `fill` fills: it says how far, and what it leaves is zero.
///
/// # Errors
/// `MemoryError`.
pub fn bytes_with(
    py: Python<'_>,
    size: usize,
    fill: impl FnOnce(&mut [u8]) -> usize,
) -> PyResult<Bound<'_, PyBytes>> {
    PyBytes::new_with(py, size, |room| {
        fill(room);
        Ok(())
    })
}

/// `bytes` with all of these, one after the other, as `change` leaves them.
///
/// # Errors
/// `MemoryError`.
pub fn bytes_changed<'py, const N: usize>(
    py: Python<'py>,
    parts: [&[u8]; N],
    change: impl FnOnce(&mut [u8]),
) -> PyResult<Bound<'py, PyBytes>> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    // SAFETY: attached. A null pointer asks for bytes of this size that aren't initialized, and
    // that nobody else has, unless there are none of them. All of them are copied there before
    // they are looked at; nobody else sees them before this returns.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size.cast_signed());
        let made: Bound<'_, PyBytes> = made(py, object)?;
        let start = ffi::PyBytes_AsString(made.as_ptr()).cast::<u8>();
        let mut at = start;
        for part in parts {
            std::ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
            at = at.add(part.len());
        }
        change(std::slice::from_raw_parts_mut(start, size));
        Ok(made)
    }
}

/// `bytes` with these.
///
/// # Errors
/// `MemoryError`.
#[inline]
pub fn bytes<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let size = data.len().cast_signed();
    // SAFETY: attached; there are so many bytes.
    unsafe {
        made(
            py,
            ffi::PyBytes_FromStringAndSize(data.as_ptr().cast(), size),
        )
    }
}

/// A `str`.
///
/// # Errors
/// `MemoryError`.
pub fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let size = text.len().cast_signed();
    // SAFETY: attached; so many bytes of UTF-8.
    unsafe {
        made(
            py,
            ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), size),
        )
    }
}

/// A `str` that is interned, for a name.
///
/// # Errors
/// `MemoryError`.
pub fn name<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyString>> {
    let mut object = text(py, name)?.into_ptr();
    // SAFETY: attached; the reference is owned, and the same or another one comes back.
    unsafe {
        ffi::PyUnicode_InternInPlace(&raw mut object);
        made(py, object)
    }
}

/// A `float`.
///
/// # Errors
/// `MemoryError`.
#[inline]
pub fn float(py: Python<'_>, value: f64) -> PyResult<Bound<'_, PyFloat>> {
    // SAFETY: attached.
    unsafe { made(py, ffi::PyFloat_FromDouble(value)) }
}

/// An `int` that isn't negative.
///
/// # Errors
/// `MemoryError`.
#[inline]
pub fn unsigned(py: Python<'_>, value: impl Into<u64>) -> PyResult<Bound<'_, PyInt>> {
    // SAFETY: attached.
    unsafe { made(py, ffi::PyLong_FromUnsignedLongLong(value.into())) }
}

/// A size, or a count.
///
/// # Errors
/// `MemoryError`.
#[inline]
pub fn size(py: Python<'_>, value: usize) -> PyResult<Bound<'_, PyInt>> {
    // SAFETY: attached.
    unsafe { made(py, ffi::PyLong_FromSize_t(value)) }
}

/// An `int`.
///
/// # Errors
/// `MemoryError`.
#[inline]
pub fn signed(py: Python<'_>, value: impl Into<i64>) -> PyResult<Bound<'_, PyInt>> {
    // SAFETY: attached.
    unsafe { made(py, ffi::PyLong_FromLongLong(value.into())) }
}

/// An empty `dict`.
///
/// # Errors
/// `MemoryError`.
pub fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: attached.
    unsafe { made(py, ffi::PyDict_New()) }
}

/// A `list` of these.
///
/// # Errors
/// `MemoryError`.
pub fn list<'py, T>(
    py: Python<'py>,
    items: impl IntoIterator<Item = Bound<'py, T>>,
) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: attached.
    let list: Bound<'_, PyList> = unsafe { made(py, ffi::PyList_New(0))? };
    for item in items {
        list.append(item.into_any())?;
    }
    Ok(list)
}

/// A `tuple` of these.
///
/// # Errors
/// `MemoryError`.
pub fn tuple<'py, const N: usize>(
    py: Python<'py>,
    items: [Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: attached. Each place of the new tuple is filled once, with a reference that is
    // given away; there are as many as items.
    unsafe {
        let tuple: Bound<'_, PyTuple> = made(py, ffi::PyTuple_New(N.cast_signed()))?;
        for (at, item) in (0..).zip(items) {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), at, item.into_ptr());
        }
        Ok(tuple)
    }
}

/// What an exception says. It has no text where there is no memory for it: PyO3 makes that
/// when the exception is raised, and whatever panics there ends the process.
pub struct Said<T>(pub T);

impl<T: AsRef<str> + Send + Sync + 'static> PyErrArguments for Said<T> {
    fn arguments(self, py: Python<'_>) -> Py<PyAny> {
        text(py, self.0.as_ref()).map_or_else(|_| py.None(), |text| text.into_any().unbind())
    }
}

/// The number of an error of the system's, and its text; as `Said`.
pub struct Errno(pub i32, pub String);

impl PyErrArguments for Errno {
    fn arguments(self, py: Python<'_>) -> Py<PyAny> {
        let number = signed(py, self.0).map(Bound::into_any);
        let text = text(py, &self.1).map(Bound::into_any);
        let both = number.and_then(|number| tuple(py, [number, text?]));
        both.map_or_else(|_| py.None(), |both| both.into_any().unbind())
    }
}

/// What a method returns as a `float`.
#[derive(Clone, Copy)]
pub struct Float(pub f64);

impl<'py> IntoPyObject<'py> for Float {
    type Target = PyFloat;
    type Output = Bound<'py, PyFloat>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        float(py, self.0)
    }
}

/// What a method returns as an `int` that isn't negative.
#[derive(Clone, Copy)]
pub struct Unsigned<T>(pub T);

impl<'py, T: TryInto<u64>> IntoPyObject<'py> for Unsigned<T> {
    type Target = PyInt;
    type Output = Bound<'py, PyInt>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        // Every size is one.
        unsigned(py, self.0.try_into().unwrap_or(u64::MAX))
    }
}
