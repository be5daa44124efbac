//! Which descriptor objects a reactor watches.

use crate::py::support::make::Said;
use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::stream::{self, fileno};
use super::{Reactor, Selectable};
use crate::core::registrations::{Role, Watchers};
use crate::core::room::gathered;
use crate::py::dispatch::fresh;
use crate::py::dispatch::unflushed::Unflushed;
use crate::py::dispatch::watcher::Watcher;
use crate::py::support::make;

impl Reactor {
    /// Watches a descriptor object in one direction; with `only`, no longer in the
    /// other one, by the same system call.
    ///
    /// # Errors
    /// `ValueError` for one that has no descriptor; `OSError` as the system gives it.
    pub fn watch(
        slf: &Bound<'_, Self>,
        object: &Bound<'_, PyAny>,
        role: Role,
        only: bool,
    ) -> PyResult<()> {
        let this = slf.get();
        let fd = fileno(object)?;
        if fd < 0 {
            let message = format!("file descriptor cannot be a negative integer ({fd})");
            return Err(PyValueError::new_err(Said(message)));
        }
        let other = match role {
            Role::Read => Role::Write,
            _ => Role::Read,
        };
        let (watched, clear, same) = this.event_loop().with_registrations(|registrations| {
            let mine = |role| {
                let watcher = registrations.watchers(fd)?.get(role)?;
                watcher.selectable()?.is_for(object).then_some(watcher)
            };
            let beside = mine(other);
            let clear = beside.filter(|_| only).map(|_| other);
            (mine(role).is_some(), clear, beside.cloned())
        });
        if watched {
            if let Some(other) = clear {
                drop(this.event_loop().unwatch(fd, &[other]));
            }
            return Ok(());
        }
        // One watcher serves both directions.
        let same = same.filter(|same| {
            same.selectable()
                .is_some_and(|selectable| selectable.reactor.is(slf))
        });
        let watcher = same.unwrap_or_else(|| {
            Arc::new(Watcher::Selectable(Selectable {
                reactor: slf.clone().unbind(),
                object: object.clone().unbind(),
            }))
        });
        let trigger = stream::trigger(object);
        let displaced =
            this.event_loop()
                .watch(fd, &watcher, &[role], clear.as_slice(), trigger)?;
        drop(displaced);
        Ok(())
    }

    /// Watches a connection that was just accepted for input; the poll is asked at the end
    /// of the iteration, or when somebody comes to know the descriptor.
    ///
    /// # Errors
    /// As `watch`.
    pub fn watch_fresh(
        slf: &Bound<'_, Self>,
        object: &Bound<'_, PyAny>,
        fd: RawFd,
    ) -> PyResult<()> {
        let event_loop = slf.get().event_loop();
        event_loop.check_open()?;
        let watcher = Arc::new(Watcher::Selectable(Selectable {
            reactor: slf.clone().unbind(),
            object: object.clone().unbind(),
        }));
        let trigger = stream::trigger(object);
        let token = event_loop.with_registrations(|all| all.watch_later(fd, &watcher, trigger));
        match token {
            Some(token) => {
                let fresh = Unflushed::Fresh(token);
                if event_loop.note_unflushed(slf.py(), fresh, 1).is_err() {
                    return fresh::ask(slf.get().event_loop.bind(slf.py()), token);
                }
            }
            // Of a descriptor that was closed without a word.
            None => Reactor::watch(slf, object, Role::Read, false)?,
        }
        Ok(())
    }

    /// Somebody comes to know a descriptor, and could close it: the poll has to watch it.
    pub fn settle(&self, py: Python<'_>, fd: RawFd) {
        let event_loop = self.event_loop.bind(py);
        let token = event_loop
            .get()
            .with_registrations(|all| all.unasked_token(fd));
        if let Some(token) = token {
            // It has been reported, and there is no memory to say more.
            drop(fresh::ask(event_loop, token));
        }
    }

    /// Has the poll forget a reader and watch it anew, so that it is reported as it has
    /// come to agree to.
    ///
    /// # Errors
    /// As `watch`.
    pub fn watch_anew(slf: &Bound<'_, Self>, reader: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut roles = vec![Role::Read, Role::Write];
        roles.retain(|role| slf.get().watched(reader, *role).is_some());
        // All of them first: who stays on agrees to nothing anew.
        for role in &roles {
            slf.get().unwatch(reader, *role);
        }
        for role in roles {
            Reactor::watch(slf, reader, role, false)?;
        }
        Ok(())
    }

    /// Watches a descriptor object in one direction no longer.
    pub fn unwatch(&self, object: &Bound<'_, PyAny>, role: Role) {
        if let Some(fd) = self.watched(object, role) {
            let removed = self.event_loop().unwatch(fd, &[role]);
            drop(removed);
        }
    }

    /// The descriptor under which an object is watched. One that is closed
    /// has no number any more and is searched for.
    fn watched(&self, object: &Bound<'_, PyAny>, role: Role) -> Option<RawFd> {
        let current = fileno(object).ok().filter(|fd| *fd >= 0);
        self.event_loop().with_registrations(|registrations| {
            let is_watched = |watchers: &Watchers<Arc<Watcher>>| {
                let watcher = watchers.get(role).and_then(|watcher| watcher.selectable());
                watcher.is_some_and(|selectable| selectable.is_for(object))
            };
            match current {
                Some(fd) => registrations
                    .watchers(fd)
                    .is_some_and(is_watched)
                    .then_some(fd),
                None => registrations
                    .iter()
                    .find(|(_, watchers)| is_watched(watchers))
                    .map(|(fd, _)| fd),
            }
        })
    }

    pub fn objects<'py>(slf: &Bound<'py, Self>, role: Role) -> PyResult<Bound<'py, PyList>> {
        let (event_loop, py) = (slf.get().event_loop(), slf.py());
        let objects = event_loop.with_registrations(|registrations| {
            let objects = registrations.iter().filter_map(|(_, watchers)| {
                let selectable = watchers.get(role)?.selectable()?;
                let mine = selectable.reactor.is(slf);
                mine.then(|| selectable.object.clone_ref(slf.py()))
            });
            gathered(objects)
        })?;
        make::list(py, objects.into_iter().map(|object| object.into_bound(py)))
    }
}

#[pymethods]
#[allow(non_snake_case)]
impl Reactor {
    /// Call `reader.doRead()` whenever it has input. Level-triggered.
    ///
    /// Raises PermissionError for what can't be polled, such as a regular
    /// file. Follows IReactorFDSet.
    fn addReader(slf: &Bound<'_, Self>, reader: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().check_thread(slf.py(), "addReader")?;
        Reactor::watch(slf, reader, Role::Read, false)
    }

    /// Call `writer.doWrite()` whenever it can take output.
    fn addWriter(slf: &Bound<'_, Self>, writer: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().check_thread(slf.py(), "addWriter")?;
        Reactor::watch(slf, writer, Role::Write, false)
    }

    /// Watch a reader no longer; one that isn't watched is ignored.
    fn removeReader(&self, reader: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_thread(reader.py(), "removeReader")?;
        self.unwatch(reader, Role::Read);
        Ok(())
    }

    /// Watch a writer no longer; one that isn't watched is ignored.
    fn removeWriter(&self, writer: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_thread(writer.py(), "removeWriter")?;
        self.unwatch(writer, Role::Write);
        Ok(())
    }

    /// The readers that are watched.
    fn getReaders<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Reactor::objects(slf, Role::Read)
    }

    /// The writers that are watched.
    fn getWriters<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Reactor::objects(slf, Role::Write)
    }
}
