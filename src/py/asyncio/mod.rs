//! The asyncio face: handles, and the loop's methods in asyncio's names.

mod coroutine;
mod datagram;
mod driven;
mod handle;
mod methods;
mod pipes;
mod readers;
mod task_maker;
mod tasks;
mod timer_handle;
mod tls;
mod transport;

pub use crate::py::event_loop::EventLoop;
pub use coroutine::Coroutine;
pub use datagram::DatagramEndpoint;
pub use handle::Handle;
pub use pipes::{ReadPipe, WritePipe};
pub use task_maker::TaskMaker;
pub use timer_handle::TimerHandle;
pub use tls::Tls;
pub use transport::{Acceptor, SocketTransport, Step};
