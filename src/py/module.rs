//! What the module `tornado4._core` consists of.
#![allow(unsafe_code)]

use pyo3::prelude::*;

use super::asyncio::{
    Acceptor, Coroutine, DatagramEndpoint, EventLoop, Handle, ReadPipe, SocketTransport, TaskMaker,
    TimerHandle, Tls, WritePipe,
};
use super::event_loop::current::running_loop;
use super::support::{interpreters, names, panics, reuse, trashcan};
use super::tornado::{
    Expired, Http, HttpFunction, IOLoop, Passed, Receiving, Streams, Timeout, Watch, WebSocket,
    Written,
};
use super::transport::tls::{TLSProbe, tls_engines};
use super::twisted::{
    DatagramTransport, DelayedCall, Lazy, Note, Reactor, Replaceable, StreamTransport, TLSLayer,
    accept_connections,
};

/// Adds classes to a module.
macro_rules! add {
    ($module:expr, $($class:ty),+ $(,)?) => {$($module.add_class::<$class>()?;)+};
}

/// Fills the module.
///
/// # Errors
/// `ImportError` in a subinterpreter, and without the GIL, before anything is made there.
pub fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    interpreters::check_main(py)?;
    interpreters::check_gil(py)?;
    panics::make_class(py)?;
    names::make_all(py)?;
    add!(
        module,
        EventLoop,
        Handle,
        TimerHandle,
        Coroutine,
        TaskMaker,
        Acceptor,
        SocketTransport,
        DatagramEndpoint,
        ReadPipe,
        WritePipe
    );
    add!(module, IOLoop, Timeout, Streams, Watch);
    add!(module, Http, HttpFunction, Expired, Passed);
    add!(module, WebSocket, Receiving, Written);
    add!(
        module,
        Reactor,
        DelayedCall,
        Lazy,
        Replaceable,
        StreamTransport,
        DatagramTransport
    );
    add!(module, TLSProbe);
    module.add_function(wrap_pyfunction!(tls_engines, module)?)?;
    module.add_function(wrap_pyfunction!(accept_connections, module)?)?;
    module.add_function(wrap_pyfunction!(running_loop, module)?)?;
    // All that can hold another one, by whatever is in between; all of PyO3's classes are made
    // now, while there is memory.
    trashcan::guard_all!(
        py,
        EventLoop,
        Handle,
        TimerHandle,
        Coroutine,
        TaskMaker,
        Acceptor,
        SocketTransport,
        DatagramEndpoint,
        ReadPipe,
        WritePipe,
        Tls,
        IOLoop,
        Timeout,
        HttpFunction,
        Expired,
        Passed,
        Receiving,
        Reactor,
        DelayedCall,
        Note,
        Lazy,
        Replaceable,
        StreamTransport,
        DatagramTransport,
        TLSLayer,
        TLSProbe
    );
    // Those that come and go many times in a turn.
    reuse::keep_all!(py, Handle, TimerHandle, Coroutine, Timeout, DelayedCall);
    Ok(())
}
