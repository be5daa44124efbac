//! Writing: Tornado's `write`, where nothing waits to be written.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use super::fields::number;
use super::source::{Sent, Source};
use super::{Entry, Kind, Streams};
use crate::py::support::error;
use crate::py::transport::buffers::View;

/// What is encrypted in a fraction of a millisecond. More is left to Tornado's method, which
/// lets other threads in.
const LONG: usize = 1 << 20;

impl Streams {
    /// See `Streams::write`.
    pub(super) fn write_data<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Ok(bytes) = data.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            return self.send_all(entry, data, bytes.len(), |source| send(source, bytes));
        }
        if !data.is_exact_instance_of::<PyMemoryView>() || data.len().is_err() {
            return Ok(None);
        }
        // What is wrong with it Tornado's method says.
        let Ok(view) = View::of_bytes(data) else {
            return Ok(None);
        };
        let length = view.len();
        self.send_all(entry, data, length, |source| {
            // It is let go of before anything else is done.
            let view = view;
            view.read(|bytes| send(source, bytes))
        })
    }

    fn send_all<'py>(
        &self,
        entry: &Entry<'_, 'py>,
        data: &Bound<'py, PyAny>,
        length: usize,
        send: impl FnOnce(&Source) -> (usize, Sent),
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, fields) = (entry.stream.py(), &entry.fields);
        let Some(waiting) = fields.some(intern!(py, "_write_futures"))? else {
            return Ok(None);
        };
        if length == 0
            || (entry.kind == Kind::Tls && length > LONG)
            // Whatever waits to be written, somebody waits for that.
            || waiting.len()? > 0
            || fields.flag(intern!(py, "_connecting"))? != Some(false)
        {
            return Ok(None);
        }
        if let Some(most) = fields.some(intern!(py, "max_write_buffer_size"))?
            && number(&most).is_none_or(|most| length > most)
        {
            return Ok(None);
        }
        // Before anything is sent: without a loop there is none. It asks that, by what may be
        // Python code that closes the stream, or writes: before anybody looks where to.
        let Ok(future) = self.future.bind(py).call0() else {
            return Ok(None);
        };
        if waiting.len()? > 0 || !entry.is_open()? {
            return Ok(None);
        }
        let Some(source) = entry.source(true)? else {
            return Ok(None);
        };
        match send(&source) {
            (_, Sent::Bytes(sent)) if sent == length => {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
                entry.listen_for_the_end()?;
                Ok(Some(future))
            }
            (_, Sent::Bytes(sent)) => {
                let waits = intern!(py, "write_waits");
                self.rare_write(waits, (entry.stream, data, sent, future))
            }
            (sent, Sent::Refused(refused)) => {
                let refused = error::value(py, error::os_error(refused));
                let failed = intern!(py, "write_failed");
                self.rare_write(failed, (entry.stream, data, sent, future, refused))
            }
            (0, Sent::Unclear) => Ok(None),
            (sent, Sent::Unclear) => {
                let goes_on = intern!(py, "write_goes_on");
                self.rare_write(goes_on, (entry.stream, data, sent, future))
            }
        }
    }

    fn rare_write<'py>(
        &self,
        name: &Bound<'py, pyo3::types::PyString>,
        arguments: impl pyo3::call::PyCallArgs<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rare = self.rare.bind(name.py());
        rare.call_method1(name, arguments).map(Some)
    }
}

/// Sends until everything is sent or no more is taken. How much was sent before what the last
/// try has come to, or in all.
fn send(source: &Source, data: &[u8]) -> (usize, Sent) {
    let mut sent = 0;
    while let Some(rest) = data.get(sent..).filter(|rest| !rest.is_empty()) {
        match source.write(rest) {
            Sent::Bytes(0) => break,
            Sent::Bytes(count) => sent += count,
            other => return (sent, other),
        }
    }
    (sent, Sent::Bytes(sent))
}
