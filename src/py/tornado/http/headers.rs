//! Tornado's `HTTPHeaders`, as they are: two dicts among an instance's attributes.

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::{Http, text};
use crate::core::http::{is_normal, normalize};
use crate::py::support::{attributes, make};

/// How the installed Tornado keeps headers.
pub struct Headers {
    class: Py<PyType>,
    /// The attribute that has for each name the values in one.
    cache: Py<PyString>,
    /// Whether a name's values are put together at once, and the last name is noted.
    at_once: bool,
    last_key: bool,
}

/// The dicts of an instance.
pub struct Dicts<'py> {
    /// For each name a list of values.
    pub lists: Bound<'py, PyDict>,
    /// For each name what its values are in one.
    pub joined: Bound<'py, PyDict>,
}

impl Headers {
    pub fn new(class: Py<PyType>, cache: Bound<'_, PyString>, last_key: bool) -> Headers {
        Headers {
            class,
            at_once: cache == "_dict",
            cache: cache.unbind(),
            last_key,
        }
    }

    /// Makes an instance of `HTTPHeaders` with nothing in it.
    pub fn make<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Dicts<'py>)> {
        let class = self.class.bind(py);
        let headers = class.call_method1(intern!(py, "__new__"), (class,))?;
        let dicts = self.begin(&headers)?;
        Ok((headers, dicts))
    }

    /// Gives an instance its attributes, in Tornado's order.
    pub fn begin<'py>(&self, headers: &Bound<'py, PyAny>) -> PyResult<Dicts<'py>> {
        let py = headers.py();
        let (lists, joined) = (make::dict(py)?, make::dict(py)?);
        let cache = self.cache.bind(py);
        if self.at_once {
            headers.setattr(cache, &joined)?;
        }
        headers.setattr(intern!(py, "_as_list"), &lists)?;
        if !self.at_once {
            headers.setattr(cache, &joined)?;
        }
        if self.last_key {
            headers.setattr(intern!(py, "_last_key"), py.None())?;
        }
        Ok(Dicts { lists, joined })
    }

    /// The dicts of an instance of exactly this class, if they are that.
    pub fn dicts<'py>(&self, headers: &Bound<'py, PyAny>) -> PyResult<Option<Dicts<'py>>> {
        let py = headers.py();
        if !headers.get_type().is(&self.class) {
            return Ok(None);
        }
        let all = attributes::dict(headers)?.cast_into::<PyDict>()?;
        let lists = all.get_item(intern!(py, "_as_list"))?;
        let joined = all.get_item(self.cache.bind(py))?;
        Ok(match (lists, joined) {
            (Some(lists), Some(joined)) => {
                match (lists.cast_into_exact(), joined.cast_into_exact()) {
                    (Ok(lists), Ok(joined)) => Some(Dicts { lists, joined }),
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// `add`, of what is well-formed.
    pub fn add<'py>(
        &self,
        dicts: &Dicts<'py>,
        name: &Bound<'py, PyString>,
        value: Bound<'py, PyString>,
    ) -> PyResult<()> {
        let Some(values) = dicts.lists.get_item(name)? else {
            return dicts.set(name, value.into_any());
        };
        if self.at_once {
            let before = dicts.joined.as_any().get_item(name)?;
            let comma = intern!(name.py(), ",");
            dicts
                .joined
                .set_item(name, before.add(comma)?.add(&value)?)?;
        } else if dicts.joined.contains(name)? {
            dicts.joined.del_item(name)?;
        }
        values.cast_into::<PyList>()?.append(value)
    }

    /// Notes the name that was added last.
    pub fn end(&self, headers: &Bound<'_, PyAny>, last: &Bound<'_, PyString>) -> PyResult<()> {
        if self.last_key {
            headers.setattr(intern!(headers.py(), "_last_key"), last)?;
        }
        Ok(())
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.cache)
    }
}

impl<'py> Dicts<'py> {
    /// `__setitem__`, of a name that is in its usual form.
    pub fn set(&self, name: &Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        self.joined.set_item(name, &value)?;
        self.lists.set_item(name, make::list(name.py(), [value])?)
    }

    /// The value under a name that has one only; `Err`: it is more than that.
    pub fn one(&self, name: &Bound<'py, PyString>) -> PyResult<Result<Option<Value<'py>>, ()>> {
        let Some(list) = self.lists.get_item(name)? else {
            return Ok(Ok(None));
        };
        let (Some(value), Some(joined)) = (text::only(&list), self.joined.get_item(name)?) else {
            return Ok(Err(()));
        };
        Ok(if joined.is(&value) {
            Ok(Some(value))
        } else {
            Err(())
        })
    }
}

/// A header's value.
type Value<'py> = Bound<'py, PyString>;

impl Http {
    /// `HTTPHeaders.get`, of a name whose value is known, or that there is none of.
    pub(super) fn get_header<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || !(2..=3).contains(&args.len()) {
            return Ok(None);
        }
        let Some(dicts) = self.headers.dicts(&args.get_item(0)?)? else {
            return Ok(None);
        };
        let Some(name) = text::string(args, 1) else {
            return Ok(None);
        };
        let Some(text) = text::ascii(&name) else {
            return Ok(None);
        };
        let name = if is_normal(text) {
            name
        } else {
            let mut normal = String::new();
            normalize(text, &mut normal)?;
            make::text(py, &normal)?
        };
        if let Some(value) = dicts.joined.get_item(&name)? {
            return Ok(Some(value));
        }
        // Its values have to be put together, and kept so.
        if !self.headers.at_once && dicts.lists.contains(&name)? {
            return Ok(None);
        }
        if args.len() == 3 {
            return args.get_item(2).map(Some);
        }
        Ok(Some(py.None().into_bound(py)))
    }

    /// `HTTPHeaders.__init__`, of nothing or of one dict.
    pub(super) fn new_headers<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        if text::count(kwargs) > 0 || !(1..=2).contains(&args.len()) {
            return Ok(None);
        }
        let headers = args.get_item(0)?;
        if !headers.get_type().is(&self.headers.class) {
            return Ok(None);
        }
        if args.len() == 1 {
            self.headers.begin(&headers)?;
            return Ok(Some(py.None().into_bound(py)));
        }
        let Ok(given) = args.get_item(1)?.cast_into_exact::<PyDict>() else {
            return Ok(None);
        };
        // Before anything is made: names of which the usual form is known here.
        let given: Vec<_> = given.iter().collect();
        for (name, _) in &given {
            match text::exact(name.clone()) {
                Some(name) if text::ascii(&name).is_some() => {}
                _ => return Ok(None),
            }
        }
        let dicts = self.headers.begin(&headers)?;
        let mut normal = String::new();
        for (name, value) in given {
            let Some(name) = text::exact(name) else {
                continue;
            };
            let text = text::ascii(&name).unwrap_or_default();
            normalize(text, &mut normal)?;
            if normal == text {
                dicts.set(&name, value)?;
            } else {
                dicts.set(&make::text(py, &normal)?, value)?;
            }
        }
        Ok(Some(py.None().into_bound(py)))
    }
}
