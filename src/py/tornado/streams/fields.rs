//! A stream's attributes, under Tornado's names.
#![allow(unsafe_code)]

use pyo3::BoundObject;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyInt};

use super::Watch;
use super::cache::{Field, Known};
use crate::py::support::dict_version::dict_version;

/// A stream's `__dict__`, and what is known of it.
pub struct Fields<'py> {
    pub dict: Bound<'py, PyDict>,
    pub watch: Bound<'py, Watch>,
}

impl<'py> Fields<'py> {
    /// What is known of an attribute.
    #[inline]
    fn known(&self, field: Field) -> Option<Known> {
        self.watch.get().cache.get(&self.dict, field)
    }

    /// Looks an attribute up.
    #[inline(never)]
    fn find(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.dict.get_item(field.name(self.dict.py()))?;
        if let Some(known) = kind(value.as_ref())
            && let Some(version) = dict_version(&self.dict)
        {
            let cache = &self.watch.get().cache;
            cache.note(version, field, Some(known));
        }
        Ok(value)
    }

    /// An attribute; `None` if there is none.
    #[inline]
    pub fn get(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.dict.py();
        match self.known(field) {
            Some(Known::Missing) => Ok(None),
            Some(Known::None) => Ok(Some(py.None().into_bound(py))),
            Some(Known::Flag(flag)) => Ok(Some(PyBool::new(py, flag).to_owned().into_any())),
            Some(Known::Number(_)) | None => self.find(field),
        }
    }

    /// An attribute that is neither missing nor None.
    #[inline]
    pub fn some(&self, field: Field) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.known(field) {
            Some(Known::Missing | Known::None) => Ok(None),
            _ => Ok(self.get(field)?.filter(|value| !value.is_none())),
        }
    }

    /// Whether an attribute is exactly True, or False; `None` if it is neither.
    #[inline]
    pub fn flag(&self, field: Field) -> PyResult<Option<bool>> {
        let known = match self.known(field) {
            None => kind(self.find(field)?.as_ref()),
            known => known,
        };
        Ok(match known {
            Some(Known::Flag(flag)) => Some(flag),
            _ => None,
        })
    }

    /// An attribute that is a number and no less than zero; `None` if it is anything else.
    #[inline]
    pub fn number(&self, field: Field) -> PyResult<Option<usize>> {
        let known = match self.known(field) {
            None => kind(self.find(field)?.as_ref()),
            known => known,
        };
        Ok(match known {
            Some(Known::Number(number)) => Some(number),
            _ => None,
        })
    }

    /// Sets an attribute.
    pub fn set(&self, field: Field, value: impl IntoPyObject<'py>) -> PyResult<()> {
        let py = self.dict.py();
        let value = value.into_pyobject(py).map_err(Into::into)?;
        let value = value.into_any().into_bound();
        // Kept, so that what frees it runs when the new version is noted.
        let replaced = match self.known(field) {
            Some(_) => None,
            None => self.dict.get_item(field.name(py))?,
        };
        let before = dict_version(&self.dict);
        self.dict.set_item(field.name(py), &value)?;
        if let (Some(before), Some(after)) = (before, dict_version(&self.dict)) {
            let cache = &self.watch.get().cache;
            cache.change(before, after, field, kind(Some(&value)));
        }
        drop(replaced);
        Ok(())
    }
}

/// What an attribute is, if it is of a kind that is kept.
#[inline]
fn kind(value: Option<&Bound<'_, PyAny>>) -> Option<Known> {
    let Some(value) = value else {
        return Some(Known::Missing);
    };
    if value.is_none() {
        return Some(Known::None);
    }
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        return Some(Known::Flag(flag.is_true()));
    }
    number(value).map(Known::Number)
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
