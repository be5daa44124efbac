//! One TLS connection over two memory BIOs.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;

use super::table::{Address, Table};

const SSL_ERROR_WANT_READ: c_int = 2;
const SSL_ERROR_ZERO_RETURN: c_int = 6;
const SSL_SENT_SHUTDOWN: c_int = 1;
const SSL_RECEIVED_SHUTDOWN: c_int = 2;

/// What is handed over in one call: the functions count by `int`.
const MOST: usize = 1 << 30;

/// The largest record's plaintext. Nor is more ciphertext than that put into a BIO at once
/// where it can be helped: a BIO never gives its memory back, and that of many connections
/// is in no cache.
pub const RECORD: usize = 1 << 14;

/// The addresses of a connection that somebody else owns.
///
/// Any call may call back somebody's code (in a renegotiation), which may use the same
/// connection, so nothing is borrowed meanwhile but the caller's buffer.
#[derive(Clone, Copy)]
pub struct Session {
    table: &'static Table,
    ssl: Address,
    incoming: Address,
    outgoing: Address,
}

// SAFETY: addresses and static functions. Whoever uses them keeps to one thread at a time,
// as `Session::new` asks.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

/// What a call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many bytes: at least one.
    Moved(usize),
    /// Nothing: the peer has to send something first.
    WantRead,
    /// Nothing: the peer has said that nothing more comes.
    Closed,
    /// Nothing, and OpenSSL's error queue has what it says of that; it is left as it is.
    Failed,
}

impl Session {
    /// A connection at these addresses.
    ///
    /// # Safety
    /// They are an `SSL` of the table's library, and the two memory BIOs that it reads from
    /// and writes to. They stay so, and no other thread uses them, whenever a method is
    /// called.
    pub unsafe fn new(
        table: &'static Table,
        ssl: Address,
        incoming: Address,
        outgoing: Address,
    ) -> Session {
        Session {
            table,
            ssl,
            incoming,
            outgoing,
        }
    }

    /// The protocol's version and the cipher's name.
    pub fn description(&self) -> (String, String) {
        let ssl = self.ssl.as_ptr();
        // SAFETY: `new`'s caller's promise.
        unsafe { (self.table.version(ssl), self.table.cipher(ssl)) }
    }

