//! The OpenSSL of the system, for tests: what makes connections, which is the frameworks'
//! business otherwise.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::super::{Address, OverSocket, Session, Table};

type Pointer = *mut c_void;

const SET_MIN_VERSION: c_int = 123;
const SET_MAX_VERSION: c_int = 124;
const MODE: c_int = 33;
const PARTIAL_WRITE: c_long = 1;
const PEM: c_int = 1;
pub const TLS1_2: c_long = 0x0303;
pub const TLS1_3: c_long = 0x0304;

/// A handle of dlopen(3).
pub struct Library {
    handle: usize,
    pub table: &'static Table,
}

impl Library {
    /// The system's library; `None`, and a word of it, if it has none.
    pub fn find() -> Option<&'static Library> {
        static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
        let open = || {
            let names = [c"libssl.so.3", c"libssl.so.1.1", c"libssl.3.dylib"];
            let open = |name: &&CStr| {
                // SAFETY: a name that ends.
                let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
                NonNull::new(handle).map(|handle| handle.as_ptr() as usize)
            };
            let Some(handle) = names.iter().find_map(open) else {
                eprintln!("there is no libssl here: nothing is tested");
                return None;
            };
            // SAFETY: libssl's own functions; it is never unloaded.
            let table = unsafe { Table::find(|name| lookup(handle, name)) };
            let table = Box::leak(Box::new(table.expect("a table")));
            Some(Library { handle, table })
        };
        LIBRARY.get_or_init(open).as_ref()
    }

    /// Where a function is.
    pub fn address(&self, name: &CStr) -> Option<Address> {
        lookup(self.handle, name)
    }

    fn pointer(&self, name: &CStr) -> Pointer {
        self.address(name).expect("a function").as_ptr()
    }
}

fn lookup(handle: usize, name: &CStr) -> Option<Address> {
    // SAFETY: the handle is open, and the name ends.
    NonNull::new(unsafe { libc::dlsym(handle as *mut c_void, name.as_ptr()) })
}

/// Calls a function of the library by name.
macro_rules! call {
    ($library:expr, $name:literal, $type:ty $(, $argument:expr)*) => {{
        // SAFETY: OpenSSL documents this type for the function of this name, and the
        // arguments are what it asks for.
        unsafe {
            let function = std::mem::transmute::<*mut c_void, $type>($library.pointer($name));
            function($($argument),*)
        }
    }};
}

type New = unsafe extern "C" fn() -> Pointer;
type Of = unsafe extern "C" fn(Pointer) -> Pointer;
type Do = unsafe extern "C" fn(Pointer) -> c_int;
type Free = unsafe extern "C" fn(Pointer);
type Control = unsafe extern "C" fn(Pointer, c_int, c_long, Pointer) -> c_long;
type UseFile = unsafe extern "C" fn(Pointer, *const c_char, c_int) -> c_int;

/// One end of a connection, which it owns.
pub struct End {
    library: &'static Library,
    ssl: Pointer,
    pub session: Session,
}

