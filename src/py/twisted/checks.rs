//! What a reactor is asked in vain: from another thread, or with a coroutine.

use std::sync::atomic::Ordering;

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

use super::Reactor;
use crate::py::support::{imports, refcounts};

impl Reactor {
    /// Checks, in asyncio's debug mode only, that `method` may be called in this thread.
    ///
    /// # Errors
    /// `RuntimeError` in another one.
    #[inline]
    pub fn check_thread(&self, py: Python<'_>, method: &str) -> PyResult<()> {
        if self.checks() {
            self.check(py, "check_thread", (&self.reactor, method))?;
        }
        Ok(())
    }

    /// Refuses a coroutine in the place of a function; in debug mode also a coroutine
    /// function, whose coroutine nobody would run.
    ///
    /// # Errors
    /// `TypeError`.
    #[inline]
    pub fn check_function(&self, function: &Bound<'_, PyAny>, method: &str) -> PyResult<()> {
        let debug = self.checks();
        if debug || !function.is_callable() {
            self.check(function.py(), "check_function", (function, method, debug))?;
        }
        Ok(())
    }

    /// Says that a call has returned a coroutine, which nobody is going to run.
    ///
    /// # Errors
    /// None, unless logging itself fails.
    #[inline]
    pub fn look_at_result(&self, result: &Bound<'_, PyAny>, method: &str) -> PyResult<()> {
        // The last reference to it: or somebody has it, who may run it yet.
        if !result.is_none()
            && imports::is_native_coroutine(result)?
            && refcounts::references(result) == 1
        {
            self.check(result.py(), "not_run", (result, method))?;
        }
        Ok(())
    }

    #[inline]
    fn checks(&self) -> bool {
        self.event_loop().is_debug() || self.host_debug.load(Ordering::Relaxed)
    }

    #[cold]
    fn check<'py>(&self, py: Python<'py>, what: &str, args: impl PyCallArgs<'py>) -> PyResult<()> {
        self.report(py, what, args)
    }
}