    /// Takes ciphertext.
    ///
    /// # Errors
    /// `OutOfMemory`: some of it may have been taken, so the connection is of no more use.
    pub fn feed(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let (start, length) = (data.as_ptr().cast(), int(data.len()));
            // SAFETY: `new`'s caller's promise; so many bytes are there.
            let count = unsafe { (self.table.bio_write)(self.incoming.as_ptr(), start, length) };
            data = match usize::try_from(count) {
                Ok(count) if count > 0 => data.get(count..).unwrap_or_default(),
                _ => return Err(io::ErrorKind::OutOfMemory.into()),
            };
        }
        Ok(())
    }

    /// Reads plaintext until the room is full or there is no more, and says how many bytes
    /// that were, and why it has ended if the room isn't full and more was asked for.
    pub fn read(&self, room: &mut [MaybeUninit<u8>]) -> (usize, Option<Outcome>) {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_record(rest) {
                Outcome::Moved(count) => filled += count,
                ended => return (filled, Some(ended)),
            }
            if self.is_drained() {
                break;
            }
        }
        (filled, None)
    }

    /// `feed`, and `read` after each piece. Whatever comes of it, everything has been taken
    /// in the end.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_and_read(
        &self,
        mut data: &[u8],
        room: &mut [MaybeUninit<u8>],
    ) -> io::Result<(usize, Option<Outcome>)> {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..) {
            let Some((piece, after)) = data.split_at_checked(RECORD.min(data.len())) else {
                break;
            };
            self.feed(piece)?;
            let (count, ended) = self.read(rest);
            filled += count;
            let is_over = !matches!(ended, None | Some(Outcome::WantRead));
            if after.is_empty() || is_over || filled == room.len() {
                // It leaves the error queue as it is.
                self.feed(after)?;
                return Ok((filled, ended));
            }
            data = after;
        }
        Ok((filled, None))
    }

    /// `read`, of one record at most.
    pub fn read_one(&self, room: &mut [MaybeUninit<u8>]) -> (usize, Option<Outcome>) {
        match self.read_record(room) {
            Outcome::Moved(count) => (count, None),
            ended => (0, Some(ended)),
        }
    }

    /// Reads plaintext, of one record at most. The room isn't empty.
    fn read_record(&self, room: &mut [MaybeUninit<u8>]) -> Outcome {
        self.table.forget_errors();
        let (start, length) = (room.as_mut_ptr().cast(), int(room.len()));
        // SAFETY: `new`'s caller's promise; the room is so large, and borrowed.
        let count = unsafe { (self.table.read)(self.ssl.as_ptr(), start, length) };
        self.outcome(count)
    }

    /// Whether it is certain that a read finds nothing now.
    fn is_drained(&self) -> bool {
        // SAFETY: `new`'s caller's promise.
        unsafe {
            self.table.bio_pending(self.incoming.as_ptr()) == Some(0)
                && (self.table.pending)(self.ssl.as_ptr()) == 0
        }
    }

    /// Whether it is certain, after plaintext, that a read says `WantRead` now: nothing has
    /// come that isn't read, and the peer hasn't said that nothing more comes.
    pub fn wants_more(&self) -> bool {
        // SAFETY: `new`'s caller's promise.
        let state = unsafe { (self.table.get_shutdown)(self.ssl.as_ptr()) };
        state & SSL_RECEIVED_SHUTDOWN == 0 && self.is_drained()
    }

    /// Takes plaintext; not an empty one, of which OpenSSL can't say what became.
    pub fn write(&self, data: &[u8]) -> Outcome {
        self.table.forget_errors();
        let (start, length) = (data.as_ptr().cast(), int(data.len()));
        // SAFETY: `new`'s caller's promise; so many bytes are there.
        let count = unsafe { (self.table.write)(self.ssl.as_ptr(), start, length) };
        self.outcome(count)
    }

    /// `write`, of everything, and `take` after each record. How much there is in the room,
    /// how much was taken, and why not more. What there is no room for waits in the BIO.
    pub fn write_and_take(
        &self,
        data: &[u8],
        room: &mut [MaybeUninit<u8>],
    ) -> (usize, (usize, Option<Outcome>)) {
        let (mut filled, mut written) = (0, 0);
        while let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
            match self.write(rest.get(..RECORD).unwrap_or(rest)) {
                Outcome::Moved(count) => written += count,
                ended => return (filled, (written, Some(ended))),
            }
            filled += self.take(room.get_mut(filled..).unwrap_or_default());
        }
        (filled, (written, None))
    }

    /// Whether our side has said that nothing more comes: a write fails then.
    pub fn is_shut_down(&self) -> bool {
        // SAFETY: `new`'s caller's promise.
        let state = unsafe { (self.table.get_shutdown)(self.ssl.as_ptr()) };
        state & SSL_SENT_SHUTDOWN != 0
    }

    /// Gives ciphertext; says how many bytes. Less than the room: there is no more.
    pub fn take(&self, room: &mut [MaybeUninit<u8>]) -> usize {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let asked = rest.len();
            let (start, length) = (rest.as_mut_ptr().cast(), int(asked));
            // SAFETY: `new`'s caller's promise; the room is so large, and borrowed.
            let count = unsafe { (self.table.bio_read)(self.outgoing.as_ptr(), start, length) };
            match usize::try_from(count) {
                // A memory BIO gives all that it has, or all that is asked for.
                Ok(count) if count == asked => filled += count,
                Ok(count) => {
                    filled += count;
                    break;
                }
                Err(_) => break,
            }
        }
        filled
    }

    /// How many bytes of ciphertext have come and are not decrypted, if it can be told.
    pub fn incoming_pending(&self) -> Option<usize> {
        // SAFETY: `new`'s caller's promise.
        unsafe { self.table.bio_pending(self.incoming.as_ptr()) }
    }

    /// How many bytes of ciphertext wait to be taken, if it can be told.
    pub fn outgoing_pending(&self) -> Option<usize> {
        // SAFETY: `new`'s caller's promise.
        unsafe { self.table.bio_pending(self.outgoing.as_ptr()) }
    }

    /// What a call's result means.
    fn outcome(&self, result: c_int) -> Outcome {
        match usize::try_from(result) {
            Ok(count) if count > 0 => return Outcome::Moved(count),
            _ => {}
        }
        // SAFETY: `new`'s caller's promise; it was this connection's last call.
        match unsafe { (self.table.get_error)(self.ssl.as_ptr(), result) } {
            SSL_ERROR_WANT_READ => Outcome::WantRead,
            SSL_ERROR_ZERO_RETURN => Outcome::Closed,
            _ => Outcome::Failed,
        }
    }
}

/// A length as the functions count it.
fn int(length: usize) -> c_int {
    c_int::try_from(length.min(MOST)).unwrap_or(c_int::MAX)
}
