//! Unit tests of the socket calls, on real sockets.
#![allow(unsafe_code)]

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::*;

fn room<const N: usize>() -> [MaybeUninit<u8>; N] {
    [MaybeUninit::new(0); N]
}

fn bytes(filled: &[MaybeUninit<u8>]) -> Vec<u8> {
    // SAFETY: `room` has initialized all of them.
    filled
        .iter()
        .map(|byte| unsafe { byte.assume_init() })
        .collect()
}

fn accept_peer(fd: RawFd) -> io::Result<(OwnedFd, Peer)> {
    Accepting::new(fd).next(fd)
}

fn accept(fd: RawFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    accept_peer(fd).map(|(socket, peer)| (socket, peer.internet()))
}

fn pair(address: &str) -> (OwnedFd, TcpStream, Option<SocketAddr>) {
    let listener = TcpListener::bind(address).expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let (socket, from) = accept(listener.as_raw_fd()).expect("accept");
    (socket, peer, from)
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn an_accepted_socket_knows_its_ends_and_does_not_block() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (socket, mut peer, from) = pair(address);
        let fd = socket.as_raw_fd();
        assert_eq!(from, peer.local_addr().ok());
        let local = local_address(fd).expect("getsockname");
        assert_eq!(local, peer.peer_addr().ok());
        let mut buffer = room::<8>();
        let error = receive(fd, &mut buffer).expect_err("nothing is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        peer.write_all(b"abc").expect("write");
        assert_eq!(receive(fd, &mut buffer).ok(), Some(3));
        assert_eq!(bytes(&buffer[..3]), b"abc");
        drop(peer);
        assert_eq!(receive(fd, &mut buffer).ok(), Some(0));
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn the_own_end_of_what_will_be_accepted() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).expect("a listener");
        let known = local_address_of_accepted(listener.as_raw_fd());
        assert_eq!(known, listener.local_addr().ok());
    }
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        let listener = TcpListener::bind(address).expect("a listener");
        assert_eq!(local_address_of_accepted(listener.as_raw_fd()), None);
    }
    assert_eq!(local_address_of_accepted(-1), None);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn slices_are_sent_in_order() {
    let (socket, mut peer, _) = pair("127.0.0.1:0");
    let slices = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(send_vectored(socket.as_raw_fd(), &slices).ok(), Some(7));
    drop(socket);
    let mut received = String::new();
    peer.read_to_string(&mut received).expect("read");
    assert_eq!(received, "one two");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_listener_without_a_client_would_block() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    // Whether it is blocking or not.
    for nonblocking in [false, true] {
        listener.set_nonblocking(nonblocking).expect("a mode");
        let fd = listener.as_raw_fd();
        let error = accept(fd).expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        for count in [1, 2, 3] {
            let to = listener.local_addr().expect("an address");
            let connect = |_| TcpStream::connect(to).expect("connect");
            let peers: Vec<_> = (0..count).map(connect).collect();
            let mut accepting = Accepting::new(fd);
            for _ in peers {
                accepting.next(fd).expect("accept");
            }
            let error = accepting.next(fd).expect_err("nobody is there");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn what_listens_to_nothing_is_an_error() {
    let file = std::fs::File::open("/dev/null").expect("a file");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let errno = |fd| accept(fd).map_err(|error| error.raw_os_error()).err();
    assert_eq!(errno(-1), Some(Some(libc::EBADF)));
    assert_eq!(errno(file.as_raw_fd()), Some(Some(libc::ENOTSOCK)));
    // Such a one is never ready for it.
    let kind = accept(datagrams.as_raw_fd()).map_err(|error| error.kind());
    assert_eq!(kind.err(), Some(ErrorKind::WouldBlock));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn a_reset_is_seen_by_the_peer() {
    let (socket, mut peer, _) = pair("127.0.0.1:0");
    reset_on_close(socket.as_raw_fd());
    drop(socket);
    let error = peer.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn datagrams_carry_their_sender() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (one, other) = (UdpSocket::bind(address), UdpSocket::bind(address));
        let (one, other) = (one.expect("bind"), other.expect("bind"));
        let to = other.local_addr().expect("an address");
        assert_eq!(send_to(one.as_raw_fd(), b"abc", &to).ok(), Some(3));
        let mut buffer = room::<2>();
        let (count, from) = receive_from(other.as_raw_fd(), &mut buffer).expect("receive");
        let one = one.local_addr().expect("an address");
        assert_eq!((count, from), (2, Peer::Internet(one)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn unix_datagrams_carry_their_sender_too() {
    let directory = std::env::temp_dir().join(format!("tornado4-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (path, other) = (directory.join("one"), directory.join("other"));
    let one = UnixDatagram::bind(&path).expect("bind");
    let other = (UnixDatagram::bind(&other).expect("bind"), other);
    let to = LocalAddress::new(other.1.as_os_str().as_bytes()).expect("an address");
    assert_eq!(send_to_path(one.as_raw_fd(), b"abc", &to).ok(), Some(3));
    let nameless = UnixDatagram::unbound().expect("a socket");
    assert_eq!(send_to_path(nameless.as_raw_fd(), b"d", &to).ok(), Some(1));
    let mut buffer = room::<2>();
    let mut next = || receive_from(other.0.as_raw_fd(), &mut buffer).expect("receive");
    assert_eq!(
        next(),
        (2, Peer::Path(path.as_os_str().as_bytes().to_vec()))
    );
    assert_eq!(next(), (1, Peer::Nobody));
    std::fs::remove_dir_all(&directory).expect("remove");
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn abstract_names_may_be_of_any_bytes() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("\0tornado4\0{}", std::process::id()).into_bytes();
    let address = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
    let bound = UnixDatagram::bind_addr(&address).expect("bind");
    let address = LocalAddress::new(&name).expect("an address");
    assert_eq!(
        send_to_path(bound.as_raw_fd(), b"abc", &address).ok(),
        Some(3)
    );
    let received = receive_from(bound.as_raw_fd(), &mut room::<8>()).expect("receive");
    assert_eq!(received, (3, Peer::Abstract(name)));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn what_cannot_be_the_path_of_a_socket() {
    for path in [&b""[..], b"a\0b", &[b'x'; 108], &[b'x'; 4000]] {
        assert!(LocalAddress::new(path).is_none());
    }
    assert!(LocalAddress::new(&[b'x'; 100]).is_some());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn descriptors_come_with_data() {
    let (one, other) = UnixStream::pair().expect("a socket pair");
    (&one).write_all(b"plain").expect("write");
    let mut buffer = room::<8>();
    let received = receive_ancillary(other.as_raw_fd(), &mut buffer).expect("receive");
    assert_eq!((received.0, received.1.len()), (5, 0));
    other.set_nonblocking(true).expect("non-blocking");
    let error = receive_ancillary(other.as_raw_fd(), &mut buffer).expect_err("nothing");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn options_are_set_and_read() {
    let (socket, _peer, _) = pair("127.0.0.1:0");
    let fd = socket.as_raw_fd();
    let (level, name) = (libc::SOL_SOCKET, libc::SO_KEEPALIVE);
    assert_eq!(option(fd, level, name).ok(), Some(0));
    set_option(fd, level, name, 1).expect("set");
    assert_eq!(option(fd, level, name).ok(), Some(1));
    assert!(option(-1, level, name).is_err());
    assert!(set_option(-1, level, name, 1).is_err());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system calls")]
fn who_has_connected_to_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("tornado4-accept-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("s");
    let listener = UnixListener::bind(&path).expect("a listener");
    let peer = UnixStream::connect(&path).expect("connect");
    let (socket, from) = accept_peer(listener.as_raw_fd()).expect("accept");
    assert_eq!(from, Peer::Path(Vec::new()));
    let local = local_end(socket.as_raw_fd()).expect("getsockname");
    assert_eq!(local, Peer::Path(path.as_os_str().as_bytes().to_vec()));
    drop(peer);
    std::fs::remove_dir_all(&folder).expect("remove");
}
