//! What Tornado's streams do all the time, done natively on the streams' own attributes.
//!
//! All of a stream's state stays where Tornado keeps it, in the stream's `__dict__`, under
//! Tornado's names. So each of Tornado's methods can be left to Tornado at any moment: each
//! function here does all of what the method of its name does, or nothing, and then the
//! caller calls Tornado's.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use crate::py::support::names::intern;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyType};

use crate::core::http;
use crate::py::support::attributes;
use crate::py::support::class_version::ClassVersion;
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::guarded::Guarded;
use crate::py::support::make;
use crate::py::support::methods;
use crate::py::transport::tls::{Secured, forget_errors};

mod cache;
mod events;
mod fields;
mod filling;
mod finding;
mod nodelay;
mod reading;
mod received;
mod source;
mod state;
mod writing;

use cache::{Cache, Field};
use fields::Fields;
pub use fields::number;
pub use received::{ALL, LEAST, Received};

/// What a stream is over, by the number that Tornado's half gives a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socket,
    Tls,
    Pipe,
}

impl Kind {
    const STOCK: u8 = 0;

    fn of(number: u8) -> Option<Kind> {
        match number {
            1 => Some(Kind::Socket),
            2 => Some(Kind::Tls),
            3 => Some(Kind::Pipe),
            _ => None,
        }
    }
}

/// What the native code knows of a stream; the stream keeps it among its attributes, under a
/// name that no attribute can have.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Watch {
    /// In which version `kind` was found for the stream's class.
    class: ClassVersion,
    kind: AtomicU8,
    /// How many attributes the stream had when none of them stood for a method.
    attributes: AtomicUsize,
    /// Whether it listens still, where Tornado wouldn't: a native reader took all that had come.
    listens_still: AtomicBool,
    /// The TLS connection.
    secured: Guarded<Option<Secured>>,
    /// What the attributes were.
    cache: Cache,
}

impl Watch {
    fn new() -> Watch {
        Watch {
            class: ClassVersion::new(),
            kind: AtomicU8::new(Kind::STOCK),
            attributes: AtomicUsize::new(0),
            listens_still: AtomicBool::new(false),
            secured: Guarded::default(),
            cache: Cache::default(),
        }
    }
}

/// The native half of Tornado's streams.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Streams {
    /// `kind(class)`: which `Kind` a class is, 0 if its methods aren't Tornado's.
    kind: Py<PyAny>,
    /// In which version of a class that was asked last, and what it said.
    asked: ClassVersion,
    answer: AtomicU8,
    /// `are_plain(attributes)`: whether none of them stands for one of those methods.
    are_plain: Py<PyAny>,
    /// `tornado.concurrent.Future`.
    future: Py<PyAny>,
    /// `re.compile`.
    compile: Py<PyAny>,
    /// The regex `http::END`, compiled.
    head: Py<PyAny>,
    /// What happens rarely, in Python.
    rare: Py<PyAny>,
}

/// The functions in the place of Tornado's `_handle_events` and `write`, and what they call.
static FUNCTIONS: PyOnceLock<(Py<PyAny>, Py<PyAny>, Py<Streams>)> = PyOnceLock::new();

/// Does what a handler is there for without calling it, if it is a stream's; false: nothing was
/// done.
pub fn handle_events(handler: &Bound<'_, PyAny>, events: u32) -> PyResult<bool> {
    let py = handler.py();
    let Some((function, _, streams)) = FUNCTIONS.get(py) else {
        return Ok(false);
    };
    match methods::bound_to(handler, function) {
        Some(stream) => streams.get().handle_events(&stream, events),
        None => Ok(false),
    }
}

/// Whether a handler is a stream's, done natively.
pub fn is_for_events(handler: &Bound<'_, PyAny>) -> bool {
    FUNCTIONS
        .get(handler.py())
        .is_some_and(|(function, ..)| methods::bound_to(handler, function).is_some())
}

/// Writes what is in parts as a stream's `write` writes it in one, if `write` is that; `None`:
/// nothing was done. `together` puts the parts together.
pub fn write_parts<'py>(
    write: &Bound<'py, PyAny>,
    parts: &[&[u8]],
    together: impl FnOnce() -> PyResult<Bound<'py, PyBytes>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = write.py();
    let Some((_, function, streams)) = FUNCTIONS.get(py) else {
        return Ok(None);
    };
    let Some(stream) = methods::bound_to(write, function) else {
        return Ok(None);
    };
    let streams = streams.get();
    match streams.enter(&stream)? {
        Some(entry) => streams.write_in_parts(&entry, parts, together),
        None => Ok(None),
    }
}

/// A stream whose methods are Tornado's, and its attributes.
struct Entry<'a, 'py> {
    stream: &'a Bound<'py, PyAny>,
    fields: Fields<'py>,
    kind: Kind,
}

impl Streams {
    /// What `kind` says of a class. Most streams are of the class of the one before.
    fn kind_of(&self, class: &Bound<'_, PyType>) -> PyResult<u8> {
        let mut answer = None;
        self.asked.holds(class, || {
            let kind = self.kind.call1(class.py(), (class,))?;
            let kind = kind.extract(class.py())?;
            self.answer.store(kind, Ordering::Relaxed);
            answer = Some(kind);
            Ok(true)
        })?;
        Ok(answer.unwrap_or_else(|| self.answer.load(Ordering::Relaxed)))
    }

