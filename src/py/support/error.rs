//! Which exceptions leave the loop, and how errors of `core` become Python's.

use crate::py::support::make::Said;
use std::io;

use crate::py::support::names::intern;
use pyo3::exceptions::{
    PyBaseException, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError, PySystemExit,
    PyValueError,
};
use pyo3::prelude::*;

use crate::core::clock::Deadline;
use crate::core::room::NoRoom;
use crate::py::support::make;

/// Whether asyncio lets this exception end the loop instead of reporting it.
pub fn ends_the_loop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

impl From<NoRoom> for PyErr {
    fn from(_: NoRoom) -> PyErr {
        PyMemoryError::new_err(())
    }
}

/// What every call after `close` gets.
pub fn closed() -> PyErr {
    // Not attached any more: the interpreter has ended.
    let noted = Python::try_attach(closed_with_advice).and_then(Result::ok);
    noted.unwrap_or_else(|| PyRuntimeError::new_err(Said(CLOSED)))
}

fn closed_with_advice(py: Python<'_>) -> PyResult<PyErr> {
    // The object itself: PyO3's errors are made of their parts by attaching anew, which it
    // refuses in the destructors that run at the interpreter's end.
    let error = py
        .get_type::<PyRuntimeError>()
        .call1((intern!(py, CLOSED),))?;
    if error.hasattr(intern!(py, "add_note"))? {
        error.call_method1(intern!(py, "add_note"), (intern!(py, CLOSED_ADVICE),))?;
    }
    Ok(PyErr::from_value(error))
}

const CLOSED: &str = "Event loop is closed";

/// What is shown below the text, which is asyncio's.
const CLOSED_ADVICE: &str = "It was closed by close(), or at the end of asyncio.run() or \
    tornado4.run(). A closed loop can't be opened again: make a new one, and what uses it anew.";

/// An `OSError` of the right subclass, with errno and text as Python has them.
pub fn os_error(error: io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(errno) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            PyOSError::new_err(make::Errno(errno, text.to_owned()))
        }
        None if error.kind() == io::ErrorKind::OutOfMemory => NoRoom.into(),
        // The poll's own complaint, not the system's.
        None => PyRuntimeError::new_err(Said(error.to_string())),
    }
}

/// An error whose exception is made. PyO3 makes that of an error of Rust's when it is looked
/// at, and attaches to the interpreter anew for it, which panics once the interpreter has
/// begun to end: in a `__del__` at the exit. Raised and caught, it is made without.
pub fn made(py: Python<'_>, error: PyErr) -> PyErr {
    error.restore(py);
    PyErr::fetch(py)
}

/// The exception of an error, at the exit as well; see `made`.
pub fn value(py: Python<'_>, error: PyErr) -> Py<PyBaseException> {
    made(py, error).into_value(py)
}

/// Refuses a deadline that isn't a number.
pub fn deadline(deadline: Option<Deadline>) -> PyResult<Deadline> {
    deadline.ok_or_else(|| PyValueError::new_err(Said("a time must not be NaN")))
}
