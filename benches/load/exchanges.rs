//! Requests and answers on connections that stay, one under way on each.

use std::io::{self, Read, Write};
use std::ops::Range;

use mio::{Interest, Registry};

use crate::arguments::Arguments;
use crate::page::Page;
use crate::stream::{Opener, Stream};
use crate::turns::{Load, watch};

/// As much as is read at once.
const BUFFER: usize = 256 * 1_024;

/// What an answer is.
#[derive(Clone, Copy)]
pub enum Talk {
    /// The request, so many times.
    Copies(usize),
    /// A page, by HTTP.
    Pages,
}

/// Connections, and what they have in common.
pub struct Exchanges {
    connections: Vec<Connection>,
    // Each connection sends a part of it, each another one.
    words: Vec<u8>,
    buffer: Vec<u8>,
    once: bool,
}

struct Connection {
    stream: Stream,
    request: Range<usize>,
    sent: usize,
    answer: Answer,
}

enum Answer {
    Copies {
        length: usize,
        got: usize,
        // Only the first one is compared; looking at all would slow this side down.
        first: bool,
    },
    Page(Page),
}

impl Exchanges {
    /// Connects.
    pub fn new(arguments: &Arguments, talk: Talk) -> Result<Self, String> {
        let words = match talk {
            // A prime, so that a shifted answer is a wrong answer.
            Talk::Copies(_) => (0..arguments.size + arguments.connections)
                .map(|place| (place % 251) as u8)
                .collect(),
            Talk::Pages => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        };
        let opener = Opener::new(arguments)?;
        let connections = (0..arguments.connections)
            .map(|index| {
                let stream = opener.open(index)?;
                let (request, answer) = match talk {
                    Talk::Copies(copies) => (
                        index..index + arguments.size,
                        Answer::Copies {
                            length: arguments.size * copies,
                            got: 0,
                            first: true,
                        },
                    ),
                    Talk::Pages => (0..words.len(), Answer::Page(Page::default())),
                };
                Ok(Connection {
                    stream,
                    request,
                    sent: 0,
                    answer,
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            connections,
            words,
            buffer: vec![0; BUFFER],
            once: arguments.once,
        })
    }
}

impl Exchanges {
    /// The same, with one message on each connection.
    pub fn once_each(self) -> Self {
        Self { once: true, ..self }
    }

    /// The connections.
    pub fn into_streams(self) -> Vec<Stream> {
        let connections = self.connections.into_iter();
        connections.map(|connection| connection.stream).collect()
    }
}

impl Load for Exchanges {
    fn begin(&mut self, registry: &Registry) -> Result<(), String> {
        // All can be written to, so each has an event at once, and speaks then.
        let both = Interest::READABLE | Interest::WRITABLE;
        for (index, connection) in self.connections.iter().enumerate() {
            watch(registry, &connection.stream, index, both)?;
        }
        Ok(())
    }

    fn ready(&mut self, index: usize, _registry: &Registry) -> Result<u64, String> {
        let connection = self
            .connections
            .get_mut(index)
            .ok_or("an unknown connection")?;
        let request = self
            .words
            .get(connection.request.clone())
            .ok_or("no request")?;
        connection
            .serve(request, &mut self.buffer, self.once)
            .map_err(|problem| format!("connection {index}: {problem}"))
    }
}

impl Connection {
    /// Sends and reads what it can.
    fn serve(&mut self, request: &[u8], buffer: &mut [u8], once: bool) -> Result<u64, String> {
        let mut completed = 0;
        self.send(request)?;
        // What TLS has taken may not be gone yet.
        self.stream.flush().map_err(|error| error.to_string())?;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err("closed by the server".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(completed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if self.answer.take(bytes, request)? {
                completed += 1;
                if once {
                    return Ok(completed);
                }
                self.sent = 0;
                self.send(request)?;
            }
            if self.stream.is_drained(count, buffer.len()) {
                return Ok(completed);
            }
        }
    }

    fn send(&mut self, request: &[u8]) -> Result<(), String> {
        while let Some(rest) = request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

impl Answer {
    /// Takes what came; whether that was the last of it.
    fn take(&mut self, bytes: &[u8], request: &[u8]) -> Result<bool, String> {
        match self {
            Self::Copies { length, got, first } => {
                if *first && !continues(bytes, request, *got) {
                    return Err("what came back isn't what was sent".into());
                }
                *got += bytes.len();
                if *got > *length {
                    return Err(format!("{} bytes came back for {length}", *got));
                }
                let complete = *got == *length;
                if complete {
                    *got = 0;
                    *first = false;
                }
                Ok(complete)
            }
            Self::Page(page) => page.take(bytes),
        }
    }
}

/// Whether the bytes are what follows in copies of the request.
fn continues(bytes: &[u8], request: &[u8], got: usize) -> bool {
    let expected = request.iter().cycle().skip(got % request.len());
    bytes.iter().zip(expected).all(|(one, other)| one == other)
}
