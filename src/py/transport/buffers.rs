//! Bytes-like objects of Python's, as memory to read from or to write into.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;

/// A view of an object's memory, which stays where it is until this is dropped.
struct View(ffi::Py_buffer);

impl View {
    fn new(object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<View> {
        let mut view = ffi::Py_buffer::new();
        // SAFETY: the interpreter is attached, the object is alive, and `view` is valid
        // for writes. Nothing in it points to itself: without a shape asked for, none is
        // given.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut view, flags) } < 0 {
            return Err(PyErr::fetch(object.py()));
        }
        Ok(View(view))
    }

    fn len(&self) -> usize {
        self.0.len.try_into().unwrap_or_default()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: `PyObject_GetBuffer` has filled it in, and this is the only release. The
        // functions below keep it no longer than their own `Bound`.
        unsafe { ffi::PyBuffer_Release(&raw mut self.0) };
    }
}

/// Gives `read` the bytes of a contiguous object. `read` runs no Python code.
///
/// # Errors
/// `BufferError` for one that isn't contiguous; `TypeError` for one that isn't bytes-like.
pub fn with_bytes<R>(object: &Bound<'_, PyAny>, read: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
    let view = View::new(object, ffi::PyBUF_SIMPLE)?;
    if view.len() == 0 {
        return Ok(read(&[]));
    }
    // SAFETY: the view keeps so many bytes in place, and nobody writes to them while the
    // interpreter stays attached and `read` runs no Python code.
    let bytes = unsafe { std::slice::from_raw_parts(view.0.buf.cast_const().cast(), view.len()) };
    Ok(read(bytes))
}

/// Gives `write` the memory of a contiguous, writable object. `write` runs no Python code.
///
/// # Errors
/// `BufferError` for one that isn't writable or contiguous; `TypeError` for one that isn't
/// bytes-like.
pub fn with_memory<R>(
    object: &Bound<'_, PyAny>,
    write: impl FnOnce(&mut [MaybeUninit<u8>]) -> R,
) -> PyResult<R> {
    let view = View::new(object, ffi::PyBUF_WRITABLE)?;
    if view.len() == 0 {
        return Ok(write(&mut []));
    }
    // SAFETY: the view keeps so many bytes in place; the object says that they may be
    // written to, and nobody looks at them while the interpreter stays attached.
    let memory = unsafe { std::slice::from_raw_parts_mut(view.0.buf.cast(), view.len()) };
    Ok(write(memory))
}
