//! Datagrams that come back, one under way on each socket.

use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use mio::{Interest, Registry};

use crate::arguments::Arguments;
use crate::meter::Meter;
use crate::sys::source;
use crate::turns::{Load, watch};

/// A datagram begins with its number.
const NUMBER: usize = size_of::<u64>();

/// Sockets, and what they have in common.
pub struct Datagrams {
    sockets: Vec<Socket>,
    buffer: Vec<u8>,
    lost: u64,
    once: bool,
}

struct Socket {
    socket: UdpSocket,
    datagram: Vec<u8>,
    number: u64,
    sent: Instant,
    // The number at the last look for lost ones.
    swept: u64,
}

impl Datagrams {
    /// Makes the sockets.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        if arguments.size < NUMBER {
            return Err(format!("a datagram has at least {NUMBER} bytes"));
        }
        let open = |index| -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((source(index), 0))?;
            socket.connect(arguments.to)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = (0..arguments.connections)
            .map(|index| {
                let socket = open(index).map_err(|error| format!("socket {index}: {error}"))?;
                Ok(Socket {
                    socket,
                    datagram: vec![index as u8; arguments.size],
                    number: 0,
                    sent: Instant::now(),
                    swept: 0,
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            sockets,
            // Longer than a datagram, or one that is too long would look right.
            buffer: vec![0; arguments.size + 1],
            lost: 0,
            once: arguments.once,
        })
    }
}

impl Load for Datagrams {
    fn begin(&mut self, registry: &Registry) -> Result<(), String> {
        for (index, socket) in self.sockets.iter_mut().enumerate() {
            // Not for writing: each datagram that is gone would be an event.
            watch(registry, &socket.socket, index, Interest::READABLE)?;
            socket.send_next()?;
        }
        Ok(())
    }

    fn ready(
        &mut self,
        index: usize,
        _registry: &Registry,
        meter: &mut Meter,
    ) -> Result<(), String> {
        let socket = self.sockets.get_mut(index).ok_or("an unknown socket")?;
        let bytes = loop {
            let count = match socket.socket.recv(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("socket {index}: {error}")),
            };
            let bytes = self.buffer.get(..count).unwrap_or_default();
            // Another number: the answer to one that had been given up, after all.
            if bytes.get(..NUMBER) == socket.datagram.get(..NUMBER) {
                break bytes;
            }
        };
        if bytes != socket.datagram {
            return Err("what came back isn't what was sent".into());
        }
        meter.completed(socket.sent.elapsed());
        if !self.once {
            socket.send_next()?;
        }
        Ok(())
    }

    fn sweep(&mut self) -> Result<(), String> {
        for socket in &mut self.sockets {
            if socket.swept == socket.number {
                self.lost += 1;
                socket.send_next()?;
            }
            socket.swept = socket.number;
        }
        Ok(())
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

impl Socket {
    fn send_next(&mut self) -> Result<(), String> {
        self.number += 1;
        self.sent = Instant::now();
        if let Some(place) = self.datagram.get_mut(..NUMBER) {
            place.copy_from_slice(&self.number.to_le_bytes());
        }
        match self.socket.send(&self.datagram) {
            Ok(_) => Ok(()),
            // As good as lost.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(format!("a datagram couldn't be sent: {error}")),
        }
    }
}
