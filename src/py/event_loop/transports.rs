//! Which descriptors belong to transports, so that nobody else uses them unawares.

use std::os::fd::RawFd;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::core::lock::lock;
use crate::core::room::NoRoom;

/// Transports by their descriptors. They aren't held: one that everybody has forgotten is
/// gone.
#[derive(Default)]
pub struct Transports {
    by_fd: Mutex<Vec<Option<Py<PyWeakrefReference>>>>,
}

impl Transports {
    /// Notes a transport.
    ///
    /// # Errors
    /// `TypeError` for an object that can't be referred to weakly; `MemoryError`.
    pub fn insert(&self, fd: RawFd, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let reference = PyWeakrefReference::new(transport)?.unbind();
        let Ok(index) = usize::try_from(fd) else {
            return Ok(());
        };
        let before = {
            let mut by_fd = lock(&self.by_fd);
            if index >= by_fd.len() {
                let more = index + 1 - by_fd.len();
                by_fd.try_reserve(more).map_err(NoRoom::from)?;
                by_fd.resize_with(index + 1, || None);
            }
            by_fd
                .get_mut(index)
                .and_then(|place| place.replace(reference))
        };
        drop(before);
        Ok(())
    }

    /// Forgets a transport, unless its descriptor is another's by now.
    pub fn remove(&self, fd: RawFd, transport: &Bound<'_, PyAny>) {
        let known = self.get(transport.py(), fd);
        if !known.is_some_and(|known| known.is(transport)) {
            return;
        }
        let place =
            |by_fd: &mut Vec<Option<Py<_>>>| by_fd.get_mut(usize::try_from(fd).ok()?)?.take();
        let before = place(&mut lock(&self.by_fd));
        drop(before);
    }

    /// The transport of a descriptor.
    pub fn get<'py>(&self, py: Python<'py>, fd: RawFd) -> Option<Bound<'py, PyAny>> {
        let reference = {
            let by_fd = lock(&self.by_fd);
            by_fd
                .get(usize::try_from(fd).ok()?)?
                .as_ref()?
                .clone_ref(py)
        };
        reference.bind(py).upgrade()
    }

    /// Forgets them all.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *lock(&self.by_fd));
        drop(all);
    }
}
