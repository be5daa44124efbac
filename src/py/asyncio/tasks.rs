//! Futures and tasks, made as `asyncio.BaseEventLoop` makes them, without its frames.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::EventLoop;
use crate::py::support::imports;

/// Whether only `name` is given, which all versions of asyncio pass on to the task.
fn is_name_alone(kwargs: &Bound<'_, PyDict>) -> PyResult<bool> {
    Ok(kwargs.len() == 1 && kwargs.contains(intern!(kwargs.py(), "name"))?)
}

#[pymethods]
impl EventLoop {
    /// Return a new future of this loop. Follows asyncio.loop.create_future.
    fn create_future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::future_class(slf.py())?.call((), Some(&EventLoop::with_loop(slf)?))
    }

    /// Return a task that runs a coroutine. Raises RuntimeError when the loop is closed.
    /// Follows asyncio.loop.create_task.
    ///
    /// Debug mode, a task factory and whatever else asyncio's own method understands is
    /// left to that.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, coro, **kwargs)")]
    fn create_task<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let common = args.len() == 1
            && !this.is_debug()
            && this.task_factory.lock(py).is_none()
            && kwargs.map_or(Ok(true), is_name_alone)?;
        if !common {
            return imports::create_task(slf.as_any(), args, kwargs);
        }
        this.check_open()?;
        let class = imports::task_class(py)?;
        let Some(named) = kwargs else {
            return class.call(args, Some(&EventLoop::with_loop(slf)?));
        };
        let kwargs = named.copy()?;
        kwargs.set_item(intern!(py, "loop"), slf)?;
        class.call(args, Some(&kwargs))
    }

    #[getter(_task_factory)]
    fn task_factory_attribute(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let factory = self.task_factory.lock(py);
        factory.as_ref().map(|factory| factory.clone_ref(py))
    }

    #[setter(_task_factory)]
    fn set_task_factory_attribute(&self, py: Python<'_>, factory: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *self.task_factory.lock(py), factory);
        drop(before);
    }
}
