//! The Twisted face: delayed calls, calls from threads, descriptors.

mod delayed_call;
mod log_context;
mod reactor;
mod selectable;
mod thread_call;

pub use delayed_call::DelayedCall;
pub use reactor::Reactor;
pub use selectable::Selectable;
pub use thread_call::ThreadCall;
