//! What the faces' transports share. No framework's word is in it.

pub mod read_buffer;
