//! The event loop without Python: what is watched, what is due, what is ready.
//!
//! Nothing here knows what a callback is. Every container is generic over what
//! it holds and hands removed values back, so that the caller can drop them
//! when no lock is held.

pub mod clock;
pub mod datagrams;
pub mod dotted;
pub mod edge;
pub mod fifo;
pub mod handover;
pub mod histogram;
pub mod http;
pub mod inbox;
pub mod interest;
pub mod lock;
pub mod meter;
pub mod poller;
#[cfg(test)]
mod properties;
pub mod registrations;
pub mod room;
pub mod spin;
pub mod stream;
pub mod sys;
pub mod timers;
pub mod tls;
pub mod waiting;
pub mod websocket;
