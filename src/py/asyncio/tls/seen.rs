//! What asyncio's protocol says in its attributes.
//!
//! A record that comes and goes needs twenty of them, which nobody changes meanwhile. So
//! they are remembered, with the number that the interpreter gives to what is in the dict
//! at that moment. Where it gives none, they are looked up each time.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::{State, Tls, stock};
use crate::py::support::dict_version::dict_version;

/// An attribute that is true or false.
#[derive(Clone, Copy)]
pub enum Flag {
    AppReadingPaused,
    SslReadingPaused,
    AppWritingPaused,
    SslWritingPaused,
    /// The application's is a `BufferedProtocol`.
    Buffered,
}

const FLAGS: [Flag; 5] = [
    Flag::AppReadingPaused,
    Flag::SslReadingPaused,
    Flag::AppWritingPaused,
    Flag::SslWritingPaused,
    Flag::Buffered,
];

/// An attribute that is a number of bytes.
#[derive(Clone, Copy)]
pub enum Size {
    WriteBuffer,
    OutgoingHigh,
    OutgoingLow,
    IncomingHigh,
    IncomingLow,
}

const SIZES: [Size; 5] = [
    Size::WriteBuffer,
    Size::OutgoingHigh,
    Size::OutgoingLow,
    Size::IncomingHigh,
    Size::IncomingLow,
];

impl Flag {
    fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Flag::AppReadingPaused => intern!(py, "_app_reading_paused"),
            Flag::SslReadingPaused => intern!(py, "_ssl_reading_paused"),
            Flag::AppWritingPaused => intern!(py, "_app_writing_paused"),
            Flag::SslWritingPaused => intern!(py, "_ssl_writing_paused"),
            Flag::Buffered => intern!(py, "_app_protocol_is_buffer"),
        }
    }
}

impl Size {
    pub(super) fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Size::WriteBuffer => intern!(py, "_write_buffer_size"),
            Size::OutgoingHigh => intern!(py, "_outgoing_high_water"),
            Size::OutgoingLow => intern!(py, "_outgoing_low_water"),
            Size::IncomingHigh => intern!(py, "_incoming_high_water"),
            Size::IncomingLow => intern!(py, "_incoming_low_water"),
        }
    }
}

/// The attributes of a dict at one moment.
#[derive(Clone, Copy)]
pub struct Seen {
    version: u64,
    ready: bool,
    state: State,
    flags: u8,
    sizes: [Option<usize>; SIZES.len()],
}

impl Tls {
    /// Looks at what the attributes are, if that can be remembered.
    #[inline]
    fn remembered<R>(
        &self,
        attributes: &Bound<'_, PyDict>,
        look: impl FnOnce(&Seen) -> R,
    ) -> PyResult<Option<R>> {
        let py = attributes.py();
        // GIL: nobody changes an attribute between this look and the step after it.
        let Some(version) = dict_version(attributes) else {
            return Ok(None);
        };
        if let Some(seen) = &*self.seen.lock(py)
            && seen.version == version
        {
            return Ok(Some(look(seen)));
        }
        let seen = self.see(attributes, version)?;
        Ok(Some(look(&seen)))
    }

    /// `version`: that of the dict before anything is looked up, which may run somebody's
    /// code.
    #[cold]
    fn see(&self, attributes: &Bound<'_, PyDict>, version: u64) -> PyResult<Seen> {
        let py = attributes.py();
        let mut seen = Seen {
            version,
            ready: self.look_if_ready(attributes)?,
            state: stock::state(&self.get(intern!(py, "_state"))?)?,
            flags: 0,
            sizes: [None; SIZES.len()],
        };
        for flag in FLAGS {
            let value = self.get(flag.name(py))?.is_truthy()?;
            seen.flags |= u8::from(value) << flag as u8;
        }
        for (place, size) in seen.sizes.iter_mut().zip(SIZES) {
            *place = self.get(size.name(py))?.extract().ok();
        }
        *self.seen.lock(py) = Some(seen);
        Ok(seen)
    }

    /// Whether a flag is set.
    pub(super) fn is(&self, py: Python<'_>, flag: Flag) -> PyResult<bool> {
        let is_set = |seen: &Seen| seen.flags & 1 << flag as u8 != 0;
        match self.remembered(self.attributes.bind(py), is_set)? {
            Some(is_set) => Ok(is_set),
            None => self.get(flag.name(py))?.is_truthy(),
        }
    }

    /// A number of bytes; `None` if it is none that the native code can count by.
    pub(super) fn size(&self, py: Python<'_>, size: Size) -> PyResult<Option<usize>> {
        let look = |seen: &Seen| seen.sizes.get(size as usize).copied().flatten();
        match self.remembered(self.attributes.bind(py), look)? {
            Some(count) => Ok(count),
            None => Ok(self.get(size.name(py))?.extract().ok()),
        }
    }

    pub(super) fn state(&self, py: Python<'_>) -> PyResult<State> {
        match self.remembered(self.attributes.bind(py), |seen| seen.state)? {
            Some(state) => Ok(state),
            None => stock::state(&self.get(intern!(py, "_state"))?),
        }
    }

    /// Whether what asyncio's methods of the same names do can be done natively: nobody has
    /// methods of their own in place of them, and the engine is the one of the protocol's
    /// objects.
    pub(super) fn is_ready(&self, py: Python<'_>) -> PyResult<bool> {
        let attributes = self.attributes.bind(py);
        let ready = match self.remembered(attributes, |seen| seen.ready)? {
            Some(ready) => ready,
            None => self.look_if_ready(attributes)?,
        };
        Ok(ready
            && !stock::has_own_of_object(self.object_attributes.bind(py))?
            && stock::is_unchanged(py)?)
    }

    fn look_if_ready(&self, attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
        let py = attributes.py();
        let same = |name, object: &Py<PyAny>| PyResult::Ok(self.get(name)?.is(object));
        Ok(same(intern!(py, "_sslobj"), &self.sslobj)?
            && same(intern!(py, "_incoming"), &self.incoming)?
            && same(intern!(py, "_outgoing"), &self.outgoing)?
            && !self.has_own(attributes)?)
    }

    /// Whether one of the attributes stands in the way of a method. As long as their number
    /// is the same, nobody has added one.
    fn has_own(&self, attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
        use std::sync::atomic::Ordering;
        let count = attributes.len();
        if count == self.known.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let own = stock::has_own(attributes)?;
        if !own {
            self.known.store(count, Ordering::Relaxed);
        }
        Ok(own)
    }
}
