//! TLS connections that are made, say one thing, and are closed by both sides.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use mio::{Interest, Registry};

use crate::arguments::Arguments;
use crate::meter::Meter;
use crate::sys::{begin_connection, source};
use crate::tls::{Session, Settings, State, Version, settings};
use crate::turns::{Load, watch};

/// Longer than a server's part of the handshake, or what it sends back.
const BUFFER: usize = 64 * 1_024;

/// So many connections at a time, and a new one for each that is closed.
pub struct Handshakes {
    arguments: Arguments,
    settings: Settings,
    visits: Vec<Visit>,
    message: Vec<u8>,
    buffer: Vec<u8>,
    made: usize,
}

/// One connection's life.
struct Visit {
    stream: TcpStream,
    began: Instant,
    session: Session,
    // The beginning of a record.
    rest: Vec<u8>,
    outgoing: Vec<u8>,
    asked: bool,
    answer: Vec<u8>,
    said_all: bool,
}

impl Handshakes {
    /// None yet.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        Ok(Self {
            arguments: arguments.clone(),
            settings: settings(arguments.tls.unwrap_or(Version::Tls13))?,
            visits: Vec::new(),
            message: (0..arguments.size).map(|place| place as u8).collect(),
            buffer: vec![0; BUFFER],
            made: 0,
        })
    }

    fn next(&mut self, index: usize, registry: &Registry) -> Result<Visit, String> {
        let began = Instant::now();
        let stream = begin_connection(source(self.made), self.arguments.to)
            .map_err(|error| format!("connection to {}: {error}", self.arguments.to))?;
        self.made += 1;
        // That it is connected is an event, and the handshake begins then.
        watch(
            registry,
            &stream,
            index,
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Visit {
            stream,
            began,
            session: Session::new(&self.settings)?,
            rest: Vec::new(),
            outgoing: Vec::new(),
            asked: false,
            answer: Vec::new(),
            said_all: false,
        })
    }
}

impl Load for Handshakes {
    fn begin(&mut self, registry: &Registry) -> Result<(), String> {
        for index in 0..self.arguments.connections {
            let visit = self.next(index, registry)?;
            self.visits.push(visit);
        }
        Ok(())
    }

    fn ready(
        &mut self,
        index: usize,
        registry: &Registry,
        meter: &mut Meter,
    ) -> Result<(), String> {
        let visit = self.visits.get_mut(index).ok_or("an unknown connection")?;
        let over = visit
            .serve(&self.message, &mut self.buffer)
            .map_err(|problem| format!("connection {index}: {problem}"))?;
        if !over {
            return Ok(());
        }
        meter.completed(visit.began.elapsed());
        if !self.arguments.once {
            let next = self.next(index, registry)?;
            if let Some(visit) = self.visits.get_mut(index) {
                *visit = next;
            }
        }
        Ok(())
    }
}

impl Visit {
    /// Does what it can. Whether the server has closed, after all was said.
    fn serve(&mut self, message: &[u8], buffer: &mut [u8]) -> Result<bool, String> {
        self.advance(0, message, buffer)?;
        loop {
            let space = buffer.get_mut(self.rest.len()..).unwrap_or_default();
            let got = match self.stream.read(space) {
                Ok(0) if self.said_all => return Ok(true),
                Ok(0) => return Err("closed by the server".into()),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            // No event is waited for: the end may have come with it already.
            self.advance(got, message, buffer)?;
        }
    }

    /// Takes so much ciphertext after the rest, and says what comes next.
    fn advance(&mut self, got: usize, message: &[u8], buffer: &mut [u8]) -> Result<(), String> {
        let rest = self.rest.len();
        let incoming = buffer.get_mut(..rest + got).ok_or("too long a record")?;
        if let Some(begin) = incoming.get_mut(..rest) {
            begin.copy_from_slice(&self.rest);
        }
        let answer = &mut self.answer;
        let outgoing = &mut self.outgoing;
        let used = self
            .session
            .receive(incoming, outgoing, |bytes| answer.extend_from_slice(bytes))?;
        self.rest.clear();
        self.rest
            .extend_from_slice(incoming.get(used..).unwrap_or_default());
        if self.session.state() == State::Established && !self.asked {
            self.asked = true;
            self.session.encrypt(message, outgoing)?;
        }
        if self.answer.len() >= message.len() && !self.said_all {
            if self.answer != message {
                return Err("what came back isn't what was sent".into());
            }
            self.said_all = true;
            self.session.close(outgoing)?;
        }
        if !outgoing.is_empty() {
            match self.stream.write(outgoing) {
                Ok(count) => drop(outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