impl End {
    fn new(library: &'static Library, version: c_long, is_server: bool, partial: bool) -> End {
        let method = call!(library, c"TLS_method", New);
        let context = call!(library, c"SSL_CTX_new", Of, method);
        assert!(!context.is_null());
        for control in [SET_MIN_VERSION, SET_MAX_VERSION] {
            let null = ptr::null_mut();
            assert_eq!(
                call!(
                    library,
                    c"SSL_CTX_ctrl",
                    Control,
                    context,
                    control,
                    version,
                    null
                ),
                1
            );
        }
        if partial {
            call!(
                library,
                c"SSL_CTX_ctrl",
                Control,
                context,
                MODE,
                PARTIAL_WRITE,
                ptr::null_mut()
            );
        }
        if is_server {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/core/tls/tests/end.pem");
            let path = CString::new(path).expect("a path");
            let path = path.as_ptr();
            assert_eq!(
                call!(
                    library,
                    c"SSL_CTX_use_certificate_file",
                    UseFile,
                    context,
                    path,
                    PEM
                ),
                1
            );
            assert_eq!(
                call!(
                    library,
                    c"SSL_CTX_use_PrivateKey_file",
                    UseFile,
                    context,
                    path,
                    PEM
                ),
                1
            );
        }
        let ssl = call!(library, c"SSL_new", Of, context);
        let kind = call!(library, c"BIO_s_mem", New);
        let memory = || call!(library, c"BIO_new", Of, kind);
        let (incoming, outgoing) = (memory(), memory());
        type SetBio = unsafe extern "C" fn(Pointer, Pointer, Pointer);
        call!(library, c"SSL_set_bio", SetBio, ssl, incoming, outgoing);
        if is_server {
            call!(library, c"SSL_set_accept_state", Free, ssl);
        } else {
            call!(library, c"SSL_set_connect_state", Free, ssl);
        }
        let address = |pointer| NonNull::new(pointer).expect("an address");
        // SAFETY: an SSL of this library, and the BIOs that it was given.
        unsafe {
            assert_eq!(
                library.table.bios(address(ssl)),
                Some((address(incoming), address(outgoing)))
            );
            assert_eq!(library.table.context(address(ssl)), Some(address(context)));
        }
        call!(library, c"SSL_CTX_free", Free, context);
        // SAFETY: as above; they live as long as this end, and stay in the test's thread.
        let session = unsafe {
            Session::new(
                library.table,
                address(ssl),
                address(incoming),
                address(outgoing),
            )
        };
        End {
            library,
            ssl,
            session,
        }
    }

    /// A client and a server that have shaken hands.
    pub fn pair(library: &'static Library, version: c_long, partial: bool) -> (End, End) {
        let client = End::new(library, version, false, partial);
        let server = End::new(library, version, true, partial);
        for _ in 0..4 {
            for (end, other) in [(&client, &server), (&server, &client)] {
                call!(library, c"SSL_do_handshake", Do, end.ssl);
                end.carry(other);
            }
        }
        (client, server)
    }

    /// Brings what this end has to say to the other one.
    pub fn carry(&self, other: &End) {
        other.session.feed(&self.taken()).expect("memory");
    }

    /// The same connection, as one over a socket is driven.
    pub fn over_socket(&self) -> OverSocket {
        // SAFETY: an `SSL` of this library, which this end owns.
        unsafe { OverSocket::new(self.library.table, NonNull::new(self.ssl).expect("an SSL")) }
    }

    /// What this end has to say.
    pub fn taken(&self) -> Vec<u8> {
        super::filled(1 << 20, |room| self.session.take(room))
    }

    pub fn shut_down(&self) {
        call!(self.library, c"SSL_shutdown", Do, self.ssl);
    }

    /// Asks for a renegotiation (TLS 1.2).
    pub fn renegotiate(&self) {
        assert_eq!(call!(self.library, c"SSL_renegotiate", Do, self.ssl), 1);
        call!(self.library, c"SSL_do_handshake", Do, self.ssl);
    }

    /// Changes the keys of both ends with the next record (TLS 1.3).
    pub fn update_keys(&self) {
        type Update = unsafe extern "C" fn(Pointer, c_int) -> c_int;
        assert_eq!(
            call!(self.library, c"SSL_key_update", Update, self.ssl, 1),
            1
        );
    }

    /// Lets a read that finds nothing be the end (`MemoryBIO.write_eof`).
    pub fn end_input(&self) {
        type Rbio = unsafe extern "C" fn(Pointer) -> Pointer;
        let bio = call!(self.library, c"SSL_get_rbio", Rbio, self.ssl);
        const SET_EOF_RETURN: c_int = 130;
        call!(
            self.library,
            c"BIO_ctrl",
            Control,
            bio,
            SET_EOF_RETURN,
            0,
            ptr::null_mut()
        );
    }

    /// Leaves an error in the thread's queue that is nobody's.
    pub fn spoil(library: &'static Library) {
        type NewFile = unsafe extern "C" fn(*const c_char, *const c_char) -> Pointer;
        let (path, mode) = (c"/nowhere/at/all".as_ptr(), c"r".as_ptr());
        assert!(call!(library, c"BIO_new_file", NewFile, path, mode).is_null());
    }
}

impl Drop for End {
    fn drop(&mut self) {
        call!(self.library, c"SSL_free", Free, self.ssl);
    }
}
