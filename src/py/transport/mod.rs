//! What the faces' transports share. No framework's word is in it.

pub mod addresses;
pub mod buffers;
pub mod read_buffer;
