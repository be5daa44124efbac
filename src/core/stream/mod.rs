//! What a stream decides, without an interpreter.

pub mod read_budget;
pub mod send_queue;
pub mod write_buffer;
