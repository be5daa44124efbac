//! Tornado's `HTTPServerRequest`, of what its servers make it of.

use crate::py::support::names::intern;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::{Http, text};
use crate::core::http::host_name;
use crate::py::support::make;

impl Http {
    /// `HTTPServerRequest.__init__`, of keywords.
    pub(super) fn new_request<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let (1, Some(kwargs)) = (args.len(), kwargs) else {
            return Ok(None);
        };
        let request = args.get_item(0)?;
        // A subclass may have properties, which are asked for what was set.
        if !request.get_type().is(&self.request) {
            return Ok(None);
        }
        let connection = kwargs.get_item(intern!(py, "connection"))?;
        let server_connection = kwargs.get_item(intern!(py, "server_connection"))?;
        let (Some(start_line), Some(headers)) = (
            kwargs.get_item(intern!(py, "start_line"))?,
            kwargs.get_item(intern!(py, "headers"))?,
        ) else {
            return Ok(None);
        };
        let known =
            2 + usize::from(connection.is_some()) + usize::from(server_connection.is_some());
        if kwargs.len() != known || !start_line.get_type().is(&self.request_line) {
            return Ok(None);
        }
        let line = start_line.cast_into::<PyTuple>()?;
        let (Some(method), Some(uri), Some(version)) = (
            text::string(&line, 0),
            text::string(&line, 1),
            text::string(&line, 2),
        ) else {
            return Ok(None);
        };
        let Some(dicts) = self.headers.dicts(&headers)? else {
            return Ok(None);
        };
        let Ok(Some(host)) = dicts.one(intern!(py, "Host"))? else {
            return Ok(None);
        };
        let Some(host_name) = text::ascii(&host).and_then(host_name) else {
            return Ok(None);
        };
        let parts = uri.call_method1(intern!(py, "partition"), (intern!(py, "?"),))?;
        let (path, query) = (parts.get_item(0)?, parts.get_item(2)?);
        let (arguments, copy) = if query.len()? == 0 {
            (make::dict(py)?.into_any(), make::dict(py)?)
        } else {
            let parse = intern!(py, "parse_query");
            let arguments = match self.rare.bind(py).call_method1(parse, (query.clone(),)) {
                Ok(arguments) => arguments,
                // What is wrong with it is said by Tornado's code, which does all of this again.
                Err(error) if error.is_instance_of::<PyException>(py) => return Ok(None),
                // It has nothing to do with it: what a signal's handler raises.
                Err(error) => return Err(error),
            };
            match copy_of(&arguments)? {
                Some(copy) => (arguments, copy),
                None => return Ok(None),
            }
        };

        let none = py.None().into_bound(py);
        let connection = connection.unwrap_or_else(|| none.clone());
        request.setattr(intern!(py, "method"), method)?;
        request.setattr(intern!(py, "uri"), uri)?;
        request.setattr(intern!(py, "version"), version)?;
        request.setattr(intern!(py, "headers"), headers)?;
        request.setattr(intern!(py, "body"), make::bytes(py, b"")?)?;
        let context = connection.getattr_opt(intern!(py, "context"))?;
        let of_context = |name| match &context {
            Some(context) => context.getattr_opt(name),
            None => Ok(None),
        };
        let remote_ip = of_context(intern!(py, "remote_ip"))?;
        request.setattr(intern!(py, "remote_ip"), remote_ip)?;
        let protocol = match of_context(intern!(py, "protocol"))? {
            Some(protocol) => protocol,
            None => intern!(py, "http").clone().into_any(),
        };
        request.setattr(intern!(py, "protocol"), protocol)?;
        request.setattr(intern!(py, "host"), host)?;
        request.setattr(intern!(py, "host_name"), make::text(py, &host_name)?)?;
        request.setattr(intern!(py, "files"), make::dict(py)?)?;
        request.setattr(intern!(py, "connection"), connection)?;
        let server_connection = server_connection.unwrap_or_else(|| none.clone());
        request.setattr(intern!(py, "server_connection"), server_connection)?;
        let time = self
            .httputil
            .bind(py)
            .as_any()
            .get_item(intern!(py, "time"))?;
        let now = time.call_method0(intern!(py, "time"))?;
        request.setattr(intern!(py, "_start_time"), now)?;
        request.setattr(intern!(py, "_finish_time"), &none)?;
        request.setattr(intern!(py, "path"), path)?;
        request.setattr(intern!(py, "query"), query)?;
        request.setattr(intern!(py, "arguments"), arguments)?;
        request.setattr(intern!(py, "query_arguments"), copy)?;
        request.setattr(intern!(py, "body_arguments"), make::dict(py)?)?;
        Ok(Some(none))
    }
}

/// A deep copy of a dict of lists of bytes; `None` if it isn't one.
fn copy_of<'py>(arguments: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = arguments.py();
    let Ok(arguments) = arguments.cast_exact::<PyDict>() else {
        return Ok(None);
    };
    let copy = make::dict(py)?;
    // Making a list may run the collector, and with it anything.
    let items: Vec<_> = arguments.iter().collect();
    for (name, values) in items {
        let Ok(values) = values.cast_into_exact::<PyList>() else {
            return Ok(None);
        };
        let plain = values.iter().all(|it| it.is_exact_instance_of::<PyBytes>());
        if !plain || text::exact(name.clone()).is_none() {
            return Ok(None);
        }
        copy.set_item(name, make::list(py, values.iter())?)?;
    }
    Ok(Some(copy))
}
