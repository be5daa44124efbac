//! The Tornado face: callbacks, timeouts and descriptor handlers.

mod callback;
mod deadlines;
mod handler;
mod io_loop;
mod timeout;

pub use callback::Callback;
pub use handler::Handler;
pub use io_loop::IOLoop;
pub use timeout::Timeout;
