//! What Tornado does for each HTTP/1 message, done natively where the message is well-formed
//! and everything that is left out is Tornado's own.
//!
//! Each step does all of what a function of Tornado's does, or nothing, before anything has
//! changed: then Tornado's function is called, which judges, and raises what there is to raise.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::py::support::guarded::Guarded;

mod conversions;
mod function;
mod headers;
mod originals;
mod reading;
mod request;
mod text;
mod timeout;
mod writing;

use conversions::Conversions;
pub use function::HttpFunction;
use headers::Headers;
pub use originals::Originals;
pub use text::count;
pub use timeout::{Expired, Passed};

/// Which of Tornado's functions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `HTTP1Connection._parse_headers`.
    ParseHeaders,
    /// `httputil.parse_request_start_line`.
    RequestLine,
    /// `httputil.parse_response_start_line`.
    StatusLine,
    /// `HTTPHeaders.__init__`.
    NewHeaders,
    /// `HTTP1Connection.write_headers`.
    WriteHeaders,
    /// `HTTPServerRequest.__init__`.
    NewRequest,
    /// `gen.with_timeout`.
    WithTimeout,
    /// `httputil.format_timestamp`.
    FormatTimestamp,
    /// `HTTPHeaders.get`.
    GetHeader,
    /// `gen.convert_yielded`.
    ConvertYielded,
}

impl Step {
    const ALL: [(&'static str, Step); 10] = [
        ("parse_headers", Step::ParseHeaders),
        ("request_line", Step::RequestLine),
        ("status_line", Step::StatusLine),
        ("new_headers", Step::NewHeaders),
        ("write_headers", Step::WriteHeaders),
        ("new_request", Step::NewRequest),
        ("with_timeout", Step::WithTimeout),
        ("format_timestamp", Step::FormatTimestamp),
        ("get_header", Step::GetHeader),
        ("convert_yielded", Step::ConvertYielded),
    ];

    fn named(name: &str) -> Option<Step> {
        let mut all = Step::ALL.iter();
        all.find(|(its, _)| *its == name).map(|(_, step)| *step)
    }
}

/// The native half of Tornado's HTTP/1, and what it has of Tornado's.
#[pyclass(frozen, module = "tornado4._core")]
pub struct Http {
    headers: Headers,
    /// `HTTPServerRequest`.
    request: Py<PyType>,
    /// `RequestStartLine` and `ResponseStartLine`.
    request_line: Py<PyType>,
    status_line: Py<PyType>,
    /// `tornado.concurrent.Future`.
    future: Py<PyAny>,
    /// `HTTP1Connection._format_chunk`.
    format_chunk: Py<PyAny>,
    /// The names of `http1connection`, `httputil` and `gen`.
    http1connection: Py<PyDict>,
    httputil: Py<PyDict>,
    gen_names: Py<PyDict>,
    /// What `gen.convert_yielded` makes of futures.
    conversions: Conversions,
    /// What happens rarely, in Python.
    rare: Py<PyAny>,
    /// For each step what it leaves out.
    originals: Vec<Originals>,
    /// The second that was formatted last, and its date.
    date: Guarded<Option<(u64, Py<PyAny>)>>,
}

impl Http {
    /// Does a step; `None`: nothing was done.
    fn take<'py>(
        &self,
        step: Step,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.originals.get(step as usize) {
            Some(originals) if originals.hold(args.py())? => {}
            _ => return Ok(None),
        }
        match step {
            Step::ParseHeaders => self.parse_headers(args, kwargs),
            Step::RequestLine => self.parse_request_line(args, kwargs),
            Step::StatusLine => self.parse_status_line(args, kwargs),
            Step::NewHeaders => self.new_headers(args, kwargs),
            Step::WriteHeaders => self.write_headers(args, kwargs),
            Step::NewRequest => self.new_request(args, kwargs),
            Step::WithTimeout => self.with_timeout(args, kwargs),
            Step::FormatTimestamp => self.format_timestamp(args, kwargs),
            Step::GetHeader => self.get_header(args, kwargs),
            Step::ConvertYielded => self.convert_yielded(args, kwargs),
        }
    }
}

#[pymethods]
impl Http {
    /// `tornado` has what is Tornado's, under names; `originals` for each step, by its name, a
    /// list of `(class or names of a module, {name: (what it may be, ...)})`.
    #[new]
    fn new(tornado: &Bound<'_, PyDict>, originals: &Bound<'_, PyDict>) -> PyResult<Http> {
        fn of<'py, T: FromPyObjectOwned<'py>>(
            tornado: &Bound<'py, PyDict>,
            name: &str,
        ) -> PyResult<T> {
            let found = tornado.as_any().get_item(name)?;
            found.extract().map_err(Into::into)
        }
        let mut list = Vec::new();
        for (name, _) in Step::ALL {
            list.push(Originals::new(&originals.as_any().get_item(name)?)?);
        }
        Ok(Http {
            headers: Headers::new(
                of(tornado, "HTTPHeaders")?,
                of(tornado, "cache")?,
                of(tornado, "last_key")?,
            ),
            request: of(tornado, "HTTPServerRequest")?,
            request_line: of(tornado, "RequestStartLine")?,
            status_line: of(tornado, "ResponseStartLine")?,
            future: of(tornado, "Future")?,
            format_chunk: of(tornado, "_format_chunk")?,
            http1connection: of(tornado, "http1connection")?,
            httputil: of(tornado, "httputil")?,
            gen_names: of(tornado, "gen")?,
            conversions: Conversions::new(of(tornado, "conversions")?),
            rare: of(tornado, "rare")?,
            originals: list,
            date: Guarded::new(None),
        })
    }

    /// Tell whether a step is done natively at the moment.
    fn does(&self, py: Python<'_>, step: &str) -> PyResult<bool> {
        match Step::named(step).and_then(|step| self.originals.get(step as usize)) {
            Some(originals) => originals.hold(py),
            None => Ok(false),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.headers.traverse(&visit)?;
        visit.call(&self.request)?;
        visit.call(&self.request_line)?;
        visit.call(&self.status_line)?;
        visit.call(&self.future)?;
        visit.call(&self.format_chunk)?;
        visit.call(&self.http1connection)?;
        visit.call(&self.httputil)?;
        visit.call(&self.gen_names)?;
        self.conversions.traverse(&visit)?;
        visit.call(&self.rare)?;
        for originals in &self.originals {
            originals.traverse(&visit)?;
        }
        Ok(())
    }
}
