//! The asyncio face: handles, and the loop's methods in asyncio's names.

mod handle;
mod methods;
mod readers;
mod timer_handle;

pub use super::event_loop::EventLoop;
pub use handle::Handle;
pub use timer_handle::TimerHandle;
