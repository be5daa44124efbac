//! What Python is told of the engines, and one that tests can drive.

use crate::py::support::make::{self, Said};
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList};

use super::{Engine, Read, Written, library};

/// An engine, driven by hand: for tests.
#[pyclass(frozen, module = "tornado4._core")]
pub struct TLSProbe(Engine);

#[pymethods]
impl TLSProbe {
    /// Of an `ssl.SSLObject` and its two `ssl.MemoryBIO`s, or of an
    /// `OpenSSL.SSL.Connection`.
    #[new]
    #[pyo3(signature = (connection, incoming=None, outgoing=None, /))]
    fn new(
        connection: &Bound<'_, PyAny>,
        incoming: Option<&Bound<'_, PyAny>>,
        outgoing: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<TLSProbe> {
        let engine = match (incoming, outgoing) {
            (Some(incoming), Some(outgoing)) => {
                Engine::of_ssl_object(connection, incoming, outgoing)?
            }
            _ => Engine::of_connection(connection)?,
        };
        let engine = engine.ok_or_else(|| PyTypeError::new_err(Said("no engine drives that")))?;
        Ok(TLSProbe(engine))
    }

    /// Whether OpenSSL is called directly.
    #[getter]
    fn direct(&self) -> bool {
        self.0.is_direct()
    }

    fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        self.0.feed(py, data)
    }

    /// Plaintext; "empty" or "closed" if there is none.
    fn read<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        // As a transport does it, which may lose its own while the application is called.
        told(py, self.0.clone_ref(py).read(py, limit))
    }

    /// As `read`, of one record.
    fn read_record<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        told(py, self.0.read_record(py, limit))
    }

    /// Whether it is certain, after plaintext, that there is no more.
    #[getter]
    fn drained(&self, py: Python<'_>) -> bool {
        self.0.is_drained(py)
    }

    /// How many bytes were taken; `None`: it is blocked.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        match self.0.write(py, data) {
            Written::Taken(count) => Ok(Some(count)),
            Written::Blocked => Ok(None),
            Written::Failed(error) => Err(error),
        }
    }

    /// As `write`, by way of memory that is no object's.
    fn write_bytes(&self, py: Python<'_>, data: Vec<u8>) -> PyResult<Option<usize>> {
        match self.0.write_bytes(py, &data) {
            Written::Taken(count) => Ok(Some(count)),
            Written::Blocked => Ok(None),
            Written::Failed(error) => Err(error),
        }
    }

    fn outgoing<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.outgoing(py)
    }

    /// What waits to be decrypted, and what waits to be sent.
    fn pending(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        Ok((self.0.incoming_pending(py)?, self.0.outgoing_pending(py)?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}

fn told<'py>(py: Python<'py>, read: Read<'py>) -> PyResult<Bound<'py, PyAny>> {
    match read {
        Read::Data(data) => Ok(data.into_any()),
        Read::Empty => Ok("empty".into_pyobject(py)?.into_any()),
        Read::Closed => Ok("closed".into_pyobject(py)?.into_any()),
        Read::Failed(error) => Err(error),
    }
}

/// Which engine each library gets: its name, whether it is called directly, why not, and
/// what it calls itself.
///
/// # Errors
/// Those of the self-check that are no `Exception`.
#[pyfunction]
pub fn tls_engines(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let told = make::list(py, std::iter::empty::<Bound<'_, PyAny>>())?;
    let found = [
        ("ssl", Some(library::ssl(py)?)),
        ("pyOpenSSL", library::openssl(py)?),
    ];
    for (name, library) in found {
        if let Some(library) = library {
            let is_direct = PyBool::new(py, library.table.is_some()).to_owned();
            let said = |said: &str| make::text(py, said).map(Bound::into_any);
            let (why, version) = (said(&library.why)?, said(&library.version)?);
            told.append(make::tuple(
                py,
                [said(name)?, is_direct.into_any(), why, version],
            )?)?;
        }
    }
    Ok(told)
}
