//! What Tornado does for each message of WebSocket, done natively where the message is a frame
//! that nobody has to judge, and everything that is left out is Tornado's own.
//!
//! As with HTTP/1, each step does all of what a function of Tornado's does, or nothing.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::http::{Originals, count};
use super::streams::{Received, Streams};
use crate::core::websocket::{BINARY, TEXT};
use crate::py::support::names::intern;
use crate::py::support::{attributes, make};

mod fields;
mod protocol;
mod receiving;
mod text;
mod writing;

use protocol::Protocol;
pub use receiving::Receiving;
pub use writing::Written;

/// Which of Tornado's functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `WebSocketProtocol13._receive_frame`.
    ReceiveFrame,
    /// `WebSocketProtocol13.write_message`.
    WriteMessage,
}

impl Step {
    const ALL: [(&'static str, Step); 2] = [
        ("receive_frame", Step::ReceiveFrame),
        ("write_message", Step::WriteMessage),
    ];

    pub fn named(name: &str) -> Option<Step> {
        let mut all = Step::ALL.iter();
        all.find(|(its, _)| *its == name).map(|(_, step)| *step)
    }
}

/// The native half of Tornado's WebSocket, and what it has of Tornado's.
#[pyclass(frozen, module = "tornado4._core")]
pub struct WebSocket {
    streams: Py<Streams>,
    /// `WebSocketProtocol13`.
    class: Py<PyType>,
    /// `tornado.concurrent.Future`.
    future: Py<PyAny>,
    /// Methods of the native streams.
    read_bytes: Py<PyAny>,
    handle_events: Py<PyAny>,
    write: Py<PyAny>,
    /// The names of `tornado.websocket`.
    names: Py<PyDict>,
    /// What happens rarely, in Python.
    rare: Py<PyAny>,
    /// What ends the future of a message that was written.
    written: Py<Written>,
    /// For each step what it leaves out.
    originals: Vec<Originals>,
}

impl WebSocket {
    /// Does a step, for Tornado's function `stock`; `None`: nothing was done.
    pub fn take<'py>(
        slf: &Bound<'py, WebSocket>,
        step: Step,
        stock: &Py<PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let websocket = slf.get();
        if !websocket.holds(py, step)? {
            return Ok(None);
        }
        let Ok(object) = args.get_item(0) else {
            return Ok(None);
        };
        if !object.get_type().is(&websocket.class) {
            return Ok(None);
        }
        let protocol = Protocol::of(&object)?;
        if !protocol.is_plain()? {
            return Ok(None);
        }
        match step {
            Step::ReceiveFrame if args.len() == 1 && count(kwargs) == 0 => {
                let receiving = Receiving::new(slf, object, stock);
                Ok(Some(Bound::new(py, receiving)?.into_any()))
            }
            Step::ReceiveFrame => Ok(None),
            Step::WriteMessage => websocket.write_message(&protocol, args, kwargs),
        }
    }

    fn holds(&self, py: Python<'_>, step: Step) -> PyResult<bool> {
        match self.originals.get(step as usize) {
            Some(originals) => originals.hold(py),
            None => Ok(false),
        }
    }

    /// Whether a frame that waited may be received natively still.
    fn is_unchanged(&self, protocol: &Protocol<'_>) -> PyResult<bool> {
        Ok(self.holds(protocol.object.py(), Step::ReceiveFrame)? && protocol.is_plain()?)
    }

    /// What a stream has received; `None` if it has to be asked by its own methods.
    fn received<'a, 'py>(
        &self,
        stream: &'a Bound<'py, PyAny>,
    ) -> PyResult<Option<Received<'a, 'py>>> {
        let py = stream.py();
        if !has(stream, intern!(py, "read_bytes"), &self.read_bytes)? {
            return Ok(None);
        }
        self.streams.bind(py).get().received(stream)
    }

    /// Whether a stream that has received nothing waits by the native methods too.
    fn reads(&self, stream: &Bound<'_, PyAny>) -> PyResult<bool> {
        let handle = intern!(stream.py(), "_handle_events");
        has(stream, handle, &self.handle_events)
    }

    /// `_websocket_mask`, whatever it is now.
    fn mask<'py>(
        &self,
        key: &Bound<'py, PyBytes>,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let names = self.names.bind(data.py()).as_any();
        let mask = names.get_item(intern!(data.py(), "_websocket_mask"))?;
        Ok(mask.call1((key, data))?.cast_into()?)
    }

    /// `_handle_message`, of a message: what its handler returns. `None`: nothing was done.
    fn hand_over<'py>(
        &self,
        protocol: &Protocol<'py>,
        opcode: u8,
        data: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = data.py();
        if !matches!(opcode, TEXT | BINARY)
            || protocol.fields.flag(intern!(py, "client_terminated"))? != Some(false)
            || !protocol.is_none(intern!(py, "_frame_compressed"))?
            || !self.is_unchanged(protocol)?
        {
            return Ok(None);
        }
        let message = if opcode == BINARY {
            data.clone().into_any()
        } else {
            match text::decoded(data)? {
                Some(text) => text.into_any(),
                None => return Ok(None),
            }
        };
        protocol.count(intern!(py, "_message_bytes_in"), data.as_bytes().len())?;
        let handler = protocol.object.getattr(intern!(py, "handler"))?;
        let on_message = handler.getattr(intern!(py, "on_message"))?;
        let run = intern!(py, "_run_callback");
        protocol
            .object
            .call_method1(run, (on_message, message))
            .map(Some)
    }
}

/// Whether a method of a stream's is this one: its class may have another, or it itself.
fn has(
    stream: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    method: &Py<PyAny>,
) -> PyResult<bool> {
    let found = stream.get_type().getattr_opt(name)?;
    // What has such a method has a dict.
    Ok(found.is_some_and(|found| found.is(method)) && !attributes::dict(stream)?.contains(name)?)
}

#[pymethods]
impl WebSocket {
    /// `tornado` has what is Tornado's, under names; `originals` as `Http` has them.
    #[new]
    fn new(
        streams: Py<Streams>,
        tornado: &Bound<'_, PyDict>,
        originals: &Bound<'_, PyDict>,
    ) -> PyResult<WebSocket> {
        let py = tornado.py();
        let of = |name: &str| tornado.as_any().get_item(make::name(py, name)?);
        let mut list = Vec::new();
        for (name, _) in Step::ALL {
            let names = originals.as_any().get_item(make::name(py, name)?)?;
            list.push(Originals::new(&names)?);
        }
        Ok(WebSocket {
            streams,
            class: of("WebSocketProtocol13")?.extract()?,
            future: of("Future")?.unbind(),
            read_bytes: of("read_bytes")?.unbind(),
            handle_events: of("_handle_events")?.unbind(),
            write: of("write")?.unbind(),
            names: of("websocket")?.extract()?,
            rare: of("rare")?.unbind(),
            written: Py::new(py, Written)?,
            originals: list,
        })
    }

    /// Tell whether a step is done natively at the moment.
    fn does(&self, py: Python<'_>, step: &str) -> PyResult<bool> {
        match Step::named(step) {
            Some(step) => self.holds(py, step),
            None => Ok(false),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.streams)?;
        visit.call(&self.class)?;
        visit.call(&self.future)?;
        visit.call(&self.read_bytes)?;
        visit.call(&self.handle_events)?;
        visit.call(&self.write)?;
        visit.call(&self.names)?;
        visit.call(&self.rare)?;
        visit.call(&self.written)?;
        for originals in &self.originals {
            originals.traverse(&visit)?;
        }
        Ok(())
    }
}
