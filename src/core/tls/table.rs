//! The addresses of the functions of one OpenSSL library.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::fmt;
use std::mem;
use std::ptr::{self, NonNull};

/// Where a function is.
pub type Address = NonNull<c_void>;

/// OpenSSL's `SSL`, `BIO`, `SSL_CTX`: only their addresses are known.
pub type Opaque = c_void;

type Read = unsafe extern "C" fn(*mut Opaque, *mut c_void, c_int) -> c_int;
type Write = unsafe extern "C" fn(*mut Opaque, *const c_void, c_int) -> c_int;
type OfBoth = unsafe extern "C" fn(*const Opaque, c_int) -> c_int;
type Count = unsafe extern "C" fn(*const Opaque) -> c_int;
type Pointer = unsafe extern "C" fn(*const Opaque) -> *mut Opaque;
type Text = unsafe extern "C" fn(*const Opaque) -> *const c_char;
type Control = unsafe extern "C" fn(*mut Opaque, c_int, c_long, *mut c_void) -> c_long;
type MemoryOf = unsafe extern "C" fn(*mut Opaque, *mut *mut c_char) -> c_long;

/// `BIO_CTRL_PENDING`: how many bytes wait in a BIO.
const PENDING: c_int = 10;

/// See the module's documentation.
///
/// What is optional isn't in every table that can be had; what needs it gives way.
pub struct Table {
    pub(super) read: Read,
    pub(super) write: Write,
    pub(super) get_error: OfBoth,
    pub(super) pending: Count,
    pub(super) get_shutdown: Count,
    pub(super) bio_read: Read,
    pub(super) bio_write: Write,
    peek_error: unsafe extern "C" fn() -> c_ulong,
    clear_error: unsafe extern "C" fn(),
    get_version: Text,
    get_current_cipher: Pointer,
    cipher_get_name: Text,
    library_version: unsafe extern "C" fn(c_int) -> *const c_char,
    bio_ctrl: Option<Control>,
    /// A macro of OpenSSL's, which `cryptography` has a function for, and none of those
    /// that it stands for.
    bio_get_mem_data: Option<MemoryOf>,
    get_rbio: Option<Pointer>,
    get_wbio: Option<Pointer>,
    get_ssl_ctx: Option<Pointer>,
    get_fd: Option<Count>,
}

/// The name of a function that isn't to be had.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(pub &'static str);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OpenSSL's {} can't be found", self.0)
    }
}

impl Table {
    /// Makes a table of what `lookup` finds.
    ///
    /// # Errors
    /// The first name that can't be done without.
    ///
    /// # Safety
    /// What `lookup` finds is OpenSSL's function of that name, all of one library, which
    /// stays loaded.
    pub unsafe fn find(mut lookup: impl FnMut(&CStr) -> Option<Address>) -> Result<Table, Missing> {
        // The field that an address goes to says which type it becomes.
        #![allow(clippy::missing_transmute_annotations)]
        macro_rules! function {
            ($name:literal) => {
                match lookup($name) {
                    // SAFETY: the caller promises that it is the function of this name,
                    // which has this type in every version since 1.1.0.
                    Some(address) => unsafe { mem::transmute::<Address, _>(address) },
                    None => return Err(Missing($name.to_str().unwrap_or_default())),
                }
            };
        }
        macro_rules! optional {
            ($name:literal) => {
                // SAFETY: as above.
                lookup($name).map(|address| unsafe { mem::transmute::<Address, _>(address) })
            };
        }
        Ok(Table {
            read: function!(c"SSL_read"),
            write: function!(c"SSL_write"),
            get_error: function!(c"SSL_get_error"),
            pending: function!(c"SSL_pending"),
            get_shutdown: function!(c"SSL_get_shutdown"),
            bio_read: function!(c"BIO_read"),
            bio_write: function!(c"BIO_write"),
            peek_error: function!(c"ERR_peek_error"),
            clear_error: function!(c"ERR_clear_error"),
            get_version: function!(c"SSL_get_version"),
            get_current_cipher: function!(c"SSL_get_current_cipher"),
            cipher_get_name: function!(c"SSL_CIPHER_get_name"),
            library_version: function!(c"OpenSSL_version"),
            bio_ctrl: optional!(c"BIO_ctrl"),
            bio_get_mem_data: optional!(c"BIO_get_mem_data"),
            get_rbio: optional!(c"SSL_get_rbio"),
            get_wbio: optional!(c"SSL_get_wbio"),
            get_ssl_ctx: optional!(c"SSL_get_SSL_CTX"),
            get_fd: optional!(c"SSL_get_fd"),
        })
    }

