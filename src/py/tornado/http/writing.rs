//! Writing the head of a message, with the first of its body: `HTTP1Connection.write_headers`.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};

use super::headers::Dicts;
use super::{Http, text};
use crate::core::http::length;
use crate::core::room::NoRoom;
use crate::py::event_loop::current::new_future;
use crate::py::support::{make, methods};
use crate::py::tornado::streams;

/// From this size on, the first of a body isn't copied behind the head.
const LARGE: usize = 16 * 1024;

/// What is to be written, once it is clear that it may be.
struct Message<'py> {
    headers: Dicts<'py>,
    head: Vec<u8>,
    /// Headers that the connection sets itself.
    set: Vec<(&'py Bound<'py, PyString>, &'py Bound<'py, PyString>)>,
    chunking: bool,
    /// How much of the body is yet to come, if that is known.
    remaining: Option<u64>,
}

impl Http {
    /// `HTTP1Connection.write_headers`.
    pub(super) fn write_headers<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || !(3..=4).contains(&args.len()) {
            return Ok(None);
        }
        let (connection, start_line) = (args.get_item(0)?, args.get_item(1)?);
        let chunk = match args.get_item(3).ok().filter(|chunk| !chunk.is_none()) {
            None => None,
            Some(chunk) => match chunk.cast_into_exact::<PyBytes>() {
                Ok(chunk) => Some(chunk),
                Err(_) => return Ok(None),
            },
        };
        let chunk = chunk.filter(|chunk| !chunk.as_bytes().is_empty());
        let Some(headers) = self.headers.dicts(&args.get_item(2)?)? else {
            return Ok(None);
        };
        let Some(is_client) = flag(&connection, intern!(py, "is_client"))? else {
            return Ok(None);
        };
        let message = if is_client {
            self.client_message(&start_line, headers)?
        } else {
            self.server_message(&connection, &start_line, headers)?
        };
        let Some(mut message) = message else {
            return Ok(None);
        };
        if let Some(chunk) = &chunk {
            let size = chunk.as_bytes().len() as u64;
            match message.remaining {
                // It is too much: Tornado's code closes the stream, and says so.
                Some(remaining) if remaining < size => return Ok(None),
                Some(remaining) => message.remaining = Some(remaining - size),
                None => {}
            }
            let name = intern!(py, "_format_chunk");
            if !methods::is_method(&connection, name, &self.format_chunk)? {
                return Ok(None);
            }
        }
        let stream = connection.getattr(intern!(py, "stream"))?;
        if stream.call_method0(intern!(py, "closed"))?.is_truthy()? {
            return Ok(None);
        }
        let name = if is_client {
            intern!(py, "_request_start_line")
        } else {
            intern!(py, "_response_start_line")
        };
        connection.setattr(name, start_line)?;
        self.send(&connection, &stream, message, chunk.as_ref())
            .map(Some)
    }

    /// What a server answers a request of HTTP/1.1 by.
    fn server_message<'py>(
        &self,
        connection: &Bound<'py, PyAny>,
        start_line: &Bound<'py, PyAny>,
        headers: Dicts<'py>,
    ) -> PyResult<Option<Message<'py>>> {
        let py = connection.py();
        let request = connection.getattr(intern!(py, "_request_start_line"))?;
        let request_headers = connection.getattr(intern!(py, "_request_headers"))?;
        if !start_line.get_type().is(&self.status_line)
            || !request.get_type().is(&self.request_line)
            || request_headers.is_none()
        {
            return Ok(None);
        }
        let (line, request) = (
            start_line.cast::<PyTuple>()?,
            request.cast_into::<PyTuple>()?,
        );
        let (Some(reason), Some(method), Some(version)) = (
            text::string(line, 2),
            text::string(&request, 0),
            text::string(&request, 2),
        ) else {
            return Ok(None);
        };
        let Some(code) = code(&line.get_item(1)?) else {
            return Ok(None);
        };
        let Some(ends) = flag(connection, intern!(py, "_disconnect_on_finish"))? else {
            return Ok(None);
        };
        if version != "HTTP/1.1" {
            return Ok(None);
        }
        let Some(reason) = text::ascii(&reason) else {
            return Ok(None);
        };
        let Some(content_length) = content_length(&headers)? else {
            return Ok(None);
        };
        let is_head = method == "HEAD";
        let chunking =
            !is_head && !matches!(code, 204 | 304 | 100..200) && content_length.is_none();
        let remaining = if is_head || code == 304 {
            Some(0)
        } else {
            content_length
        };
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(code.to_string().as_bytes());
        head.push(b' ');
        if !add_line(&mut head, &[reason.as_bytes()])? {
            return Ok(None);
        }
        let close = (intern!(py, "Connection"), intern!(py, "close"));
        Message {
            headers,
            head,
            set: if ends { vec![close] } else { Vec::new() },
            chunking,
            remaining,
        }
        .with_fields(py)
    }

    /// What a client asks.
    fn client_message<'py>(
        &self,
        start_line: &Bound<'py, PyAny>,
        headers: Dicts<'py>,
    ) -> PyResult<Option<Message<'py>>> {
        let py = start_line.py();
        if !start_line.get_type().is(&self.request_line) {
            return Ok(None);
        }
        let line = start_line.cast::<PyTuple>()?;
        let (Some(method), Some(target)) = (text::string(line, 0), text::string(line, 1)) else {
            return Ok(None);
        };
        let (Some(method), Some(target)) = (text::ascii(&method), text::ascii(&target)) else {
            return Ok(None);
        };
        let Some(content_length) = content_length(&headers)? else {
            return Ok(None);
        };
        let mut head = Vec::with_capacity(512);
        let parts = [method, " ", target, " HTTP/1.1"].map(str::as_bytes);
        if !add_line(&mut head, &parts)? {
            return Ok(None);
        }
        Message {
            headers,
            head,
            set: Vec::new(),
            chunking: matches!(method, "POST" | "PUT" | "PATCH") && content_length.is_none(),
            remaining: content_length,
        }
        .with_fields(py)
    }

    /// Writes it. Whatever may be wrong with a message was found before.
    fn send<'py>(
        &self,
        connection: &Bound<'py, PyAny>,
        stream: &Bound<'py, PyAny>,
        message: Message<'py>,
        chunk: Option<&Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = connection.py();
        let chunking = PyBool::new(py, message.chunking);
        connection.setattr(intern!(py, "_chunking_output"), chunking)?;
        for (name, value) in &message.set {
            message.headers.set(name, value.as_any().clone())?;
        }
        let remaining = match message.remaining {
            Some(remaining) => make::unsigned(py, remaining)?.into_any(),
            None => py.None().into_bound(py),
        };
        connection.setattr(intern!(py, "_expected_content_remaining"), remaining)?;
        let names = self.http1connection.bind(py).as_any();
        let future = new_future(&names.get_item(intern!(py, "Future"))?)?;
        connection.setattr(intern!(py, "_write_future"), &future)?;
        let pending = message.write_to(stream, chunk.map_or(b"", |chunk| chunk.as_bytes()))?;
        connection.setattr(intern!(py, "_pending_write"), &pending)?;
        let then = connection.getattr(intern!(py, "_on_write_complete"))?;
        let add = names.get_item(intern!(py, "future_add_done_callback"))?;
        add.call1((pending, then))?;
        Ok(future)
    }
}

