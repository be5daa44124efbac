//! The Tornado face: callbacks, timeouts, descriptor handlers, streams, HTTP/1, WebSocket.

mod callback;
mod deadlines;
mod handler;
mod http;
mod io_loop;
mod streams;
mod timeout;
mod websocket;

pub use callback::Callback;
pub use handler::Handler;
pub use http::{Expired, Http, HttpFunction, Passed};
pub use io_loop::IOLoop;
pub use streams::{Streams, Watch};
pub use timeout::Timeout;
pub use websocket::{Receiving, WebSocket, Written};
