//! `OverSocket`, over memory BIOs instead of a socket: it doesn't know the difference.

use super::library::End;
use super::{OverSocket, filled, message, on_each_version};
use crate::core::tls::Moved;

fn read(end: &End, size: usize) -> (Vec<u8>, Moved) {
    let mut moved = Moved::Failed;
    let data = filled(size, |room| {
        moved = over(end).read(room);
        match moved {
            Moved::Bytes(count) => count,
            _ => 0,
        }
    });
    (data, moved)
}

fn over(end: &End) -> OverSocket {
    end.over_socket()
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn a_record_at_a_time_is_read() {
    on_each_version(|client, server| {
        assert_eq!(over(&client).write(b"one"), Moved::Bytes(3));
        assert_eq!(over(&client).write(b"two"), Moved::Bytes(3));
        client.carry(&server);
        assert_eq!(read(&server, 2), (b"on".to_vec(), Moved::Bytes(2)));
        assert_eq!(read(&server, 9), (b"e".to_vec(), Moved::Bytes(1)));
        assert_eq!(read(&server, 9), (b"two".to_vec(), Moved::Bytes(3)));
        assert_eq!(read(&server, 9), (vec![], Moved::WantRead));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn everything_is_written_at_once() {
    on_each_version(|client, server| {
        let data = message(100_000);
        assert_eq!(over(&client).write(&data), Moved::Bytes(data.len()));
        client.carry(&server);
        let mut came = Vec::new();
        while let (part, Moved::Bytes(_)) = read(&server, 1 << 20) {
            came.extend(part);
        }
        assert_eq!(came, data);
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn an_end_fails_each_time() {
    on_each_version(|client, server| {
        client.shut_down();
        client.carry(&server);
        for _ in 0..2 {
            assert_eq!(read(&server, 9), (vec![], Moved::Failed));
        }
    });
}
