//! The loop: its state, one turn of it, how it waits, and the clock it follows.

pub mod clock;
mod hooks;
mod state;
pub mod turn;
mod wait;

pub use state::EventLoop;
