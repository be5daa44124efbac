//! One TLS connection that OpenSSL itself reads from a socket and writes to it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;

use super::table::{Address, Table};

const SSL_ERROR_WANT_READ: c_int = 2;
const SSL_ERROR_WANT_WRITE: c_int = 3;
const SSL_ERROR_SYSCALL: c_int = 5;

/// What is handed over in one call: the functions count by `int`.
const MOST: usize = 1 << 30;

/// The address of a connection that somebody else owns, established, over a socket that
/// doesn't block.
#[derive(Clone, Copy)]
pub struct OverSocket {
    table: &'static Table,
    ssl: Address,
}

// SAFETY: an address and static functions. Whoever uses them keeps to one thread at a time,
// as `OverSocket::new` asks.
unsafe impl Send for OverSocket {}
// SAFETY: as above.
unsafe impl Sync for OverSocket {}

/// What a call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes: at least one.
    Bytes(usize),
    /// Nothing: there is nothing to read.
    WantRead,
    /// Nothing: there is no room to write.
    WantWrite,
    /// Nothing: the system has refused, with this number. It says so once.
    Refused(i32),
    /// Nothing, and another call fails again: an error of OpenSSL's, or the peer's end.
    /// OpenSSL's error queue is left as it is.
    Failed,
}

impl OverSocket {
    /// A connection at this address.
    ///
    /// # Safety
    /// It is an `SSL` of the table's library over a socket. It stays so, and no other
    /// thread uses it, whenever a method is called.
    pub unsafe fn new(table: &'static Table, ssl: Address) -> OverSocket {
        OverSocket { table, ssl }
    }

    /// The address of the `SSL`.
    pub fn address(&self) -> Address {
        self.ssl
    }

    /// Reads plaintext, of one record at most. The room isn't empty.
    pub fn read(&self, room: &mut [MaybeUninit<u8>]) -> Moved {
        self.table.forget_errors();
        let (start, length) = (room.as_mut_ptr().cast(), int(room.len()));
        // SAFETY: `new`'s caller's promise; the room is so large, and borrowed.
        let result = unsafe { (self.table.read)(self.ssl.as_ptr(), start, length) };
        self.moved(result)
    }

    /// Writes plaintext, which isn't empty. If it can't be written now, it must be written
    /// again later, the same bytes and perhaps more.
    pub fn write(&self, data: &[u8]) -> Moved {
        self.table.forget_errors();
        let (start, length) = (data.as_ptr().cast(), int(data.len()));
        // SAFETY: `new`'s caller's promise; so many bytes are there.
        let result = unsafe { (self.table.write)(self.ssl.as_ptr(), start, length) };
        self.moved(result)
    }

    /// What a call's result means.
    fn moved(&self, result: c_int) -> Moved {
        match usize::try_from(result) {
            Ok(count) if count > 0 => return Moved::Bytes(count),
            _ => {}
        }
        // OpenSSL has set it to zero before it has called the system.
        let refused = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        // SAFETY: `new`'s caller's promise; it was this connection's last call.
        match unsafe { (self.table.get_error)(self.ssl.as_ptr(), result) } {
            SSL_ERROR_WANT_READ => Moved::WantRead,
            SSL_ERROR_WANT_WRITE => Moved::WantWrite,
            SSL_ERROR_SYSCALL if refused != 0 => {
                self.table.forget_errors();
                Moved::Refused(refused)
            }
            _ => Moved::Failed,
        }
    }
}

/// A length as the functions count it.
fn int(length: usize) -> c_int {
    c_int::try_from(length.min(MOST)).unwrap_or(c_int::MAX)
}
