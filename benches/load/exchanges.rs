//! Requests and answers on connections that stay, one under way on each.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::time::Instant;

use mio::{Interest, Registry};

use crate::arguments::Arguments;
use crate::frames::{message_and_echo, upgrade};
use crate::meter::Meter;
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
    /// The body that is sent, by HTTP.
    Bodies,
    /// The same message, by WebSocket.
    Frames,
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
    // What comes back begins like this, and goes on with it again.
    expected: Range<usize>,
    sent: usize,
    began: Instant,
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
        let mut echo = 0..0;
        let words = match talk {
            // A prime, so that a shifted answer is a wrong answer.
            Talk::Copies(_) => bytes(arguments.size + arguments.connections),
            Talk::Pages => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            Talk::Bodies => posted(&bytes(arguments.size)),
            Talk::Frames => {
                let (message, answer) = message_and_echo(&bytes(arguments.size));
                echo = message.len()..message.len() + answer.len();
                [message, answer].concat()
            }
        };
        let opener = Opener::new(arguments)?;
        let connections = (0..arguments.connections)
            .map(|index| {
                let mut stream = opener.open(index)?;
                let copies = |length| Answer::Copies {
                    length,
                    got: 0,
                    first: true,
                };
                let (request, expected, answer) = match talk {
                    Talk::Copies(count) => {
                        let message = index..index + arguments.size;
                        (message.clone(), message, copies(arguments.size * count))
                    }
                    Talk::Pages => (0..words.len(), 0..0, Answer::Page(Page::default())),
                    Talk::Bodies => {
                        let page = Page::of(bytes(arguments.size));
                        (0..words.len(), 0..0, Answer::Page(page))
                    }
                    Talk::Frames => {
                        upgrade(&mut stream).map_err(|error| format!("WebSocket: {error}"))?;
                        (0..echo.start, echo.clone(), copies(echo.len()))
                    }
                };
                Ok(Connection {
                    stream,
                    request,
                    expected,
                    sent: 0,
                    began: Instant::now(),
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

    fn ready(
        &mut self,
        index: usize,
        _registry: &Registry,
        meter: &mut Meter,
    ) -> Result<(), String> {
        let connection = self
            .connections
            .get_mut(index)
            .ok_or("an unknown connection")?;
        let words = |range: &Range<usize>| self.words.get(range.clone()).ok_or("no request");
        let request = words(&connection.request)?;
        let expected = words(&connection.expected)?;
        let buffer = self.buffer.as_mut_slice();
        connection
            .serve(request, expected, buffer, self.once, meter)
            .map_err(|problem| format!("connection {index}: {problem}"))
    }
}

impl Connection {
    /// Sends and reads what it can.
    fn serve(
        &mut self,
        request: &[u8],
        expected: &[u8],
        buffer: &mut [u8],
        once: bool,
        meter: &mut Meter,
    ) -> Result<(), String> {
        self.send(request)?;
        // What TLS has taken may not be gone yet.
        self.stream.flush().map_err(|error| error.to_string())?;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err("closed by the server".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if self.answer.take(bytes, expected)? {
                let now = Instant::now();
                meter.completed(now - self.began);
                if once {
                    return Ok(());
                }
                self.began = now;
                self.sent = 0;
                self.send(request)?;
            }
            if self.stream.is_drained(count, buffer.len()) {
                return Ok(());
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
    fn take(&mut self, bytes: &[u8], expected: &[u8]) -> Result<bool, String> {
        match self {
            Self::Copies { length, got, first } => {
                if *first && !continues(bytes, expected, *got) {
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

/// Whether the bytes are what follows in copies of that.
fn continues(bytes: &[u8], copied: &[u8], got: usize) -> bool {
    let expected = copied.iter().cycle().skip(got % copied.len());
    bytes.iter().zip(expected).all(|(one, other)| one == other)
}

/// A request with a body.
fn posted(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// So many, no two of which in a row are the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|place| (place % 251) as u8).collect()
}
