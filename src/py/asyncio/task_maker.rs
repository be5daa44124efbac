//! `create_task` of a loop whose tasks may await Deferreds.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Coroutine;
use super::coroutine::{self, Deferreds};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::imports;

/// What stands for a loop's create_task: TaskMaker(create_task, deferreds = None).
///
/// Each coroutine is wrapped in a Coroutine, then given to `create_task`. Being
/// native, it is in no traceback of where a task was made.
#[pyclass(frozen, module = "tornado4._core")]
pub struct TaskMaker {
    create_task: Py<PyAny>,
    deferreds: Option<Deferreds>,
}

#[pymethods]
impl TaskMaker {
    #[new]
    #[pyo3(signature = (create_task, deferreds = None))]
    fn new(create_task: Py<PyAny>, deferreds: Option<Deferreds>) -> Self {
        TaskMaker {
            create_task,
            deferreds,
        }
    }

    /// Say what coroutines may await that were wrapped without knowing it: the class
    /// Deferred, and what gives the future for one. The first time counts.
    #[staticmethod]
    fn serve(py: Python<'_>, deferreds: Deferreds) {
        coroutine::serve(py, deferreds);
    }

    /// Tell whether serve() was called.
    #[staticmethod]
    fn serves(py: Python<'_>) -> bool {
        coroutine::serves(py)
    }

    /// Make a task of a coroutine, as asyncio.loop.create_task does.
    ///
    /// As long as Twisted isn't imported, it gets the coroutine as it is.
    #[pyo3(signature = (coro, **kwargs))]
    fn __call__<'py>(
        &self,
        coro: Bound<'py, PyAny>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        hang_rather_than_unwind();
        let py = coro.py();
        let may_meet = self.deferreds.is_some()
            || coroutine::serves(py)
            || imports::is_loaded(py, "twisted.internet.defer")?;
        let coro = if may_meet { self.wrap(coro)? } else { coro };
        let create_task = self.create_task.bind(py);
        create_task.call((coro,), kwargs)
    }

    /// Return a coroutine that may await Deferreds for one that may not; anything
    /// else as it is.
    fn wrap<'py>(&self, coro: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = coro.py();
        if coro.is_instance_of::<Coroutine>() || !imports::is_coroutine(&coro)? {
            return Ok(coro);
        }
        let clone = |(deferred, wait): &Deferreds| (deferred.clone_ref(py), wait.clone_ref(py));
        let deferreds = self.deferreds.as_ref().map(clone);
        Ok(Bound::new(py, Coroutine::new(coro.unbind(), deferreds))?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.create_task)?;
        if let Some((deferred, wait)) = &self.deferreds {
            visit.call(deferred)?;
            visit.call(wait)?;
        }
        Ok(())
    }
}
