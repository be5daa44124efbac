//! A socket that asks a server for something: TCP or UNIX, with TLS or without.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::arguments::Arguments;
use crate::secured::{Secured, Securer};
use crate::sys::{connect, set_blocking, source};
use crate::tls::settings;

/// One of them. It doesn't block.
pub enum Stream {
    /// Without TLS.
    Plain(File),
    /// With it.
    Secured(Box<Secured>),
}

/// Makes them.
pub struct Opener<'a> {
    arguments: &'a Arguments,
    securer: Option<Securer>,
}

impl<'a> Opener<'a> {
    /// Makes what the arguments ask for.
    pub fn new(arguments: &'a Arguments) -> Result<Self, String> {
        let settings = arguments.tls.map(settings).transpose()?;
        Ok(Self {
            arguments,
            securer: settings.map(Securer::new),
        })
    }

    /// Connects to wherever the server is, and does the handshake.
    pub fn open(&self, index: usize) -> Result<Stream, String> {
        self.try_to_open(index)
            .map_err(|error| format!("connection {index}: {error}"))
    }

    fn try_to_open(&self, index: usize) -> io::Result<Stream> {
        let Arguments {
            path, to, timeout, ..
        } = self.arguments;
        let socket = match path {
            Some(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                OwnedFd::from(stream)
            }
            None => connect(source(index), *to, *timeout)?.into(),
        };
        let Some(securer) = &self.securer else {
            return Ok(Stream::Plain(File::from(socket)));
        };
        set_blocking(&socket, true)?;
        let secured = securer.secure(File::from(socket))?;
        set_blocking(secured.stream(), false)?;
        Ok(Stream::Secured(Box::new(secured)))
    }
}

impl Stream {
    /// Whether there is no more, after a read of so many bytes of what was asked for. When
    /// more come, there is another event.
    pub fn is_drained(&self, got: usize, asked: usize) -> bool {
        match self {
            // A call is saved.
            Self::Plain(_) => got < asked,
            Self::Secured(secured) => secured.is_drained(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Plain(stream) => stream.as_raw_fd(),
            Self::Secured(secured) => secured.stream().as_raw_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secured(secured) => secured.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secured(secured) => secured.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secured(secured) => secured.flush(),
        }
    }
}