    /// Empties this thread's error queue: `SSL_get_error` takes whatever is in it for an
    /// error of the call before.
    pub fn forget_errors(&self) {
        // SAFETY: there is always a queue.
        unsafe {
            if (self.peek_error)() != 0 {
                (self.clear_error)();
            }
        }
    }

    /// What the library calls itself: "OpenSSL 3.0.19 27 Jan 2026".
    pub fn library_version(&self) -> String {
        // SAFETY: any number may be asked for; what comes is static.
        text(unsafe { (self.library_version)(0) })
    }

    /// The protocol of a connection: "TLSv1.3".
    ///
    /// # Safety
    /// `ssl` is an `SSL` of this library.
    pub(super) unsafe fn version(&self, ssl: *const Opaque) -> String {
        // SAFETY: the caller's promise; what comes is static.
        text(unsafe { (self.get_version)(ssl) })
    }

    /// The name of a connection's cipher; empty before there is one.
    ///
    /// # Safety
    /// `ssl` is an `SSL` of this library.
    pub(super) unsafe fn cipher(&self, ssl: *const Opaque) -> String {
        // SAFETY: the caller's promise.
        let cipher = unsafe { (self.get_current_cipher)(ssl) };
        if cipher.is_null() {
            return String::new();
        }
        // SAFETY: a cipher of the library's own; what comes is static.
        text(unsafe { (self.cipher_get_name)(cipher) })
    }

    /// Where a connection reads from and writes to, if it can be told.
    ///
    /// # Safety
    /// `ssl` is an `SSL` of this library.
    pub unsafe fn bios(&self, ssl: Address) -> Option<(Address, Address)> {
        let (get_rbio, get_wbio) = (self.get_rbio?, self.get_wbio?);
        // SAFETY: the caller's promise.
        let (rbio, wbio) = unsafe { (get_rbio(ssl.as_ptr()), get_wbio(ssl.as_ptr())) };
        Some((NonNull::new(rbio)?, NonNull::new(wbio)?))
    }

    /// The context of a connection, if it can be told.
    ///
    /// # Safety
    /// `ssl` is an `SSL` of this library.
    pub unsafe fn context(&self, ssl: Address) -> Option<Address> {
        let get_ssl_ctx = self.get_ssl_ctx?;
        // SAFETY: the caller's promise.
        NonNull::new(unsafe { get_ssl_ctx(ssl.as_ptr()) })
    }

    /// The descriptor that a connection reads from, if there is one and it can be told.
    ///
    /// # Safety
    /// `ssl` is an `SSL` of this library.
    pub unsafe fn descriptor(&self, ssl: Address) -> Option<c_int> {
        let get_fd = self.get_fd?;
        // SAFETY: the caller's promise.
        let fd = unsafe { get_fd(ssl.as_ptr()) };
        (fd >= 0).then_some(fd)
    }

    /// How many bytes wait in a BIO, if it can be told.
    ///
    /// # Safety
    /// `bio` is a memory BIO of this library.
    pub(super) unsafe fn bio_pending(&self, bio: *mut Opaque) -> Option<usize> {
        let count = match (self.bio_ctrl, self.bio_get_mem_data) {
            // SAFETY: the caller's promise; this control takes no argument.
            (Some(control), _) => unsafe { control(bio, PENDING, 0, ptr::null_mut()) },
            (None, Some(memory_of)) => {
                let mut start = ptr::null_mut();
                // SAFETY: the caller's promise; the start of the memory isn't used.
                unsafe { memory_of(bio, &raw mut start) }
            }
            (None, None) => return None,
        };
        usize::try_from(count).ok()
    }
}

/// A copy of static text.
fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: OpenSSL gives null or text that ends.
    unsafe { CStr::from_ptr(start) }
        .to_string_lossy()
        .into_owned()
}
