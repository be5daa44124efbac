//! A stream's attributes, under Tornado's names.
#![allow(unsafe_code)]

use pyo3::BoundObject;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyInt};

use super::Watch;
use super::cache::Field;
use crate::py::support::dict_version::dict_version;

/// A stream's `__dict__`, and what is known of it.
pub struct Fields<'py> {
    pub dict: Bound<'py, PyDict>,
    pub watch: Bound<'py, Watch>,
}

impl<'py> Fields<'py> {
    /// An attribute; `None` if there is none.
    #[inline]
    pub fn get(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.watch.get().cache.get(&self.dict, field) {
            // SAFETY: attached; the dict has it.
            Some(value) => Ok(unsafe { Bound::from_borrowed_ptr_or_opt(self.dict.py(), value) }),
            None => self.find(field),
        }
    }

    #[cold]
    #[inline(never)]
    fn find(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.dict.get_item(field.name(self.dict.py()))?;
        if let Some(version) = dict_version(&self.dict) {
            let cache = &self.watch.get().cache;
            cache.note(version, field, value.as_ref());
        }
        Ok(value)
    }

    /// An attribute that is neither missing nor None.
    #[inline]
    pub fn some(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.get(field)?.filter(|value| !value.is_none()))
    }

    /// Whether an attribute is exactly True, or False; `None` if it is neither.
    #[inline]
    pub fn flag(&self, field: Field) -> PyResult<Option<bool>> {
        let value = match self.watch.get().cache.get(&self.dict, field) {
            Some(value) => value,
            None => match self.find(field)? {
                // The dict has it, and nobody changes that here.
                Some(value) => value.as_ptr(),
                None => return Ok(None),
            },
        };
        // SAFETY: attached. The addresses are compared only.
        let (yes, no) = unsafe { (ffi::Py_True(), ffi::Py_False()) };
        Ok((value == yes || value == no).then_some(value == yes))
    }

    /// An attribute that is a number and no less than zero; `None` if it is anything else.
    #[inline]
    pub fn number(&self, field: Field) -> PyResult<Option<usize>> {
        Ok(self.get(field)?.as_ref().and_then(number))
    }

    /// Sets an attribute.
    pub fn set(&self, field: Field, value: impl IntoPyObject<'py>) -> PyResult<()> {
        let py = self.dict.py();
        let value = value.into_pyobject(py).map_err(Into::into)?;
        let value = value.into_any().into_bound();
        // Kept, so that what frees it runs when the new version is noted.
        let replaced = self.get(field)?;
        let before = dict_version(&self.dict);
        self.dict.set_item(field.name(py), &value)?;
        if let (Some(before), Some(after)) = (before, dict_version(&self.dict)) {
            let cache = &self.watch.get().cache;
            cache.change(before, after, field, &value);
        }
        drop(replaced);
        Ok(())
    }
}

/// A number that is exactly an `int`, and no less than zero.
pub fn number(value: &Bound<'_, PyAny>) -> Option<usize> {
    let value = value.cast_exact::<PyInt>().ok()?;
    // SAFETY: attached; an `int`.
    let number = unsafe { ffi::PyLong_AsSsize_t(value.as_ptr()) };
    if number == -1 {
        // Perhaps it is too large, which is an exception.
        drop(PyErr::take(value.py()));
    }
    number.try_into().ok()
}

/// Adds bytes at a `bytearray`'s end.
///
/// # Errors
/// `BufferError` if somebody has a view of it.
pub fn append(buffer: &Bound<'_, PyByteArray>, data: &[u8]) -> PyResult<()> {
    let before = buffer.len();
    let after = before
        .checked_add(data.len())
        .ok_or_else(|| PyMemoryError::new_err(()))?;
    buffer.resize(after)?;
    change(buffer, |bytes| {
        if let Some(room) = bytes.get_mut(before..) {
            room.copy_from_slice(data);
        }
    });
    Ok(())
}

/// Changes a `bytearray`'s content, of which nobody has a view: it was resized just now. `change`
/// runs no Python code.
pub fn change(buffer: &Bound<'_, PyByteArray>, change: impl FnOnce(&mut [u8])) {
    // GIL: no other thread looks at it, or changes it, meanwhile.
    //
    // SAFETY: no Python code runs while this is borrowed, and nobody else has a view, or it
    // couldn't have been resized.
    change(unsafe { buffer.as_bytes_mut() });
}

/// Takes bytes from a `bytearray`'s start.
///
/// # Errors
/// `BufferError` if somebody has a view of it.
pub fn take<'py>(buffer: &Bound<'py, PyByteArray>, count: usize) -> PyResult<Bound<'py, PyBytes>> {
    let py = buffer.py();
    // GIL: no other thread changes it meanwhile.
    //
    // SAFETY: no Python code runs while this is borrowed.
    let bytes = unsafe { buffer.as_bytes() };
    let taken = PyBytes::new_with(py, count.min(bytes.len()), |room| {
        room.copy_from_slice(bytes.get(..room.len()).unwrap_or_default());
        Ok(())
    })?;
    discard(buffer, taken.as_bytes().len())?;
    Ok(taken)
}

/// Drops bytes at a `bytearray`'s start.
///
/// # Errors
/// `BufferError` if somebody has a view of it.
pub fn discard(buffer: &Bound<'_, PyByteArray>, count: usize) -> PyResult<()> {
    // SAFETY: attached; the bytearray is alive.
    let outcome = unsafe { ffi::PySequence_DelSlice(buffer.as_ptr(), 0, count.cast_signed()) };
    if outcome < 0 {
        return Err(PyErr::fetch(buffer.py()));
    }
    Ok(())
}

/// Looks at a `bytearray`'s content. `look` runs no Python code.
pub fn look<R>(buffer: &Bound<'_, PyByteArray>, look: impl FnOnce(&[u8]) -> R) -> R {
    // GIL: as above.
    //
    // SAFETY: no Python code runs while this is borrowed.
    look(unsafe { buffer.as_bytes() })
}
