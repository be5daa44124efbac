//! The loop: its state, one turn of it, how it waits, and the clock it follows.

pub mod clock;
pub mod current;
pub mod flush;
mod forked;
pub mod guest;
mod hooks;
pub mod measuring;
mod state;
mod timers;
mod transports;
pub mod turn;
mod wait;
mod watching;

pub use state::EventLoop;
