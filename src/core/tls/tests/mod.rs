//! Unit tests of sessions, with the OpenSSL of the system.
#![allow(unsafe_code)]

mod library;
mod over_socket;
mod pieces;
mod properties;

use std::mem::MaybeUninit;

use super::*;
use library::{End, Library, TLS1_2, TLS1_3};

/// What `fill` puts into room for so many bytes.
fn filled(size: usize, fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    let room = bytes.spare_capacity_mut().get_mut(..size);
    let count = fill(room.expect("so much was asked for"));
    // SAFETY: `fill` has initialized so many.
    unsafe { bytes.set_len(count) };
    bytes
}

/// Reads what there is, and says why there is no more.
fn read(end: &End) -> (Vec<u8>, Option<Outcome>) {
    let mut why = None;
    let data = filled(1 << 20, |room| {
        let (count, ended) = end.session.read(room);
        why = ended;
        count
    });
    (data, why)
}

fn message(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index % 251) as u8).collect()
}

/// Runs a test on a connection of each version.
fn on_each_version(test: impl Fn(End, End)) {
    let Some(library) = Library::find() else {
        return;
    };
    for version in [TLS1_2, TLS1_3] {
        let (client, server) = End::pair(library, version, false);
        assert_eq!(read(&client), (vec![], Some(Outcome::WantRead)));
        test(client, server);
    }
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn data_goes_both_ways() {
    on_each_version(|client, server| {
        for (from, to) in [(&client, &server), (&server, &client)] {
            for part in [b"one".as_slice(), b"two", b"three"] {
                assert_eq!(from.session.write(part), Outcome::Moved(part.len()));
            }
            from.carry(to);
            // Several records at once, and nothing is asked for in vain.
            assert_eq!(read(to), (b"onetwothree".to_vec(), None));
            assert_eq!(read(to), (vec![], Some(Outcome::WantRead)));
        }
        assert_eq!(client.session.description(), server.session.description());
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn more_than_a_record_is_written_and_read_at_once() {
    on_each_version(|client, server| {
        let data = message(300_000);
        assert_eq!(client.session.write(&data), Outcome::Moved(data.len()));
        client.carry(&server);
        assert_eq!(read(&server).0, data);
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn a_context_may_ask_for_partial_writes() {
    let Some(library) = Library::find() else {
        return;
    };
    let (client, server) = End::pair(library, TLS1_3, true);
    let data = message(40_000);
    assert_eq!(client.session.write(&data), Outcome::Moved(16_384));
    client.carry(&server);
    assert_eq!(read(&server).0, message(16_384));
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn room_may_be_smaller_than_a_record() {
    on_each_version(|client, server| {
        client.session.write(b"hello");
        client.session.write(b"world");
        client.carry(&server);
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend(filled(3, |room| server.session.read(room).0));
        }
        assert_eq!(all, b"helloworld");
        assert_eq!(server.session.read(&mut []), (0, None));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn ciphertext_may_be_taken_in_pieces() {
    on_each_version(|client, server| {
        client.session.write(b"hello");
        let waiting = client.session.outgoing_pending().expect("a count");
        let mut data = filled(10, |room| client.session.take(room));
        assert_eq!(client.session.outgoing_pending(), Some(waiting - 10));
        data.extend(client.taken());
        assert_eq!(data.len(), waiting);
        for byte in data {
            assert_eq!(read(&server), (vec![], Some(Outcome::WantRead)));
            server.session.feed(&[byte]).expect("memory");
        }
        assert_eq!(read(&server).0, b"hello");
        assert_eq!(server.session.incoming_pending(), Some(0));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn the_end_is_told_after_what_came_before_it_and_again() {
    on_each_version(|client, server| {
        client.session.write(b"last");
        client.shut_down();
        assert!(client.session.is_shut_down());
        assert!(!server.session.is_shut_down());
        client.carry(&server);
        assert_eq!(read(&server), (b"last".to_vec(), Some(Outcome::Closed)));
        assert_eq!(read(&server), (vec![], Some(Outcome::Closed)));
        assert_eq!(client.session.write(b"more"), Outcome::Failed);
        assert_eq!(server.session.write(b"more"), Outcome::Moved(4));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn garbage_and_altered_records_fail_and_fail_again() {
    on_each_version(|client, server| {
        client.session.write(b"good");
        client.session.write(b"bad");
        let mut data = client.taken();
        if let Some(last) = data.last_mut() {
            *last ^= 1;
        }
        server.session.feed(&data).expect("memory");
        assert_eq!(read(&server), (b"good".to_vec(), Some(Outcome::Failed)));
        assert_eq!(read(&server), (vec![], Some(Outcome::Failed)));
        assert_eq!(server.session.write(b"more"), Outcome::Failed);
        // It has told the client.
        server.carry(&client);
        assert_eq!(read(&client), (vec![], Some(Outcome::Failed)));
    });
    on_each_version(|_, server| {
        server
            .session
            .feed(b"GET / HTTP/1.1\r\n\r\n")
            .expect("memory");
        assert_eq!(read(&server), (vec![], Some(Outcome::Failed)));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn an_end_without_a_word_is_a_failure() {
    on_each_version(|client, server| {
        client.session.write(b"hello");
        client.session.write(b"world");
        let mut data = client.taken();
        data.truncate(data.len() - 3);
        server.session.feed(&data).expect("memory");
        assert_eq!(read(&server), (b"hello".to_vec(), Some(Outcome::WantRead)));
        server.end_input();
        assert_eq!(read(&server), (vec![], Some(Outcome::Failed)));
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn stale_errors_are_forgotten() {
    let Some(library) = Library::find() else {
        return;
    };
    on_each_version(|client, server| {
        End::spoil(library);
        assert_eq!(read(&server), (vec![], Some(Outcome::WantRead)));
        End::spoil(library);
        assert_eq!(client.session.write(b"hello"), Outcome::Moved(5));
        client.carry(&server);
        End::spoil(library);
        assert_eq!(read(&server).0, b"hello");
    });
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn a_renegotiation_blocks_writes_and_passes() {
    let Some(library) = Library::find() else {
        return;
    };
    let (client, server) = End::pair(library, TLS1_2, false);
    server.renegotiate();
    server.carry(&client);
    assert_eq!(read(&client), (vec![], Some(Outcome::WantRead)));
    assert_eq!(client.session.write(b"hello"), Outcome::WantRead);
    for _ in 0..4 {
        client.carry(&server);
        assert_eq!(read(&server), (vec![], Some(Outcome::WantRead)));
        server.carry(&client);
        assert_eq!(read(&client), (vec![], Some(Outcome::WantRead)));
    }
    assert_eq!(client.session.write(b"hello"), Outcome::Moved(5));
    client.carry(&server);
    assert_eq!(read(&server).0, b"hello");
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn keys_may_change() {
    let Some(library) = Library::find() else {
        return;
    };
    let (client, server) = End::pair(library, TLS1_3, false);
    for _ in 0..3 {
        client.update_keys();
        client.session.write(b"question");
        client.carry(&server);
        assert_eq!(read(&server).0, b"question");
        server.session.write(b"answer");
        server.carry(&client);
        assert_eq!(read(&client).0, b"answer");
    }
}

#[test]
#[cfg_attr(miri, ignore = "OpenSSL isn't Rust's")]
fn a_table_needs_its_functions() {
    let Some(library) = Library::find() else {
        return;
    };
    assert!(library.table.library_version().starts_with("OpenSSL "));
    let without = |gone: &'static std::ffi::CStr| {
        // SAFETY: the library's own functions.
        unsafe { Table::find(|name| library.address(name).filter(|_| name != gone)) }
    };
    assert_eq!(without(c"BIO_read").err(), Some(Missing("BIO_read")));
    assert_eq!(
        Missing("BIO_read").to_string(),
        "OpenSSL's BIO_read can't be found"
    );
    assert!(without(c"BIO_ctrl").is_ok());
    assert!(without(c"SSL_get_rbio").is_ok());
}
