//! What a reactor is asked in vain: from another thread, or with a coroutine.

use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;

use super::Reactor;
use crate::py::support::{imports, refcounts};

impl Reactor {
    /// Checks, in asyncio's debug mode only, that `method` may be called in this thread.
    ///
    /// # Errors
    /// `RuntimeError` in another one.
    pub fn check_thread(&self, py: Python<'_>, method: &str) -> PyResult<()> {
        if self.checks() {
            let check = intern!(py, "check_thread");
            self.reports(py)
                .call_method1(check, (&self.reactor, method))?;
        }
        Ok(())
    }

    /// Says that a call has returned a coroutine, which nobody is going to run.
    ///
    /// # Errors
    /// None, unless the warning is made an error.
    pub fn look_at_result(&self, result: &Bound<'_, PyAny>, method: &str) -> PyResult<()> {
        // The last reference to it: or somebody has it, who may run it yet.
        if !result.is_none()
            && imports::is_native_coroutine(result)?
            && refcounts::references(result) == 1
        {
            self.report(result.py(), "not_run", (result, method))?;
        }
        Ok(())
    }

    #[inline]
    fn checks(&self) -> bool {
        self.event_loop().is_debug() || self.host_debug.load(Ordering::Relaxed)
    }

    /// Refuses a coroutine in the place of a function; in debug mode also a coroutine
    /// function, whose coroutine nobody would run.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn check_function(&self, function: &Bound<'_, PyAny>, method: &str) -> PyResult<()> {
        let debug = self.checks();
        if debug || !function.is_callable() {
            let check = intern!(function.py(), "check_function");
            let what = (function, method, debug);
            self.reports(function.py()).call_method1(check, what)?;
        }
        Ok(())
    }
}
