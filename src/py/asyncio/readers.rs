//! asyncio's readers and writers: one code for both directions.

use crate::py::support::make::Said;
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::py::support::names::intern;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyTuple};

use super::{EventLoop, Handle};
use crate::core::registrations::{Role, Watchers};
use crate::core::sys::Trigger;
use crate::py::dispatch::watcher::{HandleWatcher, Watcher};
use crate::py::support::make;

/// Which side of a descriptor is watched.
#[derive(Clone, Copy)]
enum Direction {
    /// `add_reader`, `remove_reader`.
    Read,
    /// `add_writer`, `remove_writer`.
    Write,
}

impl Direction {
    fn role(self) -> Role {
        match self {
            Direction::Read => Role::Read,
            Direction::Write => Role::Write,
        }
    }
}

/// The descriptor of an int or a file object, as Python's selectors take it.
pub fn descriptor(file: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    let invalid = || match file.repr() {
        Ok(repr) => PyValueError::new_err(Said(format!("Invalid file object: {repr}"))),
        Err(error) => error,
    };
    let number = if file.is_instance_of::<PyInt>() {
        file.clone()
    } else {
        let fileno = file.call_method0(intern!(file.py(), "fileno"));
        fileno
            .and_then(|number| file.py().get_type::<PyInt>().call1((number,)))
            .map_err(|_| invalid())?
    };
    if number.lt(0)? {
        let message = format!("Invalid file descriptor: {number}");
        return Err(PyValueError::new_err(Said(message)));
    }
    // OverflowError for what no descriptor can be.
    number.extract()
}

/// Watches one direction; whoever watched it before is cancelled.
fn add(
    event_loop: &Bound<'_, EventLoop>,
    direction: Direction,
    file: &Bound<'_, PyAny>,
    callback: Py<PyAny>,
    args: Py<PyTuple>,
) -> PyResult<Py<Handle>> {
    let (this, py) = (event_loop.get(), event_loop.py());
    this.check_open()?;
    let handle = Py::new(py, Handle::create(event_loop, callback, args, None)?)?;
    let fd = descriptor(file)?;
    let watcher = Arc::new(Watcher::Handle(HandleWatcher {
        handle: handle.clone_ref(py),
        file: (!file.is_instance_of::<PyInt>()).then(|| file.clone().unbind()),
    }));
    let displaced = this.watch(fd, &watcher, &[direction.role()], &[], Trigger::Level)?;
    cancel(py, &displaced)?;
    Ok(handle)
}

/// Watches one direction no longer; tells whether it was watched.
fn remove(
    event_loop: &Bound<'_, EventLoop>,
    direction: Direction,
    file: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let this = event_loop.get();
    if this.is_closed() {
        return Ok(false);
    }
    let fd = match descriptor(file) {
        Ok(fd) => fd,
        Err(error) if error.is_instance_of::<PyOverflowError>(event_loop.py()) => return Ok(false),
        Err(error) => find(this, file).ok_or(error)?,
    };
    let removed = this.unwatch(fd, &[direction.role()]);
    cancel(event_loop.py(), &removed)?;
    Ok(removed.iter().next().is_some())
}

/// The descriptor that a file object had when it was added.
fn find(this: &EventLoop, file: &Bound<'_, PyAny>) -> Option<RawFd> {
    this.with_registrations(|registrations| {
        registrations
            .iter()
            .find(|(_, watchers)| watchers.iter().any(|watcher| watcher.is_for(file)))
            .map(|(fd, _)| fd)
    })
}

/// Cancels the handles of removed watchers, which may be queued already.
fn cancel(py: Python<'_>, watchers: &Watchers<Arc<Watcher>>) -> PyResult<()> {
    let mut handles = watchers.iter().filter_map(|watcher| watcher.handle());
    handles.try_for_each(|handle| Handle::cancel(handle.bind(py)))
}

/// The watched descriptors and their handles.
fn handles(this: &EventLoop, py: Python<'_>) -> PyResult<Py<PyDict>> {
    let known: Vec<_> = this.with_registrations(|registrations| {
        let handle = |watcher: Option<&Arc<Watcher>>| {
            let handle = watcher.and_then(|watcher| watcher.handle());
            handle.map(|handle| handle.clone_ref(py))
        };
        let entry = |(fd, watchers): (RawFd, &Watchers<Arc<Watcher>>)| {
            let read = handle(watchers.get(Role::Read));
            (fd, (read, handle(watchers.get(Role::Write))))
        };
        registrations.iter().map(entry).collect()
    });
    let handles = make::dict(py)?;
    for (fd, (read, write)) in known {
        if read.is_some() || write.is_some() {
            let pair = [read, write].map(|handle| match handle {
                Some(handle) => handle.into_bound(py).into_any(),
                None => py.None().into_bound(py),
            });
            handles.set_item(make::signed(py, fd)?, make::tuple(py, pair)?)?;
        }
    }
    Ok(handles.unbind())
}

#[pymethods]
impl EventLoop {
    #[pyo3(signature = (fd, callback, *args))]
    fn _add_reader(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
    ) -> PyResult<Py<Handle>> {
        add(slf, Direction::Read, fd, callback, args)
    }

    #[pyo3(signature = (fd, callback, *args))]
    fn _add_writer(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
    ) -> PyResult<Py<Handle>> {
        add(slf, Direction::Write, fd, callback, args)
    }

    fn _remove_reader(slf: &Bound<'_, Self>, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        remove(slf, Direction::Read, fd)
    }

    fn _remove_writer(slf: &Bound<'_, Self>, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        remove(slf, Direction::Write, fd)
    }

    /// The watched descriptors and their handles: {fd: (reader, writer)}.
    fn _handles(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        handles(self, py)
    }
}
