//! What the faces' transports share: one stream, whatever it connects. No framework's word
//! is in it; see `stream::Face`.

pub mod addresses;
pub mod buffers;
pub mod owned_bytes;
pub mod read_buffer;
pub mod reading;
pub mod stream;
pub mod tls;
