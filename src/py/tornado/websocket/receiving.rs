//! Receiving a frame: Tornado's `_receive_frame`, as what is awaited.
//!
//! A frame is looked at before anything of it is taken from the stream, so whatever isn't plain
//! is Tornado's coroutine's from its first byte on. Where nothing has come yet all is read that
//! comes, where Tornado reads two bytes; what isn't the frame's is put back.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::WebSocket;
use super::protocol::Protocol;
use crate::core::websocket::{Begin, Head, begin, mask};
use crate::py::support::finalization::hang_rather_than_unwind;
use crate::py::support::guarded::Guarded;
use crate::py::support::make::{self, Said};
use crate::py::support::names::intern;
use crate::py::support::stepping::{Step, send};
use crate::py::tornado::streams::{ALL, LEAST, Received};

/// What is awaited.
enum Stage {
    /// The first that comes, by this read.
    First(Py<PyAny>),
    /// The rest of its payload.
    Payload(Head),
    /// Whoever handles it.
    Handler,
    /// Tornado's own coroutine, which does all of it.
    Stock,
}

enum State {
    Begun,
    /// With the iterator of what is awaited.
    Waits(Py<PyAny>, Stage),
    Running,
    Ended,
}

/// An iterator of something that is awaited, what that is, and what it has yielded; nothing: the
/// frame is done with.
type Outcome<'py> = Option<(Bound<'py, PyAny>, Stage, Bound<'py, PyAny>)>;

/// See the module's documentation.
#[pyclass(frozen, weakref, module = "tornado4._core")]
pub struct Receiving {
    websocket: Py<WebSocket>,
    protocol: Py<PyAny>,
    /// Tornado's function.
    stock: Py<PyAny>,
    state: Guarded<State>,
}

impl Receiving {
    pub fn new(
        websocket: &Bound<'_, WebSocket>,
        protocol: Bound<'_, PyAny>,
        stock: &Py<PyAny>,
    ) -> Receiving {
        Receiving {
            websocket: websocket.clone().unbind(),
            protocol: protocol.unbind(),
            stock: stock.clone_ref(websocket.py()),
            state: Guarded::new(State::Begun),
        }
    }

    fn change(&self, py: Python<'_>, state: State) -> State {
        std::mem::replace(&mut *self.state.lock(py), state)
    }

