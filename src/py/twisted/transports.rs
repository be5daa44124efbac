//! What a reactor's core does for its native transports.

use pyo3::intern;
use pyo3::prelude::*;

use super::Reactor;

impl Reactor {
    /// Whether a protocol's log prefix is just the name of its class.
    ///
    /// # Errors
    /// None, unless Twisted is broken.
    pub fn names_by_class(&self, protocol: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, name) = (protocol.py(), intern!(protocol.py(), "logPrefix"));
        let stock = self
            .reports(py)
            .getattr(intern!(py, "Protocol"))?
            .getattr(name)?;
        let class = protocol.get_type();
        Ok(class
            .getattr_opt(name)?
            .is_some_and(|method| method.is(&stock)))
    }
}
