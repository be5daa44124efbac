//! Sending a message: `WebSocketProtocol13.write_message`.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyString, PyTuple};

use super::protocol::Protocol;
use super::{WebSocket, has, text};
use crate::core::websocket::{self as frames, BINARY, Mask, TEXT};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::make;
use crate::py::support::names::intern;

/// Called in the turn after a message was written, with its future: done then, as by the task
/// that Tornado makes for it.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Written;

#[pymethods]
impl Written {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        hang_rather_than_unwind();
        if is(future, intern!(future.py(), "done"))? {
            return Ok(());
        }
        let nothing = future.py().None();
        future.call_method1(intern!(future.py(), "set_result"), (nothing,))?;
        Ok(())
    }
}

impl WebSocket {
    /// See the module's documentation; `None`: nothing was done.
    pub(super) fn write_message<'py>(
        &self,
        protocol: &Protocol<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let Some((message, opcode)) = arguments(args, kwargs)? else {
            return Ok(None);
        };
        let fields = &protocol.fields;
        let Some(masks) = fields.flag(intern!(py, "mask_outgoing"))? else {
            return Ok(None);
        };
        if !protocol.is_none(intern!(py, "_compressor"))? {
            return Ok(None);
        }
        let message = match message.cast_into_exact::<PyBytes>() {
            Ok(bytes) => bytes,
            Err(other) => match other.into_inner().cast_exact::<PyString>() {
                Ok(given) => match text::encoded(given)? {
                    Some(bytes) => bytes,
                    None => return Ok(None),
                },
                Err(_) => return Ok(None),
            },
        };
        let Some(stream) = protocol.stream()? else {
            return Ok(None);
        };
        if is(&stream, intern!(py, "closed"))? {
            return Ok(None);
        }
        let key = if masks { Some(self.key(py)?) } else { None };
        let data = message.as_bytes();
        let head = frames::Written::new(opcode, key, data.len());
        let head = head.bytes();
        protocol.count(intern!(py, "_message_bytes_out"), data.len())?;
        let size = head.len().saturating_add(data.len());
        protocol.count(intern!(py, "_wire_bytes_out"), size)?;
        if key.is_none()
            && let Some(future) = self.write_at_once(&stream, &make::bytes(py, head)?, &message)?
        {
            return Ok(Some(future));
        }
        let frame = make::bytes_changed(py, [head, data], |frame| {
            if let Some(key) = key
                && let Some(payload) = frame.get_mut(head.len()..)
            {
                frames::mask(key, payload);
            }
        })?;
        let future = stream.call_method1(intern!(py, "write"), (frame,));
        self.written(py, future).map(Some)
    }

    /// What a client masks a message with.
    fn key(&self, py: Python<'_>) -> PyResult<Mask> {
        let urandom = intern!(py, "urandom");
        let size = std::mem::size_of::<Mask>();
        let os = self.names.bind(py).as_any().get_item(intern!(py, "os"))?;
        os.call_method1(urandom, (size,))?.extract()
    }

    /// Writes a frame without making it, to a native stream; `None`: nothing was done.
    fn write_at_once<'py>(
        &self,
        stream: &Bound<'py, PyAny>,
        head: &Bound<'py, PyBytes>,
        payload: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = stream.py();
        if !has(stream, intern!(py, "write"), &self.write)? {
            return Ok(None);
        }
        // Before anything is sent: without a loop there is none.
        let Ok(future) = self.future.bind(py).call0() else {
            return Ok(None);
        };
        let Some(event_loop) = plain_loop(&future)? else {
            return Ok(None);
        };
        let streams = self.streams.bind(py).get();
        match streams.write_both(stream, (head, payload), &future)? {
            None => Ok(None),
            Some(true) => self.soon(&event_loop, future).map(Some),
            Some(false) => self.sending(&future).map(Some),
        }
    }

    /// A future that will be done in the next turn.
    fn soon<'py>(
        &self,
        event_loop: &Bound<'py, PyAny>,
        future: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let soon = intern!(future.py(), "call_soon");
        event_loop.call_method1(soon, (&self.written, &future))?;
        Ok(future)
    }

    /// What waits for a future of the stream's, as Tornado's.
    fn sending<'py>(&self, future: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let rare = self.rare.bind(future.py());
        rare.call_method1(intern!(future.py(), "sending"), (future,))
    }

    /// What is returned for what the stream has returned.
    fn written<'py>(
        &self,
        py: Python<'py>,
        future: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let future = match future {
            Ok(future) => future,
            Err(error) => {
                let refused = intern!(py, "refused");
                let rare = self.rare.bind(py);
                return rare.call_method1(refused, (error.into_value(py),));
            }
        };
        let done = is(&future, intern!(py, "done"))?
            && !is(&future, intern!(py, "cancelled"))?
            && future.call_method0(intern!(py, "exception"))?.is_none();
        if done {
            let result = self.future.bind(py).call0()?;
            if let Some(event_loop) = plain_loop(&result)? {
                return self.soon(&event_loop, result);
            }
        }
        self.sending(&future)
    }
}

/// A future's loop, if a task is nothing more to it than to others, and isn't looked at.
fn plain_loop<'py>(future: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = future.py();
    let event_loop = future.call_method0(intern!(py, "get_loop"))?;
    let plain = event_loop
        .call_method0(intern!(py, "get_task_factory"))
        .and_then(|factory| Ok(factory.is_none() && !is(&event_loop, intern!(py, "get_debug"))?));
    match plain {
        Ok(plain) => Ok(plain.then_some(event_loop)),
        // A loop of somebody's own needn't know of either.
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is(object: &Bound<'_, PyAny>, question: &Bound<'_, PyString>) -> PyResult<bool> {
    object.call_method0(question)?.is_truthy()
}

/// The message and its opcode; `None`: they are unusual.
fn arguments<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<(Bound<'py, PyAny>, u8)>> {
    let binary = match kwargs.filter(|kwargs| !kwargs.is_empty()) {
        None => args.get_item(2).ok(),
        Some(kwargs) if kwargs.len() == 1 && args.len() == 2 => {
            match kwargs.get_item(intern!(args.py(), "binary"))? {
                None => return Ok(None),
                given => given,
            }
        }
        Some(_) => return Ok(None),
    };
    let binary = match &binary {
        None => false,
        Some(binary) => match binary.cast_exact::<PyBool>() {
            Ok(binary) => binary.is_true(),
            Err(_) => return Ok(None),
        },
    };
    let (2..=3, Ok(message)) = (args.len(), args.get_item(1)) else {
        return Ok(None);
    };
    Ok(Some((message, if binary { BINARY } else { TEXT })))
}
