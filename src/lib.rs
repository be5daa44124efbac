//! The native half of `tornado4`: one event loop with three faces.
//!
//! | layer      | what is there                                              |
//! |------------|------------------------------------------------------------|
//! | `core/sys` | what the kernel supplies: epoll, kqueue, sockets           |
//! | `core`     | poller, registrations, timers, inbox; no Python            |
//! | `py`       | the loop as Python sees it, one folder for each face       |
//!
//! Dependencies point one way, `core/sys -> core -> py -> lib`; a test guards
//! it. ARCHITECTURE.md is the longer form of this page.

pub mod core;
#[cfg(feature = "python")]
mod py;

/// The extension module `tornado4._core`.
#[cfg(feature = "python")]
#[pyo3::pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;

    /// Not by exporting what there is: a subinterpreter is refused before anything is made.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::py::module::fill(module)
    }
}
