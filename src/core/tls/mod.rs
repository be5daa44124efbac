//! A TLS connection of somebody else's OpenSSL, driven by the address of its functions.
//!
//! Nothing is linked: a process may hold several libraries of OpenSSL (CPython's `ssl` has
//! one, `cryptography` another), and a connection must be driven by the functions of its
//! own. Whoever knows where those are makes a `Table` of them, once for each library.

mod over_socket;
mod session;
mod table;

pub use over_socket::{Moved, OverSocket};
pub use session::{Outcome, RECORD, Session};
pub use table::{Address, Missing, Table};

#[cfg(test)]
mod tests;
