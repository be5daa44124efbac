//! The attributes of a `WebSocketProtocol13`, under Tornado's names.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::fields::Fields;
use crate::core::websocket::Head;
use crate::py::support::attributes;
use crate::py::support::make;
use crate::py::support::names::intern;
use crate::py::tornado::streams::number;

/// One side of a connection.
pub struct Protocol<'py> {
    pub object: Bound<'py, PyAny>,
    pub fields: Fields<'py>,
}

impl<'py> Protocol<'py> {
    pub fn of(object: &Bound<'py, PyAny>) -> PyResult<Protocol<'py>> {
        Ok(Protocol {
            object: object.clone(),
            fields: Fields(attributes::dict(object)?.cast_into::<PyDict>()?),
        })
    }

    /// Whether none of the methods that are left out is somebody's own, of this object.
    pub fn is_plain(&self) -> PyResult<bool> {
        let (py, fields) = (self.object.py(), &self.fields.0);
        Ok(!fields.contains(intern!(py, "_read_bytes"))?
            && !fields.contains(intern!(py, "_handle_message"))?
            && !fields.contains(intern!(py, "_write_frame"))?)
    }

    /// Its stream, if it has one.
    pub fn stream(&self) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.fields.some(intern!(self.object.py(), "stream"))
    }

    /// How long the next message may be; `None`: compressed, or the rest of one that has begun.
    pub fn most(&self) -> PyResult<Option<usize>> {
        let py = self.object.py();
        if !self.is_none(intern!(py, "_decompressor"))?
            || !self.is_none(intern!(py, "_fragmented_message_buffer"))?
        {
            return Ok(None);
        }
        let Some(params) = self.fields.some(intern!(py, "params"))? else {
            return Ok(None);
        };
        Ok(number(&params.getattr(intern!(py, "max_message_size"))?))
    }

    /// Whether an attribute is None.
    pub fn is_none(&self, name: &Bound<'py, PyString>) -> PyResult<bool> {
        Ok(self.fields.get(name)?.is_some_and(|value| value.is_none()))
    }

    /// Notes what Tornado notes of a frame's head.
    pub fn note(&self, head: &Head) -> PyResult<()> {
        let py = self.object.py();
        if head.is_short {
            let length = make::Unsigned(head.length);
            self.fields.set(intern!(py, "_frame_length"), length)?;
        }
        if let Some(mask) = &head.mask {
            let mask = make::bytes(py, mask)?;
            self.fields.set(intern!(py, "_frame_mask"), mask)?;
        }
        Ok(())
    }

    /// Counts bytes that have come.
    pub fn count_in(&self, count: usize) -> PyResult<()> {
        self.count(intern!(self.object.py(), "_wire_bytes_in"), count)
    }

    /// Adds to an attribute that is a number.
    pub fn count(&self, name: &Bound<'py, PyString>, more: usize) -> PyResult<()> {
        let before = self.fields.number(name)?;
        match before.and_then(|before| before.checked_add(more)) {
            Some(after) => self.fields.set(name, make::Unsigned(after)),
            None => {
                let before = self.object.getattr(name)?;
                self.object.setattr(name, before.add(make::Unsigned(more))?)
            }
        }
    }
}