    /// Goes on from where it is; `begin` and `resume` do it there.
    fn go_on<'py>(
        &self,
        py: Python<'py>,
        begin: impl FnOnce() -> PyResult<Outcome<'py>>,
        resume: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<Step<'py>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        hang_rather_than_unwind();
        let outcome = match self.change(py, State::Running) {
            State::Begun => begin(),
            State::Waits(awaited, stage) => {
                let awaited = awaited.into_bound(py);
                match resume(&awaited) {
                    Ok(Step::Yielded(yielded)) => Ok(Some((awaited, stage, yielded))),
                    Ok(Step::Returned(value)) => self.after(stage, value, true),
                    Err(error) => self.given_up(py, &stage).and(Err(error)),
                }
            }
            State::Running => {
                return Err(PyValueError::new_err(Said("coroutine already executing")));
            }
            State::Ended => Err(PyRuntimeError::new_err(Said(
                "cannot reuse already awaited coroutine",
            ))),
        };
        let (state, yielded) = match outcome {
            Ok(Some((awaited, stage, yielded))) => {
                (State::Waits(awaited.unbind(), stage), Ok(Some(yielded)))
            }
            Ok(None) => (State::Ended, Ok(None)),
            Err(error) => (State::Ended, Err(error)),
        };
        drop(self.change(py, state));
        yielded
    }

    /// Awaits something for the first time.
    fn wait<'py>(&self, awaited: Bound<'py, PyAny>, stage: Stage) -> PyResult<Outcome<'py>> {
        let py = awaited.py();
        match send(&awaited, py.None().bind(py))? {
            Step::Yielded(yielded) => Ok(Some((awaited, stage, yielded))),
            Step::Returned(value) => self.after(stage, value, false),
        }
    }

    /// Awaits a future.
    fn wait_for<'py>(&self, future: &Bound<'py, PyAny>, stage: Stage) -> PyResult<Outcome<'py>> {
        let awaited = future.call_method0(intern!(future.py(), "__await__"))?;
        self.wait(awaited, stage)
    }

    /// What follows when that is done which was awaited, if that took time.
    fn after<'py>(
        &self,
        stage: Stage,
        value: Bound<'py, PyAny>,
        waited: bool,
    ) -> PyResult<Outcome<'py>> {
        match stage {
            Stage::First(_) => self.first(value.cast()?, waited),
            Stage::Payload(head) => self.payload(value.cast_into()?, head),
            Stage::Handler | Stage::Stock => Ok(None),
        }
    }

    /// What follows when nobody waits any more, who was cancelled perhaps.
    fn given_up(&self, py: Python<'_>, stage: &Stage) -> PyResult<()> {
        if let Stage::First(read) = stage {
            let rare = self.websocket.get().rare.bind(py);
            rare.call_method1(intern!(py, "given_up"), (&self.protocol, read))?;
        }
        Ok(())
    }

    /// Leaves a frame to Tornado's coroutine.
    fn leave<'py>(&self, py: Python<'py>) -> PyResult<Outcome<'py>> {
        let coroutine = self.stock.bind(py).call1((&self.protocol,))?;
        self.wait(coroutine, Stage::Stock)
    }

    fn begin<'py>(&self, py: Python<'py>) -> PyResult<Outcome<'py>> {
        let websocket = self.websocket.get();
        let protocol = Protocol::of(self.protocol.bind(py))?;
        // It may run Python code: before anybody looks what there is.
        let most = protocol.most()?;
        let (Some(stream), Some(most)) = (protocol.stream()?, most) else {
            return self.leave(py);
        };
        let Some(received) = websocket.received(&stream)? else {
            return self.leave(py);
        };
        match received.look(|bytes| (bytes.is_empty(), begin(bytes))) {
            // Whoever else reads all that there is reads too much.
            (true, _) if !received.is_read_natively()? || !websocket.reads(&stream)? => {
                self.leave(py)
            }
            (true, _) => {
                let size = make::Unsigned(ALL);
                let read = stream.call_method1(intern!(py, "read_bytes"), (size, true))?;
                self.wait_for(&read, Stage::First(read.clone().unbind()))
            }
            (_, Begin::Head(head)) if head.length <= most => self.frame(&protocol, &received, head),
            _ => self.leave(py),
        }
    }

    /// What follows when something has come.
    fn first<'py>(&self, came: &Bound<'py, PyBytes>, waited: bool) -> PyResult<Outcome<'py>> {
        let py = came.py();
        let websocket = self.websocket.get();
        let protocol = Protocol::of(self.protocol.bind(py))?;
        let most = protocol.most()?;
        let (Some(stream), true) = (protocol.stream()?, websocket.is_unchanged(&protocol)?) else {
            return self.give_back(&protocol, came);
        };
        let Some(received) = websocket.received(&stream)? else {
            return self.give_back(&protocol, came);
        };
        let bytes = came.as_bytes();
        if waited && bytes.len() > LEAST {
            received.left_a_rest();
        }
        let head = match begin(bytes) {
            Begin::Head(head) if most.is_some_and(|most| head.length <= most) => head,
            _ => {
                received.put_back(bytes)?;
                return self.leave(py);
            }
        };
        let end = head.size.saturating_add(head.length);
        let Some(data) = bytes.get(head.size..end) else {
            received.put_back(bytes.get(head.size..).unwrap_or_default())?;
            return self.rest(&protocol, head);
        };
        let data = unmasked(py, head, data)?;
        received.put_back(bytes.get(end..).unwrap_or_default())?;
        self.whole(&protocol, head, data)
    }

    /// Leaves a frame to Tornado's coroutine of which something was read, on whatever stream.
    fn give_back<'py>(
        &self,
        protocol: &Protocol<'py>,
        came: &Bound<'py, PyBytes>,
    ) -> PyResult<Outcome<'py>> {
        let py = came.py();
        let rare = self.websocket.get().rare.bind(py);
        rare.call_method1(intern!(py, "give_back"), (&protocol.object, came))?;
        self.leave(py)
    }

    /// What follows when the stream's buffer begins with a frame's head.
    fn frame<'py>(
        &self,
        protocol: &Protocol<'py>,
        received: &Received<'_, 'py>,
        head: Head,
    ) -> PyResult<Outcome<'py>> {
        let py = protocol.object.py();
        let end = head.size.saturating_add(head.length);
        let payload = |bytes: &[u8]| {
            bytes
                .get(head.size..end)
                .map(|data| unmasked(py, head, data))
        };
        match received.look(payload).transpose()? {
            Some(data) => {
                received.discard(end)?;
                self.whole(protocol, head, data)
            }
            None => {
                received.discard(head.size)?;
                self.rest(protocol, head)
            }
        }
    }

    /// What follows when a whole frame was taken.
    fn whole<'py>(
        &self,
        protocol: &Protocol<'py>,
        head: Head,
        data: Bound<'py, PyBytes>,
    ) -> PyResult<Outcome<'py>> {
        protocol.note(&head)?;
        protocol.count_in(head.size.saturating_add(head.length))?;
        self.handle(protocol, head, data)
    }

    /// What follows when a head was taken, and not all of its payload is there.
    fn rest<'py>(&self, protocol: &Protocol<'py>, head: Head) -> PyResult<Outcome<'py>> {
        let py = protocol.object.py();
        protocol.note(&head)?;
        protocol.count_in(head.size)?;
        let read = protocol
            .object
            .getattr(intern!(py, "stream"))?
            .call_method1(intern!(py, "read_bytes"), (make::Unsigned(head.length),))?;
        self.wait_for(&read, Stage::Payload(head))
    }

    /// What follows when the rest of a payload has come.
    fn payload<'py>(&self, data: Bound<'py, PyBytes>, head: Head) -> PyResult<Outcome<'py>> {
        let py = data.py();
        let websocket = self.websocket.get();
        let protocol = Protocol::of(self.protocol.bind(py))?;
        protocol.count_in(data.as_bytes().len())?;
        let data = match head.mask {
            None => data,
            Some(_) if websocket.is_unchanged(&protocol)? => unmasked(py, head, data.as_bytes())?,
            Some(mask) => websocket.mask(&make::bytes(py, &mask)?, &data)?,
        };
        self.handle(&protocol, head, data)
    }

    /// `_handle_message`.
    fn handle<'py>(
        &self,
        protocol: &Protocol<'py>,
        head: Head,
        data: Bound<'py, PyBytes>,
    ) -> PyResult<Outcome<'py>> {
        let py = data.py();
        let websocket = self.websocket.get();
        let handled = match websocket.hand_over(protocol, head.opcode, &data)? {
            Some(handled) => handled,
            None => {
                let handle = intern!(py, "_handle_message");
                protocol.object.call_method1(handle, (head.opcode, data))?
            }
        };
        if handled.is_none() {
            return Ok(None);
        }
        self.wait_for(&handled, Stage::Handler)
    }
}

