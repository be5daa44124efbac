//! The Tornado face: callbacks, timeouts, descriptor handlers, streams.

mod callback;
mod deadlines;
mod handler;
mod io_loop;
mod streams;
mod timeout;

pub use callback::Callback;
pub use handler::Handler;
pub use io_loop::IOLoop;
pub use streams::{Streams, Watch};
pub use timeout::Timeout;
