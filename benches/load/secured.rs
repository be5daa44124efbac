//! A connection that speaks TLS, and reads and writes as one that doesn't.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::rc::Rc;

use crate::tls::{Session, Settings, State};

/// As much ciphertext as is read at once.
const BUFFER: usize = 256 * 1_024;

/// Makes connections that share what they can.
pub struct Securer {
    settings: Settings,
    buffer: Rc<RefCell<Vec<u8>>>,
}

impl Securer {
    /// Makes such with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            buffer: Rc::new(RefCell::new(vec![0; BUFFER])),
        }
    }

    /// Does the handshake. The stream has to block; what comes back is as before.
    pub fn secure(&self, stream: File) -> io::Result<Secured> {
        let mut secured = Secured {
            stream,
            session: Session::new(&self.settings).map_err(io::Error::other)?,
            buffer: Rc::clone(&self.buffer),
            rest: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            drained: false,
        };
        let mut nothing = [0; 0];
        secured.decrypt(0, &mut nothing)?;
        while secured.session.state() != State::Established {
            secured.flush()?;
            let got = secured.fill(BUFFER)?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            secured.decrypt(got, &mut nothing)?;
        }
        secured.flush()?;
        Ok(secured)
    }
}

/// One of them.
pub struct Secured {
    stream: File,
    session: Session,
    // Everybody's.
    buffer: Rc<RefCell<Vec<u8>>>,
    // The beginning of a record.
    rest: Vec<u8>,
    outgoing: Vec<u8>,
    sent: usize,
    drained: bool,
}

impl Secured {
    /// The socket.
    pub fn stream(&self) -> &File {
        &self.stream
    }

    /// Whether the last read got all that there was.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Reads ciphertext into the buffer, after the rest. How much.
    fn fill(&mut self, limit: usize) -> io::Result<usize> {
        let mut buffer = self.buffer.borrow_mut();
        let space = buffer
            .get_mut(self.rest.len()..limit.min(BUFFER))
            .unwrap_or_default();
        self.stream.read(space)
    }

    /// Decrypts the rest and so much of the buffer. How much plaintext that is.
    fn decrypt(&mut self, got: usize, plain: &mut [u8]) -> io::Result<usize> {
        let mut buffer = self.buffer.borrow_mut();
        let incoming = buffer
            .get_mut(..self.rest.len() + got)
            .ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(begin) = incoming.get_mut(..self.rest.len()) {
            begin.copy_from_slice(&self.rest);
        }
        let mut filled = 0;
        let mut fits = true;
        let used = self
            .session
            .receive(incoming, &mut self.outgoing, |bytes| {
                match plain.get_mut(filled..filled + bytes.len()) {
                    Some(space) => space.copy_from_slice(bytes),
                    None => fits = false,
                }
                filled += bytes.len();
            })
            .map_err(io::Error::other)?;
        self.rest.clear();
        self.rest
            .extend_from_slice(incoming.get(used..).unwrap_or_default());
        if fits {
            Ok(filled)
        } else {
            Err(io::Error::other("TLS: more than was asked for"))
        }
    }
}

impl Read for Secured {
    /// Reads until it would block, or there is no room for what may come.
    fn read(&mut self, plain: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        self.drained = false;
        loop {
            let space = plain.get_mut(filled..).unwrap_or_default();
            let limit = space.len().min(BUFFER);
            let asked = limit.saturating_sub(self.rest.len());
            if asked == 0 {
                return Ok(filled);
            }
            let got = match self.fill(limit) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled > 0 => {
                    self.drained = true;
                    return Ok(filled);
                }
                result => result?,
            };
            if got == 0 {
                return Ok(filled);
            }
            filled += self.decrypt(got, space)?;
            self.flush()?;
            if self.session.state() == State::Closed {
                return Ok(filled);
            }
            if got < asked {
                self.drained = true;
                return match filled {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    _ => Ok(filled),
                };
            }
        }
    }
}

impl Write for Secured {
    /// Takes everything, if what was taken before is gone.
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.flush()?;
        if !self.outgoing.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.session
            .encrypt(plain, &mut self.outgoing)
            .map_err(io::Error::other)?;
        self.flush()?;
        Ok(plain.len())
    }

    /// Sends what it can.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self
            .outgoing
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        Ok(())
    }
}