fn unmasked<'py>(py: Python<'py>, head: Head, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    match head.mask {
        None => make::bytes(py, data),
        Some(key) => make::bytes_changed(py, [data], |data| mask(key, data)),
    }
}

#[pymethods]
impl Receiving {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// This is what a task calls for each step.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let nothing = py.None().into_bound(py);
        self.go_on(py, || self.begin(py), |awaited| send(awaited, &nothing))
    }

    /// Run until the next yield, and return what is yielded.
    fn send<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        self.go_on(py, || self.begin(py), |awaited| send(awaited, value))?
            .ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// Raise an exception where it waits, and run until the next yield.
    #[pyo3(signature = (*args))]
    fn throw<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let throw = intern!(py, "throw");
        let before = || {
            // Raised by a coroutine that hasn't begun.
            let coroutine = self.stock.bind(py).call1((&self.protocol,))?;
            coroutine.call_method1(throw, args).map(|_| None)
        };
        let raised = |awaited: &Bound<'py, PyAny>| match awaited.call_method1(throw, args) {
            Ok(yielded) => Ok(Step::Yielded(yielded)),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                let value = error.value(py).getattr(intern!(py, "value"))?;
                Ok(Step::Returned(value))
            }
            Err(error) => Err(error),
        };
        self.go_on(py, before, raised)?
            .ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// Raise GeneratorExit where it waits.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        hang_rather_than_unwind();
        match self.change(py, State::Ended) {
            State::Waits(awaited, _) => {
                let awaited = awaited.into_bound(py);
                awaited.call_method0(intern!(py, "close"))?;
                Ok(())
            }
            state @ State::Running => {
                drop(self.change(py, state));
                Err(PyValueError::new_err(Said("coroutine already executing")))
            }
            State::Begun | State::Ended => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.websocket)?;
        visit.call(&self.protocol)?;
        visit.call(&self.stock)?;
        match self.state.visit(&visit).as_deref() {
            Some(State::Waits(awaited, stage)) => {
                if let Stage::First(read) = stage {
                    visit.call(read)?;
                }
                visit.call(awaited)
            }
            _ => Ok(()),
        }
    }
}
