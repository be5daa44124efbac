//! Everything that the native code takes from Python's own modules.
//!
//! Only the standard library stands here: what belongs to Tornado or Twisted
//! is handed in by the Python side, so that importing `_core` imports neither.

use std::os::fd::RawFd;

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

/// `getattr(import_module(module), name)`, looked up once.
fn cached<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let find = || -> PyResult<Py<PyAny>> {
        let module = py.import(make::name(py, module)?)?;
        Ok(module.getattr(make::name(py, name)?)?.unbind())
    };
    Ok(cell.get_or_try_init(py, find)?.bind(py))
}

/// The stack of the Python code that made this call, outermost first, as
/// asyncio keeps it with a handle in debug mode.
pub fn extract_stack(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static EXTRACT_STACK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static GETFRAME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let frame = cached(py, &GETFRAME, "sys", "_getframe")?.call0()?;
    let extract = cached(
        py,
        &EXTRACT_STACK,
        "asyncio.format_helpers",
        "extract_stack",
    )?;
    Ok(extract.call1((frame,))?.unbind())
}

/// `asyncio.Handle`.
pub fn handle_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static HANDLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &HANDLE, "asyncio.events", "Handle")
}

/// asyncio's own class for `call_soon_threadsafe`, which it has from Python 3.14 on.
pub fn threadsafe_handle_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyAny>>> {
    static THREADSAFE: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();
    let find = || -> PyResult<Option<Py<PyAny>>> {
        let events = py.import(intern!(py, "asyncio.events"))?;
        Ok(events
            .getattr_opt(intern!(py, "_ThreadSafeHandle"))?
            .map(Bound::unbind))
    };
    let found = THREADSAFE.get_or_try_init(py, find)?;
    Ok(found.as_ref().map(|class| class.bind(py)))
}

/// What has a name in a module at this moment: it may be replaced.
fn current<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyDict>>,
    module: &str,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let find = || -> PyResult<_> { Ok(py.import(make::name(py, module)?)?.dict().unbind()) };
    let names = cell.get_or_try_init(py, find)?.bind(py);
    match names.get_item(name)? {
        Some(found) => Ok(found),
        None => py.import(make::name(py, module)?)?.getattr(name),
    }
}

/// `asyncio.Future`.
pub fn future_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static FUTURES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    current(py, &FUTURES, "asyncio.futures", intern!(py, "Future"))
}

/// asyncio's own class of futures where that is native.
pub fn native_future_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyAny>>> {
    static NATIVE: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();
    let find = || -> PyResult<_> {
        match py.import(intern!(py, "_asyncio")) {
            Ok(module) => Ok(Some(module.getattr(intern!(py, "Future"))?.unbind())),
            Err(error) if error.is_instance_of::<PyImportError>(py) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let found = NATIVE.get_or_try_init(py, find)?;
    Ok(found.as_ref().map(|class| class.bind(py)))
}

/// The asyncio loop that runs in this thread, if one does.
pub fn running_loop(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let running = cached(py, &RUNNING, "asyncio.events", "_get_running_loop")?.call0()?;
    Ok(Some(running).filter(|running| !running.is_none()))
}

/// `asyncio.Task`.
pub fn task_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static TASKS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    current(py, &TASKS, "asyncio.tasks", intern!(py, "Task"))
}

/// Makes a task by the method of asyncio's own loops.
pub fn create_task<'py>(
    event_loop: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    static BASE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    let base = cached(py, &BASE, "asyncio.base_events", "BaseEventLoop")?;
    let method = base.getattr(intern!(py, "create_task"))?;
    let bound = method.call_method1(intern!(py, "__get__"), (event_loop,))?;
    bound.call(args, kwargs)
}

/// `asyncio.TimerHandle`.
pub fn timer_handle_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static TIMER_HANDLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &TIMER_HANDLE, "asyncio.events", "TimerHandle")
}

/// The parts of a handle's repr, as asyncio puts them.
pub fn handle_repr_info<'py>(handle: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let info =
        handle_class(handle.py())?.call_method1(intern!(handle.py(), "_repr_info"), (handle,))?;
    Ok(info.cast_into::<PyList>()?)
}

