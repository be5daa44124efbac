//! What Tornado waits for: `gen.convert_yielded`, which every handler's coroutine goes through.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::py::support::names::intern;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::{Http, text};
use crate::py::event_loop::current::current;
use crate::py::support::imports;

/// Whether `gen.convert_yielded` does with a class's instances what it does with everything that
/// nothing is registered for.
pub struct Conversions {
    /// Its `registry` and `dispatch`, and what it does for what nothing is registered for.
    registry: Py<PyAny>,
    dispatch: Py<PyAny>,
    usual: Py<PyAny>,
    pub futures: Known,
    coroutines: Known,
}

/// How many were registered when there was none for a class. None is ever taken away.
#[derive(Default)]
pub struct Known(AtomicUsize);

impl Conversions {
    pub fn new((registry, dispatch, usual): (Py<PyAny>, Py<PyAny>, Py<PyAny>)) -> Conversions {
        Conversions {
            registry,
            dispatch,
            usual,
            futures: Known::default(),
            coroutines: Known::default(),
        }
    }

    /// Whether nothing is registered for a class, of which `known` is.
    pub fn none_for(&self, known: &Known, class: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = class.py();
        let registry = self.registry.bind(py);
        let registered = registry.len()?;
        if registered == known.0.load(Ordering::Relaxed) {
            let usual = registry.get_item(py.get_type::<PyAny>())?;
            return Ok(usual.is(&self.usual));
        }
        let none = self.dispatch.bind(py).call1((class,))?.is(&self.usual);
        if none {
            known.0.store(registered, Ordering::Relaxed);
        }
        Ok(none)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.registry)?;
        visit.call(&self.dispatch)?;
        visit.call(&self.usual)
    }
}

impl Http {
    /// `gen.convert_yielded`, of a future or of a coroutine.
    pub(super) fn convert_yielded<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || args.len() != 1 {
            return Ok(None);
        }
        let yielded = args.get_item(0)?;
        let class = yielded.get_type();
        if class.is(&self.future) {
            let known = &self.conversions.futures;
            let as_it_is = self.conversions.none_for(known, class.as_any())?;
            return Ok(as_it_is.then_some(yielded));
        }
        if !imports::is_native_coroutine(&yielded)?
            || !self
                .conversions
                .none_for(&self.conversions.coroutines, class.as_any())?
        {
            return Ok(None);
        }
        // In debug mode, and where no loop runs, it is to be seen where this was.
        let Some(event_loop) = current(py)? else {
            return Ok(None);
        };
        let names = self.gen_names.bind(py).as_any();
        let wrap = names.get_item(intern!(py, "_wrap_awaitable"))?;
        // It has `asyncio.ensure_future` make this.
        let create = intern!(py, "create_task");
        let task = match event_loop.call_method1(create, (&yielded,)) {
            Err(error) if error.is_instance_of::<PyRuntimeError>(py) => {
                yielded.call_method0(intern!(py, "close"))?;
                return Err(error);
            }
            task => task?,
        };
        wrap.call1((task,)).map(Some)
    }
}
