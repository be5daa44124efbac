//! Looking at a `str`, and at objects that are exactly of a class.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::string::PyStringData;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

/// The characters of a `str`, if all are of Latin-1.
pub fn latin1<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    // SAFETY: a `str` never changes, and this is compiled for the interpreter that runs it.
    match unsafe { text.data() } {
        Ok(PyStringData::Ucs1(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The characters of a `str`, if all are of ASCII.
pub fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    let bytes = latin1(text)?;
    bytes.is_ascii().then(|| str::from_utf8(bytes).ok())?
}

/// An item of a tuple, if it is a `str` itself.
pub fn string<'py>(tuple: &Bound<'py, PyTuple>, at: usize) -> Option<Bound<'py, PyString>> {
    exact(tuple.get_item(at).ok()?)
}

/// An object that is a `str` itself.
pub fn exact(object: Bound<'_, PyAny>) -> Option<Bound<'_, PyString>> {
    object.cast_into_exact::<PyString>().ok()
}

/// The only item of a list that is one itself.
pub fn only<'py>(list: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    let list = list.cast_exact::<PyList>().ok()?;
    if list.len() != 1 {
        return None;
    }
    exact(list.get_item(0).ok()?)
}

/// Makes an instance of a named tuple's class.
///
/// # Errors
/// `MemoryError`.
pub fn named_tuple<'py, const N: usize>(
    class: &Bound<'py, PyAny>,
    items: [Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let items = crate::py::support::make::tuple(py, items)?;
    let arguments = crate::py::support::make::tuple(py, [items.into_any()])?;
    // SAFETY: attached. The class is a subclass of tuple, whose own `tp_new` makes instances
    // of its subclasses of one argument that is iterable.
    unsafe {
        let new = ffi::PyTuple_Type.tp_new;
        let Some(new) = new else {
            return class.call1(arguments);
        };
        let made = new(
            class.as_ptr().cast(),
            arguments.as_ptr(),
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// How many keyword arguments there are.
pub fn count(kwargs: Option<&Bound<'_, PyDict>>) -> usize {
    kwargs.map_or(0, |kwargs| kwargs.len())
}
