//! What a port's attributes say, looked up once and then whenever one was set.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::DatagramTransport;
use crate::core::lock::lock;
use crate::py::twisted::attribute;
use crate::py::twisted::read_buffer::READ_SIZE;

/// Attributes that are what they mostly are.
#[derive(Clone, Copy)]
pub struct Plain {
    /// `maxThroughput`, in bytes.
    pub throughput: usize,
    /// `maxPacketSize`, in bytes; not more than `READ_SIZE`.
    pub size: usize,
    /// `addressFamily`.
    pub family: i32,
    /// Whether there is a `_connectedAddr`.
    pub is_connected: bool,
}

/// What was looked up, if that is what the attributes still say.
#[derive(Default)]
pub enum Known {
    /// Nothing yet.
    #[default]
    Nothing,
    /// This; `None`: some of them aren't plain.
    All(Option<Plain>),
}

/// The attributes, unless some of them aren't plain.
pub fn plain(slf: &Bound<'_, DatagramTransport>) -> Option<Plain> {
    let state = &slf.get().state;
    {
        let mut state = lock(state);
        if let Known::All(plain) = state.known {
            return plain;
        }
        // Looking may run code that sets one of them, which makes this `Nothing` again.
        state.known = Known::All(None);
    }
    let plain = look(slf).ok().filter(|plain| plain.size <= READ_SIZE);
    let mut state = lock(state);
    if matches!(state.known, Known::All(_)) {
        state.known = Known::All(plain);
    }
    plain
}

fn look(slf: &Bound<'_, DatagramTransport>) -> PyResult<Plain> {
    let py = slf.py();
    Ok(Plain {
        throughput: value(slf, intern!(py, "maxThroughput"))?.extract()?,
        size: value(slf, intern!(py, "maxPacketSize"))?.extract()?,
        family: value(slf, intern!(py, "addressFamily"))?.extract()?,
        is_connected: value(slf, intern!(py, "_connectedAddr"))?.is_truthy()?,
    })
}

/// An attribute that stays as it is until it is set, so not a property.
fn value<'py>(
    slf: &Bound<'py, DatagramTransport>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(default) = slf.get_type().getattr_opt(name)? {
        default.extract::<Option<i64>>()?;
    }
    slf.getattr(name)
}

#[pymethods]
impl DatagramTransport {
    /// Set an attribute.
    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let outcome = attribute::set(slf.as_any(), name, Some(value));
        lock(&slf.get().state).known = Known::Nothing;
        outcome
    }

    /// Delete an attribute.
    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        let outcome = attribute::set(slf.as_any(), name, None);
        lock(&slf.get().state).known = Known::Nothing;
        outcome
    }
}
