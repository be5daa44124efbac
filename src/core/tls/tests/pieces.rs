//! What is long goes through a session piece by piece.

use super::library::{End, Library, TLS1_2, TLS1_3};
use super::*;

/// `Session::feed_and_read`.
fn fed(end: &End, data: &[u8], size: usize) -> (Vec<u8>, Option<Outcome>) {
    let mut why = None;
    let read = filled(size, |room| {
        let (count, ended) = end.session.feed_and_read(data, room).expect("memory");
        why = ended;
        count
    });
    (read, why)
}

/// `Session::write_and_take`.
fn sealed(end: &End, data: &[u8], size: usize) -> (Vec<u8>, usize, Option<Outcome>) {
    let mut outcome = (0, None);
    let sealed = filled(size, |room| {
        let (count, written) = end.session.write_and_take(data, room);
        outcome = written;
        count
    });
    (sealed, outcome.0, outcome.1)
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn long_messages_arrive() {
    on_each_version(|client, server| {
        for size in [1, RECORD - 1, RECORD, RECORD + 1, 100_000, 300_000] {
            let data = message(size);
            let (ciphertext, count, ended) = sealed(&client, &data, 1 << 20);
            assert_eq!((count, ended), (size, None));
            assert_eq!(client.session.outgoing_pending(), Some(0));
            assert_eq!(fed(&server, &ciphertext, 1 << 20).0, data);
            assert_eq!(server.session.incoming_pending(), Some(0));
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn what_there_is_no_room_for_waits() {
    on_each_version(|client, server| {
        let data = message(100_000);
        let (mut ciphertext, count, ended) = sealed(&client, &data, 20_000);
        assert_eq!((ciphertext.len(), count, ended), (20_000, 100_000, None));
        ciphertext.extend(client.taken());
        let (mut plaintext, ended) = fed(&server, &ciphertext, 20_000);
        assert_eq!((plaintext.len(), ended), (20_000, None));
        plaintext.extend(read(&server).0);
        assert_eq!(plaintext, data);
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn ciphertext_may_end_and_go_on_anywhere() {
    on_each_version(|client, server| {
        let data = message(120_000);
        let ciphertext = sealed(&client, &data, 1 << 20).0;
        let mut plaintext = Vec::new();
        for piece in ciphertext.chunks(33_333) {
            plaintext.extend(fed(&server, piece, 1 << 20).0);
        }
        assert_eq!(plaintext, data);
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn an_end_and_a_failure_are_told_and_nothing_is_left_behind() {
    on_each_version(|client, server| {
        let mut ciphertext = sealed(&client, &message(40_000), 1 << 20).0;
        client.shut_down();
        ciphertext.extend(client.taken());
        let closed = (message(40_000), Some(Outcome::Closed));
        assert_eq!(fed(&server, &ciphertext, 1 << 20), closed);
    });
    on_each_version(|client, server| {
        let mut ciphertext = sealed(&client, &message(RECORD), 1 << 20).0;
        let first = ciphertext.len();
        ciphertext.extend(sealed(&client, &message(80_000), 1 << 20).0);
        ciphertext[first + 100] ^= 1;
        let failed = (message(RECORD), Some(Outcome::Failed));
        assert_eq!(fed(&server, &ciphertext, 1 << 20), failed);
        // As if it had all been there when the altered record was read.
        let rest = server.session.incoming_pending().expect("a count");
        assert!(rest > 60_000, "{rest}");
        assert_eq!(sealed(&server, &message(80_000), 1 << 20).1, 0);
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn a_renegotiation_blocks_a_long_write() {
    let Some(library) = Library::find() else {
        return;
    };
    let (client, server) = End::pair(library, TLS1_2, false);
    server.renegotiate();
    server.carry(&client);
    assert_eq!(read(&client), (vec![], Some(Outcome::WantRead)));
    let (ciphertext, count, ended) = sealed(&client, &message(40_000), 1 << 20);
    assert_eq!(
        (ciphertext.len(), count, ended),
        (0, 0, Some(Outcome::WantRead))
    );
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn keys_may_change_before_a_long_message() {
    let Some(library) = Library::find() else {
        return;
    };
    let (client, server) = End::pair(library, TLS1_3, false);
    let mut ciphertext = sealed(&client, &message(40_000), 1 << 20).0;
    client.update_keys();
    ciphertext.extend(sealed(&client, &message(40_000), 1 << 20).0);
    let both = [message(40_000), message(40_000)].concat();
    assert_eq!(fed(&server, &ciphertext, 1 << 20).0, both);
}
