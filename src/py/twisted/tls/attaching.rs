//! The beginning: a transport has got a protocol, which may be Twisted's TLS.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::original::is_function_of;
use super::stock::{Stock, stock};
use super::wrapping::wrapped_by;
use super::{StreamTransport, TLSLayer};
use crate::py::support::{attributes, refcounts};

/// The native half of a protocol that a transport has just got, if it is TLS. It takes the
/// place of what keeps the writes of an iteration together before anybody can have seen
/// that: the protocol isn't connected yet.
///
/// # Errors
/// None, unless the protocol's class is broken.
#[inline]
pub fn attach(
    transport: &Bound<'_, StreamTransport>,
    protocol: &Bound<'_, PyAny>,
) -> PyResult<Option<Py<TLSLayer>>> {
    let Some(stock) = stock(protocol.py())? else {
        return Ok(None);
    };
    if stock.serves(protocol)? {
        return attach_to(stock, transport, protocol).map(Some);
    }
    match wrapped_by(protocol)? {
        Some(inner) if stock.serves(&inner)? => attach_to(stock, transport, &inner).map(Some),
        _ => Ok(None),
    }
}

fn attach_to(
    stock: &Stock,
    transport: &Bound<'_, StreamTransport>,
    protocol: &Bound<'_, PyAny>,
) -> PyResult<Py<TLSLayer>> {
    let py = protocol.py();
    let layer = Bound::new(py, TLSLayer::new(protocol))?;
    let own = attributes::dict(protocol)?.cast_into::<PyDict>()?;
    let name = intern!(py, "_aggregator");
    if let Some(aggregator) = own.get_item(name)?
        && let Some(core) = transport.get().core(py)
        && let Some(sends) = replaceable(
            stock,
            core.get().reactor.bind(py),
            protocol,
            &own,
            &aggregator,
        )?
    {
        let before = {
            let mut state = layer.get().state.lock(py);
            (state.core.replace(core), state.write.replace(sends))
        };
        drop(before);
        own.set_item(name, &layer)?;
        // Older ones have a method instead, which asks the aggregator.
        let write = intern!(py, "write");
        if own.contains(write)? {
            own.set_item(write, layer.getattr(write)?)?;
        }
    }
    Ok(layer.unbind())
}

/// The method by which an aggregator sends, if it is Twisted's own, unused, and its clock is
/// the transport's reactor.
fn replaceable(
    stock: &Stock,
    reactor: &Bound<'_, PyAny>,
    protocol: &Bound<'_, PyAny>,
    own: &Bound<'_, PyDict>,
    aggregator: &Bound<'_, PyAny>,
) -> PyResult<Option<Py<PyAny>>> {
    let py = protocol.py();
    if !stock.aggregates(aggregator)? {
        return Ok(None);
    }
    let state = attributes::dict(aggregator)?.cast_into::<PyDict>()?;
    let item = |name: &str| -> PyResult<Bound<'_, PyAny>> {
        let item = state.get_item(name)?;
        Ok(item.unwrap_or_else(|| py.None().into_bound(py)))
    };
    if AGGREGATOR_METHODS.iter().try_fold(false, |any, name| {
        Ok::<_, PyErr>(any || state.contains(*name)?)
    })? {
        return Ok(None);
    }
    let sends = item("_write")?;
    if !item("_clock")?.is(reactor)
        || !item("_scheduled")?.is_none()
        || !item("_buffer")?
            .cast_exact::<PyList>()
            .is_ok_and(|kept| kept.is_empty())
        || !is_method_of(&sends, protocol, stock, "TLSMemoryBIOProtocol.write")?
    {
        return Ok(None);
    }
    // Whoever has one of the two already would write to an aggregator that nobody flushes.
    // The protocol holds both, and so does this function; the method holds the aggregator.
    let unchanged = match own.get_item(intern!(py, "write"))? {
        None => refcounts::references(aggregator) == 2,
        Some(write) => {
            is_method_of(&write, aggregator, stock, "_AggregateSmallWrites.write")?
                && refcounts::references(&write) == 2
                && refcounts::references(aggregator) == 3
        }
    };
    Ok(unchanged.then(|| sends.unbind()))
}

const AGGREGATOR_METHODS: [&str; 3] = ["write", "flush", "close"];

/// Whether `method` is Twisted's own of this name, of this object.
fn is_method_of(
    method: &Bound<'_, PyAny>,
    object: &Bound<'_, PyAny>,
    stock: &Stock,
    defined: &str,
) -> PyResult<bool> {
    let py = method.py();
    let owner = method.getattr_opt(intern!(py, "__self__"))?;
    let function = method.getattr_opt(intern!(py, "__func__"))?;
    match (owner, function) {
        (Some(owner), Some(function)) if owner.is(object) => {
            is_function_of(&function, stock.module(py), defined)
        }
        _ => Ok(false),
    }
}
