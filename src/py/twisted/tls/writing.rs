//! What the application writes: kept until the iteration ends, or it is much, and encrypted
//! together; see Twisted's `_AggregateSmallWrites` and `TLSMemoryBIOProtocol._write`.
//!
//! Twisted does that by a call that it schedules for the next iteration. Here it is done
//! at the end of this one, after the calls that it makes, and before any that they
//! schedule: sooner than Twisted, but never before the callback that writes has returned.

use crate::py::support::names::intern;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::TLSLayer;
use super::established::Established;
use super::failing::{failed, finished};
use crate::core::fifo::Fifo;
use crate::py::dispatch::unflushed::Unflushed;
use crate::py::support::make;
use crate::py::transport::buffers::join;
use crate::py::transport::tls::Written;

/// How much is kept at most, as `_AggregateSmallWrites` has it.
pub const MAX_BUFFER_SIZE: usize = 64_000;

/// How much is encrypted at once: the largest record.
const RECORD: usize = 1 << 14;

/// How much is encrypted before the transport gets it. All the ciphertext of a large write
/// at once would need twice its size, in memory that grows by being moved.
const BATCH: usize = 10 * RECORD;

/// Keeps data, which must be bytes.
///
/// # Errors
/// `TypeError` for anything else; if it is much, those of `flush`.
pub fn write(slf: &Bound<'_, TLSLayer>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = slf.py();
    let data = bytes(data)?;
    let count = data.as_bytes().len();
    if count == 0 {
        return Ok(());
    }
    {
        let mut state = slf.get().state.lock(py);
        if state.protocol.is_none() {
            return Ok(());
        }
        state.chunks.make_room(1)?;
        state.chunks.push(data.unbind());
        state.len += count;
        if state.len > MAX_BUFFER_SIZE && !state.busy {
            drop(state);
            return flush(slf);
        }
    }
    note(slf)
}

/// Has the end of the iteration see to what is kept.
fn note(slf: &Bound<'_, TLSLayer>) -> PyResult<()> {
    let py = slf.py();
    let (core, len) = {
        let mut state = slf.get().state.lock(py);
        if state.busy || state.noted || state.len == 0 {
            return Ok(());
        }
        let Some(core) = state.core.as_ref().map(|core| core.clone_ref(py)) else {
            return Ok(());
        };
        state.noted = true;
        (core, state.len)
    };
    let noted = Unflushed::Tls(slf.clone().unbind());
    if core
        .get()
        .event_loop()
        .note_unflushed(py, noted, len)
        .is_err()
    {
        slf.get().state.lock(py).noted = false;
        return flush(slf);
    }
    Ok(())
}

/// `data + b""`, which is what Twisted keeps, as bytes that nobody can change.
fn bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(data) = data.cast_exact::<PyBytes>() {
        return Ok(data.clone());
    }
    let py = data.py();
    let sum = data.add(make::bytes(py, b"")?)?;
    match sum.cast_exact::<PyBytes>() {
        Ok(bytes) => Ok(bytes.clone()),
        Err(_) => join(&make::list(py, [sum])?),
    }
}

/// Encrypts what is kept, and has it sent. What is written meanwhile, by a producer that is
/// paused, comes after that: it is kept until the iteration ends.
///
/// # Errors
/// Those of the transport, such as what a producer's pause raises.
pub fn flush(slf: &Bound<'_, TLSLayer>) -> PyResult<()> {
    let py = slf.py();
    let (chunks, protocol) = {
        let mut state = slf.get().state.lock(py);
        if state.len == 0 || state.busy {
            return Ok(());
        }
        let Some(protocol) = state.protocol.as_ref() else {
            return Ok(());
        };
        let protocol = protocol.bind(py).clone();
        state.busy = true;
        state.len = 0;
        (std::mem::take(&mut state.chunks), protocol)
    };
    let outcome = match together(py, &chunks) {
        Ok(data) => {
            drop(chunks);
            send(slf, &protocol, &data)
        }
        // Memory is short: one after the other.
        Err(_) => chunks
            .iter()
            .try_for_each(|chunk| send(slf, &protocol, chunk.bind(py))),
    };
    slf.get().state.lock(py).busy = false;
    let outcome = match outcome {
        // How much of it has been sent nobody knows, and nothing may be missing from what
        // is: the connection ends.
        Err(error) if error.is_instance_of::<PyMemoryError>(py) => finished(&protocol, error),
        outcome => outcome,
    };
    outcome.and(note(slf))
}

/// What these say, one after the other.
fn together<'py>(py: Python<'py>, chunks: &Fifo<Py<PyBytes>>) -> PyResult<Bound<'py, PyBytes>> {
    match chunks.first() {
        Some(first) if !chunks.has_more() => Ok(first.bind(py).clone()),
        _ => join(&make::list(
            py,
            chunks.iter().map(|chunk| chunk.bind(py).clone()),
        )?),
    }
}

fn send(
    slf: &Bound<'_, TLSLayer>,
    protocol: &Bound<'_, PyAny>,
    data: &Bound<'_, PyBytes>,
) -> PyResult<()> {
    let py = slf.py();
    match Established::of(slf, protocol)? {
        Some(established) if established.is_writable()? => encrypt(&established, data),
        _ => {
            let write = {
                let state = slf.get().state.lock(py);
                state.write.as_ref().map(|write| write.bind(py).clone())
            };
            match write {
                Some(write) => write.call1((data,)).map(drop),
                None => Ok(()),
            }
        }
    }
}

/// See `_write`. What a producer's pause raises is told when all is encrypted.
fn encrypt(established: &Established<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
    let py = data.py();
    // What a producer does when it is paused has effect on the next record.
    let stepwise = established.has_producer()?;
    let (all, mut rest) = (data.as_bytes(), data.as_bytes());
    let mut unsent = 0;
    let mut outcome = Ok(());
    if !stepwise && let Some((written, sealed)) = established.engine.seal(data)? {
        outcome = established.send_now(&sealed);
        match written {
            Written::Taken(count) => rest = rest.get(count..).unwrap_or_default(),
            // It is blocked once more.
            Written::Blocked => {}
            Written::Failed(error) => {
                return outcome.and(failed(&established.protocol, error));
            }
        }
        if rest.is_empty() {
            return outcome;
        }
    }
    while !rest.is_empty() {
        let record = rest.get(..RECORD).unwrap_or(rest);
        let written = if record.len() == all.len() {
            established.engine.write(py, data.as_any())
        } else {
            established.engine.write_bytes(py, record)
        };
        match written {
            Written::Taken(count) => {
                rest = rest.get(count..).unwrap_or_default();
                unsent += count;
                if stepwise || unsent >= BATCH {
                    outcome = outcome.and(established.send());
                    unsent = 0;
                }
            }
            Written::Blocked => {
                outcome = outcome.and(established.send());
                let waits = make::bytes(py, rest)?;
                let method = intern!(py, "_bufferedWrite");
                let waiting = established.protocol.call_method1(method, (waits,));
                return outcome.and(waiting.map(drop));
            }
            Written::Failed(error) => {
                outcome = outcome.and(established.send());
                return outcome.and(failed(&established.protocol, error));
            }
        }
    }
    outcome.and(established.send())
}
