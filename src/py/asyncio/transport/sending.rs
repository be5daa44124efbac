//! Sending: what goes out when, and what the protocol is told of it.

use crate::py::support::make::Said;
use crate::py::support::names::intern;
use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;

use super::{Flag, SocketTransport, stock};
use crate::core::registrations::Role;
use crate::core::stream::write_buffer::Sent;
use crate::core::sys::sockets;
use crate::py::support::context;
use crate::py::support::error::{self, ends_the_loop, os_error};
use crate::py::support::make;
use crate::py::transport::stream::{self, Face};

const WRITE_FAILED: &str = "Fatal write error on socket transport";

impl SocketTransport {
    /// Sends what the iteration's callbacks have written.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit` of the protocol.
    pub fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (flushes, context) = {
            let mut state = slf.get().state.lock(slf.py());
            let flushes = state.stream.buffer.take_note() && state.lost == 0;
            // That of a write which waits for the socket is still needed.
            let noted = !state.stream.buffer.is_watched();
            (flushes, state.write_context.take_if(|_| noted))
        };
        if !flushes {
            return Ok(());
        }
        let sent = Self::send_as_of(slf, || match context {
            Some(context) => Ok(context),
            None => Self::copy_own_context(slf),
        });
        match sent {
            // One connection's trouble isn't the loop's.
            Err(error) if !ends_the_loop(slf.py(), &error) => Self::send_failed(slf, error),
            sent => sent,
        }
    }

    /// A copy of the context in which the protocol is told of what comes.
    fn copy_own_context(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let own = {
            let state = slf.get().state.lock(py);
            state.context.as_ref().map(|own| own.clone_ref(py))
        };
        match own {
            Some(own) => context::copy(py, &own),
            None => context::copy_current(py),
        }
    }

    /// Sends what is held back, before something is done that would show that it is.
    pub(super) fn flush_now(slf: &Bound<'_, Self>) -> PyResult<()> {
        let unflushed = slf.get().state.lock(slf.py()).stream.buffer.is_unflushed();
        if unflushed { Self::send(slf) } else { Ok(()) }
    }

    /// Sends what the socket takes; the rest waits for it, as of a write in the current
    /// context.
    pub(super) fn send(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::send_as_of(slf, || context::copy_current(slf.py()))
    }

    /// Sends what the socket takes; the rest waits for it, as of a write in that context.
    fn send_as_of(
        slf: &Bound<'_, Self>,
        context: impl FnOnce() -> PyResult<Py<PyAny>>,
    ) -> PyResult<()> {
        match stream::send(slf) {
            Ok(Sent::All) => Ok(()),
            Ok(Sent::Rest) => Self::wait_for_room(slf, context()?),
            Ok(Sent::Failed(error)) => Self::send_failed(slf, os_error(error)),
            Err(error) => Self::send_failed(slf, error),
        }
    }

    /// Sends the rest when the socket takes more, and tells the protocol of it in `context`.
    fn wait_for_room(slf: &Bound<'_, Self>, context: Py<PyAny>) -> PyResult<()> {
        if let Err(error) = Self::watch(slf, Role::Write) {
            // The loop is closed, or the kernel refuses: nobody will send it.
            Self::drop_unsent(slf);
            return Err(error);
        }
        let before = {
            let mut state = slf.get().state.lock(slf.py());
            state.stream.buffer.watch(true);
            state.write_context.replace(context)
        };
        drop(before);
        Self::pause_if_full(slf)
    }

    pub(super) fn send_failed(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        Self::drop_unsent(slf);
        Self::fatal(slf, error, WRITE_FAILED)
    }

    /// Forgets what isn't sent.
    pub(super) fn drop_unsent(slf: &Bound<'_, Self>) {
        let (unsent, context, watched) = {
            let mut state = slf.get().state.lock(slf.py());
            let watched = state.stream.buffer.is_watched();
            state.stream.buffer.watch(false);
            let context = state.write_context.take();
            (state.stream.buffer.take(), context, watched)
        };
        drop((unsent, context));
        if watched {
            Self::unwatch(slf, Role::Write);
        }
    }

    /// Tells the protocol to pause, if too much waits.
    pub(super) fn pause_if_full(slf: &Bound<'_, Self>) -> PyResult<()> {
        let pauses = slf.get().state.lock(slf.py()).stream.buffer.pauses();
        if pauses {
            Self::tell(slf, "pause_writing")
        } else {
            Ok(())
        }
    }

    /// Calls one of the protocol's two methods for flow control.
    pub(super) fn tell(slf: &Bound<'_, Self>, method: &str) -> PyResult<()> {
        let py = slf.py();
        let Some(protocol) = slf.get().protocol(py) else {
            return Ok(());
        };
        match protocol.call_method0(make::name(py, method)?) {
            Ok(_) => Ok(()),
            Err(error) if ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let exception = error::value(py, error);
                let message = make::text(py, &format!("protocol.{method}() failed"))?;
                slf.call_method1(intern!(py, "_report"), (exception, message))?;
                Ok(())
            }
        }
    }

    /// The socket takes more.
    pub(super) fn write_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let state = slf.get().state.lock(slf.py());
            if state.lost > 0 || !state.stream.buffer.is_watched() {
                return Ok(());
            }
        }
        let outcome = match slf.get().take_refused(slf.py()) {
            Some(error) => Err(error),
            None => match stream::send(slf) {
                Ok(Sent::Failed(error)) => Err(error::made(slf.py(), os_error(error))),
                outcome => outcome,
            },
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let waiter = slf.get().take_empty_waiter(slf.py());
                let told = error.clone_ref(slf.py());
                Self::send_failed(slf, error)?;
                return set_exception(slf.py(), waiter, told);
            }
        };
        let resumes = Self::stream(slf, |stream| {
            if matches!(outcome, Sent::All) {
                // What the protocol writes now is offered to the socket at once.
                stream.buffer.watch(false);
            }
            stream.buffer.resumes()
        });
        let told = if resumes {
            Self::tell(slf, "resume_writing").and_then(|()| Self::flush_now(slf))
        } else {
            Ok(())
        };
        // Whatever it raises.
        let ended = Self::all_sent(slf);
        told.and(ended)
    }

    /// If nothing waits any more, does what was to follow that.
    fn all_sent(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (waiter, closing, eof, context) = {
            let mut state = slf.get().state.lock(slf.py());
            // The protocol may have written, or ended the connection.
            let waits = state.stream.buffer.is_watched() || !state.stream.buffer.is_empty();
            if waits || state.lost > 0 {
                return Ok(());
            }
            let closing = state.is(Flag::Closing);
            // What the protocol writes at its end is still sent, up to Python 3.13.
            state.lost += u32::from(closing && stock::refuses_last_writes());
            let waiter = state.empty_waiter.as_ref();
            let waiter = waiter.map(|waiter| waiter.clone_ref(py));
            let context = state.write_context.take();
            (waiter, closing, state.is(Flag::Eof), context)
        };
        drop(context);
        Self::unwatch(slf, Role::Write);
        if let Some(waiter) = waiter {
            stock::set_result(waiter.bind(py))?;
        }
        if closing {
            return Self::connection_lost(slf, py.None().bind(py));
        }
        if eof { Self::shut_down(slf) } else { Ok(()) }
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn shut_down(slf: &Bound<'_, Self>) -> PyResult<()> {
        sockets::shutdown_write(stream::fd(slf)?).map_err(os_error)
    }

    /// The error of something that was written and can't be sent.
    fn take_refused(&self, py: Python<'_>) -> Option<PyErr> {
        let refused = self.state.lock(py).reason.take()?;
        Some(PyErr::from_value(refused.into_bound(py)))
    }

    fn take_empty_waiter(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.lock(py).empty_waiter.take()
    }

    /// Tells `sendfile` that the connection is closed.
    pub(super) fn fail_empty_waiter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let waiter = slf.get().take_empty_waiter(slf.py());
        let closed = PyConnectionError::new_err(Said("Connection is closed by peer"));
        set_exception(slf.py(), waiter, closed)
    }
}

fn set_exception(py: Python<'_>, waiter: Option<Py<PyAny>>, error: PyErr) -> PyResult<()> {
    let Some(waiter) = waiter else {
        return Ok(());
    };
    let waiter = waiter.bind(py);
    if !waiter.call_method0(intern!(py, "done"))?.is_truthy()? {
        let exception = error::value(py, error);
        waiter.call_method1(intern!(py, "set_exception"), (exception,))?;
    }
    Ok(())
}