impl<'py> Message<'py> {
    /// Adds the lines of all headers; `None` if one is unusual.
    fn with_fields(mut self, py: Python<'py>) -> PyResult<Option<Message<'py>>> {
        let encoding = intern!(py, "Transfer-Encoding");
        if self.headers.lists.contains(encoding)? {
            return Ok(None);
        }
        if self.chunking {
            self.set.push((encoding, intern!(py, "chunked")));
        }
        for (name, values) in &self.headers.lists {
            let (Some(name), Ok(values)) = (text::exact(name), values.cast_into_exact::<PyList>())
            else {
                return Ok(None);
            };
            let Some(name_bytes) = text::latin1(&name) else {
                return Ok(None);
            };
            let mut own = self.set.iter();
            if let Some((_, value)) = own.find(|(its, _)| text::latin1(its) == Some(name_bytes)) {
                let value = text::latin1(value).unwrap_or_default();
                if !add_line(&mut self.head, &[name_bytes, b": ", value])? {
                    return Ok(None);
                }
                continue;
            }
            for value in &values {
                let Some(value) = text::exact(value) else {
                    return Ok(None);
                };
                let Some(value) = text::latin1(&value) else {
                    return Ok(None);
                };
                if !add_line(&mut self.head, &[name_bytes, b": ", value])? {
                    return Ok(None);
                }
            }
        }
        for (name, value) in &self.set {
            if !self.headers.lists.contains(name)? {
                let parts = [text::latin1(name), Some(b": "), text::latin1(value)];
                add_line(&mut self.head, &parts.map(Option::unwrap_or_default))?;
            }
        }
        self.head.extend_from_slice(b"\r\n");
        Ok(Some(self))
    }

    /// Has the stream write the head and the first of the body.
    fn write_to(mut self, stream: &Bound<'py, PyAny>, chunk: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let py = stream.py();
        let mut after: &[u8] = b"";
        if self.chunking && !chunk.is_empty() {
            let before = format!("{:x}\r\n", chunk.len());
            self.head.try_reserve(before.len()).map_err(NoRoom::from)?;
            self.head.extend_from_slice(before.as_bytes());
            after = b"\r\n";
        }
        let parts = [self.head.as_slice(), chunk, after];
        let together = || {
            let size = parts.iter().map(|part| part.len()).sum();
            PyBytes::new_with(py, size, |room| {
                let mut at = 0;
                for part in parts {
                    if let Some(room) = room.get_mut(at..at + part.len()) {
                        room.copy_from_slice(part);
                    }
                    at += part.len();
                }
                Ok(())
            })
        };
        let write = stream.getattr(intern!(py, "write"))?;
        if chunk.len() >= LARGE
            && let Some(pending) = streams::write_parts(&write, &parts, together)?
        {
            return Ok(pending);
        }
        write.call1((together()?,))
    }
}

/// Adds a line, and leaves room for the one that ends the head; false if what ends lines is in it.
///
/// # Errors
/// There is no memory for it.
fn add_line(head: &mut Vec<u8>, parts: &[&[u8]]) -> Result<bool, NoRoom> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    head.try_reserve(size + 4).map_err(NoRoom::from)?;
    for part in parts {
        if memchr::memchr2(b'\r', b'\n', part).is_some() {
            return Ok(false);
        }
        head.extend_from_slice(part);
    }
    head.extend_from_slice(b"\r\n");
    Ok(true)
}

/// The length that the headers say; `None` if they say something unusual.
fn content_length(headers: &Dicts<'_>) -> PyResult<Option<Option<u64>>> {
    Ok(
        match headers.one(intern!(headers.lists.py(), "Content-Length"))? {
            Ok(None) => Some(None),
            Ok(Some(value)) => text::ascii(&value).and_then(length).map(Some),
            Err(()) => None,
        },
    )
}

/// A status code of up to four digits.
fn code(code: &Bound<'_, PyAny>) -> Option<u16> {
    let code = code.cast_exact::<PyInt>().ok()?;
    code.extract().ok().filter(|code| *code < 10_000)
}

/// An attribute that is exactly True, or False.
fn flag(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<Option<bool>> {
    let value = object.getattr(name)?;
    Ok(value
        .cast_exact::<PyBool>()
        .ok()
        .map(|value| value.is_true()))
}