    /// Looks whether a stream is one whose methods may be done natively.
    fn enter<'a, 'py>(&self, stream: &'a Bound<'py, PyAny>) -> PyResult<Option<Entry<'a, 'py>>> {
        let py = stream.py();
        hang_rather_than_unwind();
        let fields = attributes::dict(stream)?.cast_into::<PyDict>()?;
        let name = intern!(py, "tornado4.watch");
        let watch = match fields.get_item(name)? {
            Some(watch) => match watch.cast_into::<Watch>() {
                Ok(watch) => watch,
                Err(_) => return Ok(None),
            },
            None => {
                let watch = Bound::new(py, Watch::new())?;
                fields.set_item(name, &watch)?;
                watch
            }
        };
        let known = watch.get();
        let class = stream.get_type();
        known.class.holds(&class, || {
            known.kind.store(self.kind_of(&class)?, Ordering::Relaxed);
            // Whatever it is: it is that as long as the class doesn't change.
            Ok(true)
        })?;
        let Some(kind) = Kind::of(known.kind.load(Ordering::Relaxed)) else {
            return Ok(None);
        };
        // GIL: nobody changes the class or the attributes between this look and what is done by it.
        let count = fields.len();
        if known.attributes.load(Ordering::Relaxed) != count {
            if !self.are_plain.call1(py, (&fields,))?.is_truthy(py)? {
                return Ok(None);
            }
            known.attributes.store(count, Ordering::Relaxed);
        }
        if kind == Kind::Tls {
            // What is left to Tornado's method is done by Python's `ssl`.
            forget_errors(py)?;
        }
        Ok(Some(Entry {
            stream,
            fields: Fields {
                dict: fields,
                watch,
            },
            kind,
        }))
    }
}

#[pymethods]
impl Streams {
    #[new]
    fn new(
        kind: Py<PyAny>,
        are_plain: Py<PyAny>,
        future: Py<PyAny>,
        compile: Bound<'_, PyAny>,
        rare: Py<PyAny>,
    ) -> PyResult<Streams> {
        let head = compile.call1((make::bytes(compile.py(), http::END)?,))?;
        Ok(Streams {
            kind,
            asked: ClassVersion::new(),
            answer: AtomicU8::new(Kind::STOCK),
            are_plain,
            future,
            compile: compile.unbind(),
            head: head.unbind(),
            rare,
        })
    }

    /// Tell whether this stream's methods are done natively at the moment.
    fn drives(&self, stream: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.enter(stream)?.is_some())
    }

    /// `BaseIOStream.write`; None: nothing was done.
    fn write<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.enter(stream)? {
            Some(entry) => self.write_data(&entry, data),
            None => Ok(None),
        }
    }

    /// `BaseIOStream.read_bytes`; None: nothing was done.
    fn read_bytes<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        count: &Bound<'py, PyAny>,
        partial: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.enter(stream)? {
            Some(entry) => self.start_bytes(&entry, count, partial),
            None => Ok(None),
        }
    }

    /// `BaseIOStream.read_until`; None: nothing was done.
    fn read_until<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        delimiter: &Bound<'py, PyAny>,
        most: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.enter(stream)? {
            Some(entry) => self.start_until(&entry, delimiter, most),
            None => Ok(None),
        }
    }

    /// `BaseIOStream.read_until_regex`; None: nothing was done.
    fn read_until_regex<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        regex: &Bound<'py, PyAny>,
        most: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.enter(stream)? {
            Some(entry) => self.start_regex(&entry, regex, most),
            None => Ok(None),
        }
    }

    /// `BaseIOStream.set_close_callback`; False: nothing was done.
    fn set_close_callback(
        &self,
        stream: &Bound<'_, PyAny>,
        callback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let Some(entry) = self.enter(stream)? else {
            return Ok(false);
        };
        entry.fields.set(Field::CloseCallback, callback)?;
        entry.listen_for_the_end()?;
        Ok(true)
    }

    /// `IOStream.set_nodelay`; False: nothing was done.
    fn set_nodelay(&self, stream: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.enter(stream)? {
            Some(entry) => Self::set_option(&entry, value),
            None => Ok(false),
        }
    }

    /// `BaseIOStream._try_inline_read`; False: nothing was done.
    fn try_inline_read(&self, stream: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.enter(stream)? {
            Some(entry) => self.read_inline(&entry),
            None => Ok(false),
        }
    }

    /// Have the native code call `handle_events` and `write` at once where it would call these
    /// functions, bound to a stream. Takes the first ones only.
    fn stand_for(slf: &Bound<'_, Self>, handle_events: Py<PyAny>, write: Py<PyAny>) {
        let all = (handle_events, write, slf.clone().unbind());
        drop(FUNCTIONS.set(slf.py(), all));
    }

    /// `BaseIOStream._handle_events`; False: nothing was done.
    fn handle_events(&self, stream: &Bound<'_, PyAny>, events: u32) -> PyResult<bool> {
        match self.enter(stream)? {
            Some(entry) => self.handle(&entry, events),
            None => Ok(false),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.kind)?;
        visit.call(&self.are_plain)?;
        visit.call(&self.future)?;
        visit.call(&self.compile)?;
        visit.call(&self.head)?;
        visit.call(&self.rare)
    }
}
