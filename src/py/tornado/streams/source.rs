//! Where a stream's bytes come from and go to: its socket, TLS connection, or pipe.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use crate::py::support::names::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::cache::Field;
use super::{Entry, Kind};
use crate::core::sys::{pipe, sockets};
use crate::core::tls::Moved;
use crate::py::support::{imports, socket_objects};
use crate::py::transport::read_buffer;
use crate::py::transport::tls::Secured;

/// See the module's documentation. It holds as long as no Python code has run.
pub enum Source {
    Socket(RawFd),
    Pipe(RawFd),
    Tls(Secured),
}

/// What a read has brought.
pub enum Came<'py> {
    /// Not empty.
    Data(Bound<'py, PyBytes>),
    /// No bytes; never `Got::Bytes`.
    Not(Got),
}

/// What reading into memory has brought.
pub enum Got {
    /// So many bytes: at least one.
    Bytes(usize),
    /// There is nothing at the moment.
    Nothing,
    /// There is nothing any more.
    End,
    /// The system refused, which it says once.
    Refused(io::Error),
    /// What Tornado's own method says by another try.
    Unclear,
}

/// What has become of bytes that were written.
pub enum Sent {
    /// So many were taken, perhaps none.
    Bytes(usize),
    /// The system refused, which it says once.
    Refused(io::Error),
    /// None were taken, and Tornado's own method finds out why.
    Unclear,
}

impl From<io::Result<usize>> for Sent {
    fn from(outcome: io::Result<usize>) -> Sent {
        match outcome {
            Ok(count) => Sent::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Bytes(0),
            Err(error) => Sent::Refused(error),
        }
    }
}

impl Entry<'_, '_> {
    /// The stream's source; `None` if Tornado's own methods must ask for it.
    pub fn source(&self, for_writing: bool) -> PyResult<Option<Source>> {
        match self.kind {
            Kind::Pipe => self.pipe(for_writing),
            Kind::Socket => {
                let Some(socket) = self.fields.some(Field::Socket)? else {
                    return Ok(None);
                };
                if !socket_objects::is_plain(&socket)? {
                    return Ok(None);
                }
                let fd = socket_objects::of(&socket)?.0;
                Ok((fd >= 0).then_some(Source::Socket(fd)))
            }
            Kind::Tls => self.secured(),
        }
    }

    fn pipe(&self, for_writing: bool) -> PyResult<Option<Source>> {
        let py = self.stream.py();
        let Some(fd) = self.fields.number(Field::Fd)? else {
            return Ok(None);
        };
        let Ok(fd) = RawFd::try_from(fd) else {
            return Ok(None);
        };
        if !for_writing {
            // Whose file says whether it is closed.
            let Some(file) = self.fields.some(Field::Fio)? else {
                return Ok(None);
            };
            if !file.get_type().is(imports::file_class(py)?)
                || file.getattr(intern!(py, "closed"))?.is_truthy()?
            {
                return Ok(None);
            }
        }
        Ok(Some(Source::Pipe(fd)))
    }

    fn secured(&self) -> PyResult<Option<Source>> {
        let py = self.stream.py();
        if self.fields.flag(Field::SslAccepting)? != Some(false) {
            return Ok(None);
        }
        let Some(socket) = self.fields.some(Field::Socket)? else {
            return Ok(None);
        };
        let known = *self.fields.watch.get().secured.lock(py);
        if let Some(secured) = known
            && secured.is_behind(&socket)?
        {
            let fd = socket_objects::of(&socket)?.0;
            return Ok((fd >= 0).then_some(Source::Tls(secured)));
        }
        let fd = imports::descriptor_of(&socket)?;
        if fd < 0 {
            return Ok(None);
        }
        let found = Secured::of(&socket, fd)?;
        *self.fields.watch.get().secured.lock(py) = found;
        Ok(found.map(Source::Tls))
    }
}

impl Source {
    /// Reads once into new bytes.
    pub fn read<'py>(&self, py: Python<'py>, limit: usize) -> Came<'py> {
        let receive = |room: &mut [_]| match self.receive(room) {
            Got::Bytes(count) => (count, Got::Bytes(count)),
            other => (0, other),
        };
        // SAFETY: `receive` says how many bytes it has put there.
        match unsafe { read_buffer::fill(py, limit, receive) } {
            Ok((data, Got::Bytes(_))) => Came::Data(data),
            Ok((_, other)) => Came::Not(other),
            Err(error) => Came::Not(Got::Refused(error)),
        }
    }

    /// Reads once into this memory, which isn't empty. So many bytes of it are initialized
    /// then.
    pub fn receive(&self, room: &mut [MaybeUninit<u8>]) -> Got {
        let outcome = match self {
            Source::Socket(fd) => sockets::receive(*fd, room),
            Source::Pipe(fd) => match pipe::read(*fd, room) {
                // It says so each time, and Tornado has a case of its own for one.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Got::Unclear,
                outcome => outcome,
            },
            Source::Tls(secured) => {
                return match secured.read(room) {
                    Moved::Bytes(count) => Got::Bytes(count),
                    Moved::WantRead => Got::Nothing,
                    Moved::Refused(errno) => Got::Refused(io::Error::from_raw_os_error(errno)),
                    Moved::WantWrite | Moved::Failed => Got::Unclear,
                };
            }
        };
        match outcome {
            Ok(0) => Got::End,
            Ok(count) => Got::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
            Err(error) => Got::Refused(error),
        }
    }

    /// Writes once.
    pub fn write(&self, data: &[u8]) -> Sent {
        let outcome = match self {
            Source::Socket(fd) => sockets::send(*fd, data),
            Source::Pipe(fd) => match pipe::write(*fd, data) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Sent::Unclear,
                outcome => outcome,
            },
            Source::Tls(secured) => match secured.write(data) {
                Moved::Bytes(count) => return Sent::Bytes(count),
                Moved::WantWrite => return Sent::Bytes(0),
                Moved::Refused(errno) => {
                    return Sent::Refused(io::Error::from_raw_os_error(errno));
                }
                Moved::WantRead | Moved::Failed => return Sent::Unclear,
            },
        };
        Sent::from(outcome)
    }
}
