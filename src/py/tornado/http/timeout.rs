//! Waiting for a future no longer than so long: `gen.with_timeout`, which every server does for
//! every request's head.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::{Http, text};
use crate::py::event_loop::current::new_future;
use crate::py::support::finalization::hang_rather_than_unwind;

impl Http {
    /// `gen.with_timeout`, of a time and a future.
    pub(super) fn with_timeout<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let quiet = match kwargs {
            Some(kwargs) => kwargs.get_item(intern!(py, "quiet_exceptions"))?,
            None => None,
        };
        if args.len() != 2 || text::count(kwargs) != usize::from(quiet.is_some()) {
            return Ok(None);
        }
        let (deadline, future) = (args.get_item(0)?, args.get_item(1)?);
        let class = self.future.bind(py);
        let a_time = deadline
            .cast_exact::<PyFloat>()
            .is_ok_and(|it| !it.value().is_nan());
        if !a_time
            || !future.get_type().is(class)
            || !self
                .conversions
                .none_for(&self.conversions.futures, class)?
        {
            return Ok(None);
        }
        // One that nobody has an interest in yet.
        let result = new_future(class)?;
        if !result.getattr(intern!(py, "_source_traceback"))?.is_none() {
            return Ok(None);
        }
        if is_done(&future)? {
            self.pass(&future, &result)?;
            return Ok(Some(result));
        }
        let io_loop = self
            .gen_names
            .bind(py)
            .as_any()
            .get_item(intern!(py, "IOLoop"))?;
        let io_loop = io_loop.call_method0(intern!(py, "current"))?;
        let expired = Expired {
            rare: self.rare.clone_ref(py),
            result: result.clone().unbind(),
            future: future.clone().unbind(),
            quiet: quiet
                .unwrap_or_else(|| PyTuple::empty(py).into_any())
                .unbind(),
        };
        let expired = Bound::new(py, expired)?;
        let timeout = io_loop.call_method1(intern!(py, "add_timeout"), (deadline, expired))?;
        let passed = Passed {
            rare: self.rare.clone_ref(py),
            result: result.clone().unbind(),
            io_loop: io_loop.unbind(),
            timeout: timeout.unbind(),
        };
        let passed = Bound::new(py, passed)?;
        future.call_method1(intern!(py, "add_done_callback"), (passed,))?;
        Ok(Some(result))
    }

    fn pass(&self, future: &Bound<'_, PyAny>, result: &Bound<'_, PyAny>) -> PyResult<()> {
        pass(self.rare.bind(future.py()), future, result)
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future
        .call_method0(intern!(future.py(), "done"))?
        .is_truthy()
}

/// Gives a future what another one has, as `chain_future` does.
fn pass(
    rare: &Bound<'_, PyAny>,
    future: &Bound<'_, PyAny>,
    result: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = future.py();
    if is_done(result)? {
        return Ok(());
    }
    let plain = !future.call_method0(intern!(py, "cancelled"))?.is_truthy()?
        && future.call_method0(intern!(py, "exception"))?.is_none();
    if plain {
        let value = future.call_method0(intern!(py, "result"))?;
        result.call_method1(intern!(py, "set_result"), (value,))?;
    } else {
        rare.call_method1(intern!(py, "pass_on"), (future, result))?;
    }
    Ok(())
}

/// Called when the time has passed.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Expired {
    rare: Py<PyAny>,
    result: Py<PyAny>,
    future: Py<PyAny>,
    quiet: Py<PyAny>,
}

#[pymethods]
impl Expired {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        hang_rather_than_unwind();
        let arguments = (&self.result, &self.future, &self.quiet);
        let expired = intern!(py, "expired");
        self.rare.bind(py).call_method1(expired, arguments)?;
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rare)?;
        visit.call(&self.result)?;
        visit.call(&self.future)?;
        visit.call(&self.quiet)
    }
}

/// Called when the future that is waited for is done.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Passed {
    rare: Py<PyAny>,
    result: Py<PyAny>,
    io_loop: Py<PyAny>,
    timeout: Py<PyAny>,
}

#[pymethods]
impl Passed {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        hang_rather_than_unwind();
        let py = future.py();
        let passed = pass(self.rare.bind(py), future, self.result.bind(py));
        let remove = intern!(py, "remove_timeout");
        self.io_loop
            .bind(py)
            .call_method1(remove, (&self.timeout,))?;
        passed
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rare)?;
        visit.call(&self.result)?;
        visit.call(&self.io_loop)?;
        visit.call(&self.timeout)
    }
}
