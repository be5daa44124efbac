//! The Twisted face: delayed calls, calls from threads, descriptors.

mod accept;
mod checks;
mod datagram;
mod delayed_call;
mod descriptors;
mod disconnect;
mod lazy;
mod log_context;
mod own_clock;
mod reactor;
mod rounds;
pub mod selectable;
pub mod stream;
mod thread_call;
mod tls;

pub use accept::accept_connections;
pub use datagram::DatagramTransport;
pub use delayed_call::{DelayedCall, Note};
pub use lazy::Lazy;
pub use reactor::Reactor;
pub use selectable::Selectable;
pub use stream::{Replaceable, StreamTransport};
pub use thread_call::ThreadCall;
pub use tls::TLSLayer;
