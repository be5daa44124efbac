//! Whether a method is the one that its module has defined.

use crate::py::support::make;
use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Whether a class has a method as `module` defines it, under this name: a plain function
/// of that module. A mock isn't, nor is a wrapper from elsewhere.
///
/// # Errors
/// None, unless the class is broken.
pub fn is_original(
    class: &Bound<'_, PyType>,
    name: &str,
    module: &Bound<'_, PyAny>,
    defined: &str,
) -> PyResult<bool> {
    match class.getattr_opt(name)? {
        Some(method) => is_function_of(&method, module, defined),
        None => Ok(false),
    }
}

/// A method, and the names that its code uses, in the order of the alphabet. A Twisted in
/// which it does something else, of which nobody here knows, uses others.
pub type Known = (&'static str, &'static [&'static str]);

/// Whether a class has the methods that are known, as `module` defines them for `owner`.
///
/// # Errors
/// As `is_original`.
pub fn are_known(
    class: &Bound<'_, PyType>,
    methods: &[Known],
    module: &Bound<'_, PyAny>,
    owner: &str,
) -> PyResult<bool> {
    let py = class.py();
    for (name, uses) in methods {
        let Some(method) = class.getattr_opt(make::name(py, name)?)? else {
            return Ok(false);
        };
        if !is_function_of(&method, module, &format!("{owner}.{name}"))? {
            return Ok(false);
        }
        let names = method
            .getattr(intern!(py, "__code__"))?
            .getattr(intern!(py, "co_names"))?;
        let mut names: Vec<String> = names.extract()?;
        names.sort_unstable();
        if names != *uses {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same of a function that was found already.
///
/// # Errors
/// As `is_original`.
pub fn is_function_of(
    function: &Bound<'_, PyAny>,
    module: &Bound<'_, PyAny>,
    defined: &str,
) -> PyResult<bool> {
    let py = function.py();
    if !function.get_type().is(function_class(py)?) {
        return Ok(false);
    }
    let globals = function.getattr(intern!(py, "__globals__"))?;
    let names = module.getattr(intern!(py, "__dict__"))?;
    if !globals.is(&names) {
        return Ok(false);
    }
    function.getattr(intern!(py, "__qualname__"))?.eq(defined)
}

/// `types.FunctionType`.
fn function_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let find = || {
        let types = py.import(intern!(py, "types"))?;
        types
            .getattr(intern!(py, "FunctionType"))
            .map(Bound::unbind)
    };
    Ok(FUNCTION.get_or_try_init(py, find)?.bind(py))
}
