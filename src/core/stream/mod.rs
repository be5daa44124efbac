//! What a stream decides, without a descriptor or an interpreter.

pub mod send_queue;
