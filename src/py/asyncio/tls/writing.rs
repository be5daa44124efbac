//! Writing: plaintext is encrypted at once, and goes to the transport below.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyMemoryView, PyString, PyTuple};

use super::seen::{Flag, Size};
use super::{State, Tls, stock};
use crate::core::tls::RECORD;
use crate::py::support::make;
use crate::py::transport::buffers::View;
use crate::py::transport::tls::Written;

impl Tls {
    /// Whether what is written now is encrypted now.
    fn encrypts(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.is_ready(py)?
            && self.state(py)? == State::Wrapped
            && self.get(intern!(py, "_write_backlog"))?.is_empty()?)
    }

    /// asyncio's `_write_appdata` where nothing waits.
    fn write_pieces<'py>(
        &self,
        py: Python<'py>,
        pieces: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let outcome = self.encrypt(pieces).and_then(|rest| {
            rest?;
            if self.is_ready(py)? {
                self.send_outgoing(py)
            } else {
                self.call(intern!(py, "_process_outgoing"))
            }
        });
        self.fatal(py, outcome)
    }

    /// `write_pieces`, of one. What is long, and can be sent at once, is taken from OpenSSL
    /// record by record.
    fn write_piece(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let pieces = std::iter::once(data.clone());
        let Ok(bytes) = data.cast_exact::<PyBytes>() else {
            return self.write_pieces(py, pieces);
        };
        if bytes.as_bytes().len() <= RECORD || self.is(py, Flag::SslWritingPaused)? {
            return self.write_pieces(py, pieces);
        }
        let sealed = match self.engine.seal(bytes) {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return self.write_pieces(py, pieces),
            Err(error) => return self.fatal(py, Err(error)),
        };
        let (written, sealed) = sealed;
        let (count, failure) = match written {
            Written::Taken(count) => (count, None),
            Written::Blocked => (0, None),
            Written::Failed(error) if stock::means_again(py, &error)? => (0, None),
            Written::Failed(error) => (0, Some(error)),
        };
        let waits = match bytes.as_bytes().get(count..) {
            None | Some([]) => Ok(()),
            Some(rest) => self.wait(make::bytes(py, rest)?.as_any()),
        };
        let outcome = waits.and_then(|()| match failure {
            Some(error) => Err(error),
            None if sealed.as_bytes().is_empty() => Ok(()),
            None => self.send_below(&sealed),
        });
        self.fatal(py, outcome)
    }

    /// Encrypts what can be; the rest waits in asyncio's list. The inner error is one of
    /// OpenSSL's.
    fn encrypt<'py>(
        &self,
        mut pieces: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<PyResult<()>> {
        while let Some(piece) = pieces.next() {
            let (rest, failure) = self.encrypt_one(&piece)?;
            let Some(rest) = rest else {
                continue;
            };
            self.wait(&rest)?;
            for piece in pieces {
                self.wait(&frozen(&piece)?)?;
            }
            return Ok(failure.map_or(Ok(()), Err));
        }
        Ok(Ok(()))
    }

    /// Encrypts one piece. What of it must wait, and why if that is an error.
    fn encrypt_one<'py>(
        &self,
        piece: &Bound<'py, PyAny>,
    ) -> PyResult<(Option<Bound<'py, PyAny>>, Option<PyErr>)> {
        let py = piece.py();
        let mut part = piece.clone();
        loop {
            let size = part.len()?;
            match self.engine.write(py, &part) {
                Written::Taken(count) if count >= size => return Ok((None, None)),
                Written::Taken(count) => part = after(&part, count)?,
                Written::Blocked => return Ok((Some(frozen(&part)?), None)),
                Written::Failed(error) => {
                    let failure = (!stock::means_again(py, &error)?).then_some(error);
                    let rest = frozen(&part).unwrap_or(part);
                    return Ok((Some(rest), failure));
                }
            }
        }
    }

    /// Adds to what waits.
    fn wait(&self, piece: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = piece.py();
        let backlog = self.get(intern!(py, "_write_backlog"))?;
        backlog.call_method1(intern!(py, "append"), (piece,))?;
        let name = Size::WriteBuffer.name(py);
        let size = self.get(name)?.add(make::Unsigned(piece.len()?))?;
        self.attributes.bind(py).set_item(name, size)
    }

    /// Has asyncio count what is written without a transport.
    fn count_write(&self, name: &Bound<'_, PyString>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let protocol = self.protocol.bind(py);
        let list = if name.to_str()? == "write" {
            make::tuple(py, [data.clone()])?.into_any()
        } else {
            data.clone()
        };
        let method = intern!(py, "_write_appdata");
        protocol.call_method1(method, (list,)).map(drop)
    }

    /// Writes by the transport's own method, which is asyncio's.
    fn write_by(&self, name: &Bound<'_, PyString>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let Some(transport) = self.transport.bind(py).upgrade() else {
            // Somebody has kept the method alone, and the connection is over.
            return self.count_write(name, data);
        };
        stock::transport_class(py)?
            .call_method1(name, (transport, data))
            .map(drop)
    }
}

/// Whether it is of one of the classes that can't be but what they are.
fn is_bytes_like(data: &Bound<'_, PyAny>) -> bool {
    data.is_exact_instance_of::<PyBytes>() || is_mutable(data)
}

fn is_mutable(data: &Bound<'_, PyAny>) -> bool {
    data.is_exact_instance_of::<PyByteArray>() || data.is_exact_instance_of::<PyMemoryView>()
}

/// The same bytes, which nobody can change: they have to wait.
fn frozen<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if !is_mutable(data) {
        return Ok(data.clone());
    }
    let view = View::of_bytes(data)?;
    Ok(view.read(|bytes| make::bytes(data.py(), bytes))?.into_any())
}

/// What follows the first bytes.
fn after<'py>(data: &Bound<'py, PyAny>, count: usize) -> PyResult<Bound<'py, PyAny>> {
    let rest = |bytes: &[u8]| make::bytes(data.py(), bytes.get(count..).unwrap_or_default());
    Ok(View::of_bytes(data)?.read(rest)?.into_any())
}

#[pymethods]
impl Tls {
    /// Write data; doesn't block. Follows asyncio.WriteTransport.
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let name = intern!(py, "write");
        if !is_bytes_like(data) {
            // Asyncio's own method words the error.
            return this.write_by(name, data);
        }
        if data.is_empty()? {
            return Ok(());
        }
        if this.encrypts(py)? {
            return this.write_piece(data);
        }
        // What can't be copied, can't be encrypted either.
        let kept = frozen(data).unwrap_or_else(|_| data.clone());
        this.write_by(name, &kept)
    }

    /// Write a list, or any iterable, of data. Follows asyncio.WriteTransport.
    fn writelines(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let name = intern!(py, "writelines");
        let pieces: Vec<_> = if let Ok(list) = list_of_data.cast_exact::<PyList>() {
            list.iter().collect()
        } else if let Ok(tuple) = list_of_data.cast_exact::<PyTuple>() {
            tuple.iter().collect()
        } else {
            return this.write_by(name, list_of_data);
        };
        // A view that is released or has no dimension has no length.
        let is_sized = |piece: &Bound<'_, PyAny>| is_bytes_like(piece) && piece.len().is_ok();
        if !pieces.iter().all(is_sized) {
            return this.write_by(name, list_of_data);
        }
        if this.encrypts(py)? {
            return this.write_pieces(py, pieces.into_iter());
        }
        let kept = pieces
            .into_iter()
            .map(|piece| frozen(&piece).unwrap_or(piece));
        let kept = make::list(py, kept)?;
        this.write_by(name, kept.as_any())
    }
}
