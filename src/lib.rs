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
    #[pymodule_export]
    use crate::py::asyncio::{
        Acceptor, Coroutine, DatagramEndpoint, EventLoop, Handle, ReadPipe, SocketTransport,
        TaskMaker, TimerHandle, WritePipe,
    };
    #[pymodule_export]
    use crate::py::tornado::{IOLoop, Timeout};
    #[pymodule_export]
    use crate::py::transport::tls::{TLSProbe, tls_engines};
    #[pymodule_export]
    use crate::py::twisted::{
        DatagramTransport, DelayedCall, Lazy, Reactor, Replaceable, StreamTransport,
        accept_connections,
    };
}