/// A handle's repr, as asyncio puts it.
pub fn handle_repr<'py>(handle: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let repr =
        handle_class(handle.py())?.call_method1(intern!(handle.py(), "__repr__"), (handle,))?;
    Ok(repr.cast_into::<PyString>()?)
}

/// `asyncio.sslproto.SSLProtocol`.
///
/// # Errors
/// Those of the import.
pub fn ssl_protocol_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &CLASS, "asyncio.sslproto", "SSLProtocol")
}

/// `socket.socket`.
pub fn socket_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static SOCKET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &SOCKET, "socket", "socket")
}

/// `io.FileIO`.
pub fn file_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FILE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    cached(py, &FILE, "io", "FileIO")
}

/// The descriptor of a socket object. A socket of Python's isn't asked by a `fileno` of
/// somebody's own: its sending and receiving don't look for that either.
pub fn descriptor_of(socket: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    static NATIVE: PyOnceLock<(Py<PyType>, Py<PyAny>)> = PyOnceLock::new();
    let py = socket.py();
    let find = || -> PyResult<_> {
        let class = py
            .import(intern!(py, "_socket"))?
            .getattr(intern!(py, "socket"))?;
        let fileno = class.getattr(intern!(py, "fileno"))?.unbind();
        Ok((class.cast_into::<PyType>()?.unbind(), fileno))
    };
    let (class, fileno) = NATIVE.get_or_try_init(py, find)?;
    let number = if socket.get_type().is_subclass(class.bind(py))? {
        fileno.bind(py).call1((socket,))?
    } else {
        socket.call_method0(intern!(py, "fileno"))?
    };
    number.extract()
}

/// A socket object of a descriptor, which it owns from then on.
pub fn socket_of(py: Python<'_>, fd: RawFd) -> PyResult<Bound<'_, PyAny>> {
    let options = make::dict(py)?;
    options.set_item(intern!(py, "fileno"), make::signed(py, fd)?)?;
    socket_class(py)?.call((), Some(&options))
}

/// The host of an IPv6 address with its scope's name, as `getnameinfo` has it.
pub fn scoped_host(py: Python<'_>, address: (String, u16, u32, u32)) -> PyResult<String> {
    let socket = py.import(intern!(py, "socket"))?;
    let numeric: i32 = socket.getattr(intern!(py, "NI_NUMERICHOST"))?.extract()?;
    let service: i32 = socket.getattr(intern!(py, "NI_NUMERICSERV"))?.extract()?;
    let names = socket.call_method1(intern!(py, "getnameinfo"), (address, numeric | service))?;
    names.get_item(0)?.extract()
}

/// Whether `object` is what calling an `async def` function returns.
///
/// # Errors
/// None, unless Python's library is broken.
pub fn is_native_coroutine(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static NATIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let native = cached(object.py(), &NATIVE, "types", "CoroutineType")?;
    Ok(object.get_type().is(native))
}

/// Whether asyncio makes a task of `object`.
pub fn is_coroutine(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static IS_COROUTINE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    if is_native_coroutine(object)? {
        return Ok(true);
    }
    let check = cached(py, &IS_COROUTINE, "asyncio.coroutines", "iscoroutine")?;
    check.call1((object,))?.is_truthy()
}

/// Whether `object` is a `numbers.Real`, Tornado's notion of a number.
pub fn is_real(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static REAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    object.is_instance(cached(object.py(), &REAL, "numbers", "Real")?)
}

/// Whether `object` is a `datetime.timedelta`. PyO3's own look at it crashes where there is no
/// memory for what it imports.
pub fn is_timedelta(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static TIMEDELTA: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    object.is_instance(cached(object.py(), &TIMEDELTA, "datetime", "timedelta")?)
}

/// Whether a module has been imported. `None` in its place forbids that.
pub fn is_loaded(py: Python<'_>, name: &str) -> PyResult<bool> {
    static MODULES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let modules = cached(py, &MODULES, "sys", "modules")?;
    let name = make::name(py, name)?;
    Ok(modules.contains(&name)? && !modules.get_item(name)?.is_none())
}

/// A packed address as text, as `socket.inet_ntop` writes it.
pub fn inet_ntop<'py>(py: Python<'py>, family: i32, packed: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static INET_NTOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let packed = make::bytes(py, packed)?;
    cached(py, &INET_NTOP, "socket", "inet_ntop")?.call1((family, packed))
}
