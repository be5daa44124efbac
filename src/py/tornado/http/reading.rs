//! What has come: the head of a message, and dates, which aren't read but kept.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyTuple};

use super::{Http, text};
use crate::core::http::{self, FIELDS, Head};
use crate::py::support::make;

impl Http {
    /// `HTTP1Connection._parse_headers`.
    pub(super) fn parse_headers<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || args.len() != 2 {
            return Ok(None);
        }
        let Ok(data) = args.get_item(1)?.cast_into_exact::<PyBytes>() else {
            return Ok(None);
        };
        let mut room = [httparse::EMPTY_HEADER; FIELDS];
        let Some(head) = Head::parse(data.as_bytes(), &mut room) else {
            return Ok(None);
        };
        let (headers, dicts) = self.headers.make(py)?;
        let mut normal = String::new();
        let mut last = None;
        for field in head.fields {
            http::normalize(field.name, &mut normal)?;
            let name = make::text(py, &normal)?;
            // It is ASCII.
            let value = str::from_utf8(field.value).unwrap_or_default();
            self.headers.add(&dicts, &name, make::text(py, value)?)?;
            last = Some(name);
        }
        if let Some(last) = last {
            self.headers.end(&headers, &last)?;
        }
        let start = make::text(py, head.start)?.into_any();
        Ok(Some(make::tuple(py, [start, headers])?.into_any()))
    }

    /// `httputil.parse_request_start_line`.
    pub(super) fn parse_request_line<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let Some(line) = only_string(args, kwargs) else {
            return Ok(None);
        };
        let Some((method, target, version)) = text::ascii(&line).and_then(http::request_line)
        else {
            return Ok(None);
        };
        let items = [
            make::text(py, method)?.into_any(),
            make::text(py, target)?.into_any(),
            make::text(py, version)?.into_any(),
        ];
        text::named_tuple(self.request_line.bind(py), items).map(Some)
    }

    /// `httputil.parse_response_start_line`.
    pub(super) fn parse_status_line<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let Some(line) = only_string(args, kwargs) else {
            return Ok(None);
        };
        let Some((version, code, reason)) = text::ascii(&line).and_then(http::status_line) else {
            return Ok(None);
        };
        let items = [
            make::text(py, version)?.into_any(),
            make::unsigned(py, code)?.into_any(),
            make::text(py, reason)?.into_any(),
        ];
        text::named_tuple(self.status_line.bind(py), items).map(Some)
    }

    /// `httputil.format_timestamp`, of a number.
    pub(super) fn format_timestamp<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || args.len() != 1 {
            return Ok(None);
        }
        let Some(seconds) = whole_seconds(&args.get_item(0)?) else {
            return Ok(None);
        };
        if let Some((last, date)) = &*self.date.lock(py)
            && *last == seconds
        {
            return Ok(Some(date.bind(py).clone()));
        }
        let Some(date) = http::date(seconds) else {
            return Ok(None);
        };
        let date = make::text(py, &date)?.into_any();
        let before = self.date.lock(py).replace((seconds, date.clone().unbind()));
        drop(before);
        Ok(Some(date))
    }
}

/// The only argument, if it is a `str`.
fn only_string<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> Option<Bound<'py, pyo3::types::PyString>> {
    (text::count(kwargs) == 0 && args.len() == 1).then(|| text::string(args, 0))?
}

/// The second that a time is in; `None` if it isn't clear, or not after 1970.
fn whole_seconds(time: &Bound<'_, PyAny>) -> Option<u64> {
    if let Ok(time) = time.cast_exact::<PyInt>() {
        return time.extract().ok().filter(|seconds| *seconds < LAST);
    }
    let time = time.cast_exact::<PyFloat>().ok()?.value();
    // Python rounds to microseconds, which may be up to the next second.
    #[allow(clippy::cast_precision_loss)]
    let usual = time >= 0.0 && time < LAST as f64 && time.fract() < 0.999_999;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    usual.then_some(time as u64)
}

/// The end of the year 9999.
const LAST: u64 = 253_402_300_800;
