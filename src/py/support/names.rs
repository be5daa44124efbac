//! Names as Python's interned strings, made when the module is imported.
//!
//! PyO3's `intern!` makes each when it is first used, and panics when memory is short then. That
//! may be at any time; here it is an exception of the import.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::make;

/// A name, and the string of it.
pub struct Name {
    text: &'static str,
    made: PyOnceLock<Py<PyString>>,
}

/// A name that stands somewhere in the native code.
pub struct Known(pub &'static Name);

inventory::collect!(Known);

/// What PyO3's `intern!` is, but made by `make_all`.
macro_rules! intern {
    ($py:expr, $text:expr) => {{
        static NAME: $crate::py::support::names::Name =
            $crate::py::support::names::Name::new($text);
        ::inventory::submit! { $crate::py::support::names::Known(&NAME) }
        NAME.get($py)
    }};
}
pub(crate) use intern;

impl Name {
    pub const fn new(text: &'static str) -> Name {
        Name {
            text,
            made: PyOnceLock::new(),
        }
    }

    fn make(&self, py: Python<'_>) -> PyResult<&Py<PyString>> {
        self.made
            .get_or_try_init(py, || make::name(py, self.text).map(Bound::unbind))
    }

    /// The string.
    #[inline]
    pub fn get<'py>(&'static self, py: Python<'py>) -> &'py Bound<'py, PyString> {
        let made = self.made.get(py);
        // It is there since the import; but for unit tests, which import nothing.
        made.unwrap_or_else(|| self.made.get_or_init(py, || self.otherwise(py)))
            .bind(py)
    }

    #[cold]
    fn otherwise(&self, py: Python<'_>) -> Py<PyString> {
        PyString::intern(py, self.text).unbind()
    }
}

/// Makes all that there are.
///
/// # Errors
/// `MemoryError`.
pub fn make_all(py: Python<'_>) -> PyResult<()> {
    for known in inventory::iter::<Known> {
        known.0.make(py)?;
    }
    Ok(())
}
