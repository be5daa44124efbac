//! Bytes-like objects of Python's, as memory to read from or to write into.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// A view of an object's memory, which stays where it is until this is dropped.
///
/// Making one may run Python code, the object's own; using it doesn't.
pub struct View(ffi::Py_buffer);

impl View {
    /// The bytes of a contiguous object.
    ///
    /// # Errors
    /// `BufferError` for one that isn't contiguous; `TypeError` for one that isn't bytes-like.
    pub fn of_bytes(object: &Bound<'_, PyAny>) -> PyResult<View> {
        View::new(object, ffi::PyBUF_SIMPLE)
    }

    /// The memory of a contiguous, writable object.
    ///
    /// # Errors
    /// As `of_bytes`; `BufferError` for one that isn't writable.
    pub fn of_memory(object: &Bound<'_, PyAny>) -> PyResult<View> {
        View::new(object, ffi::PyBUF_WRITABLE)
    }

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

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len.try_into().unwrap_or_default()
    }

    /// Gives `read` the bytes. `read` runs no Python code.
    pub fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        if self.len() == 0 {
            return read(&[]);
        }
        let start = self.0.buf.cast_const().cast();
        // GIL: no other thread writes to them meanwhile.
        //
        // SAFETY: the view keeps so many bytes in place, and `read` runs no Python code, so
        // nobody writes to them but who has let go of the GIL in the midst of that, such as
        // a file's `readinto`: that is as wrong with Python's own sockets.
        read(unsafe { std::slice::from_raw_parts(start, self.len()) })
    }

    /// Gives `fill` the memory of a view that was made of memory; of any other, none.
    /// `fill` runs no Python code.
    pub fn fill<R>(&mut self, fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
        if self.len() == 0 || self.0.readonly != 0 {
            return fill(&mut []);
        }
        // GIL: no other thread looks at them, or writes to them, meanwhile.
        //
        // SAFETY: the view keeps so many bytes in place; the object says that they may be
        // written to, and nobody looks at them but who has let go of the GIL in the midst of
        // that, as above.
        fill(unsafe { std::slice::from_raw_parts_mut(self.0.buf.cast(), self.len()) })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: `PyObject_GetBuffer` has filled it in, and this is the only release, by
        // an attached thread: a `View` is neither `Send` nor kept by anything.
        unsafe { ffi::PyBuffer_Release(&raw mut self.0) };
    }
}

/// What these say, one after the other.
///
/// # Errors
/// Memory is short.
pub fn join<'py>(pieces: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyBytes>> {
    let py = pieces.py();
    let joined = make::bytes(py, b"")?.call_method1(intern!(py, "join"), (pieces,))?;
    Ok(joined.cast_into()?)
}
