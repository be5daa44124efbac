//! Connections that the server closes as soon as it has accepted them.
//!
//! The kernel connects for a server that doesn't accept; that the server closes is
//! what tells that it was there.

use std::io::{self, Read};
use std::net::{SocketAddrV4, TcpStream};

use mio::{Interest, Registry};

use crate::arguments::Arguments;
use crate::sys::{connect_briefly, source};
use crate::turns::{Load, watch};

/// So many connections at a time.
pub struct Closes {
    streams: Vec<Option<TcpStream>>,
    to: SocketAddrV4,
    made: usize,
    once: bool,
}

impl Closes {
    /// Makes none yet.
    pub fn new(arguments: &Arguments) -> Self {
        Self {
            streams: (0..arguments.connections).map(|_| None).collect(),
            to: arguments.to,
            made: 0,
            once: arguments.once,
        }
    }

    fn renew(&mut self, index: usize, registry: &Registry) -> Result<(), String> {
        let place = self.streams.get_mut(index).ok_or("an unknown connection")?;
        // The old one is closed before there is a new one.
        *place = None;
        let stream = connect_briefly(source(self.made), self.to)
            .map_err(|error| format!("connection {} to {}: {error}", self.made, self.to))?;
        watch(registry, &stream, index, Interest::READABLE)?;
        *place = Some(stream);
        self.made += 1;
        Ok(())
    }
}

impl Load for Closes {
    fn begin(&mut self, registry: &Registry) -> Result<(), String> {
        (0..self.streams.len()).try_for_each(|index| self.renew(index, registry))
    }

    fn ready(&mut self, index: usize, registry: &Registry) -> Result<u64, String> {
        let Some(Some(stream)) = self.streams.get_mut(index) else {
            return Ok(0);
        };
        match stream.read(&mut [0; 16]) {
            Ok(0) if self.once => Ok(1),
            Ok(0) => {
                self.renew(index, registry)?;
                Ok(1)
            }
            Ok(_) => Err("the server said something".into()),
            // An event of the connection that was in this place before.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(format!("the server didn't close properly: {error}")),
        }
    }
}
