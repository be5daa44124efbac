//! As much of WebSocket as it takes to have messages echoed.

use std::io::{self, Read, Write};

use crate::stream::Stream;
use crate::sys::set_blocking;

/// A whole message, of binary data.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
/// Of zeros, so that what is sent is the payload itself. Whoever unmasks doesn't know.
const MASK: [u8; 4] = [0; 4];

/// A client's message, and what a server says that sends it back.
pub fn message_and_echo(payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let length = match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => vec![length as u8],
        Ok(length) => [&[126], &length.to_be_bytes()[..]].concat(),
        Err(_) => [&[127], &(payload.len() as u64).to_be_bytes()[..]].concat(),
    };
    let echo = [&[BINARY], &length[..], payload].concat();
    let mut masked = length;
    if let Some(first) = masked.first_mut() {
        *first |= MASKED;
    }
    ([&[BINARY], &masked[..], &MASK, payload].concat(), echo)
}

/// Asks the server for WebSocket on this connection.
pub fn upgrade(stream: &mut Stream) -> io::Result<()> {
    set_blocking(stream, true)?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut head = Vec::new();
    let mut byte = [0; 1];
    // Nothing follows before something is sent, so it may be slow.
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Err(io::Error::other("the server doesn't speak WebSocket"));
    }
    set_blocking(stream, false)
}
