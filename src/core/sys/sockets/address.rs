//! Socket addresses as the kernel has them, and as Rust has them.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::ptr;

#[allow(clippy::cast_possible_truncation)]
pub(super) fn socklen<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

/// A socket address as the kernel reads and writes it.
pub(super) struct Address {
    pub(super) storage: libc::sockaddr_storage,
    pub(super) len: libc::socklen_t,
}

impl Address {
    #[allow(clippy::cast_possible_truncation)]
    pub(super) const CAPACITY: libc::socklen_t =
        mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;

    pub(super) fn empty() -> Address {
        Address {
            // SAFETY: all zeros is a valid sockaddr_storage.
            storage: unsafe { mem::zeroed() },
            len: Self::CAPACITY,
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of(address: &SocketAddr) -> Address {
        let mut this = Address::empty();
        match address {
            SocketAddr::V4(v4) => {
                // SAFETY: all zeros is a valid sockaddr_in.
                let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
                raw.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                // SAFETY: sockaddr_storage is large enough, and aligned, for any
                // address.
                unsafe { ptr::write((&raw mut this.storage).cast(), raw) };
                this.len = socklen::<libc::sockaddr_in>();
            }
            SocketAddr::V6(v6) => {
                // SAFETY: all zeros is a valid sockaddr_in6.
                let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
                raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.sin6_port = v6.port().to_be();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                raw.sin6_flowinfo = v6.flowinfo();
                raw.sin6_scope_id = v6.scope_id();
                // SAFETY: as above.
                unsafe { ptr::write((&raw mut this.storage).cast(), raw) };
                this.len = socklen::<libc::sockaddr_in6>();
            }
        }
        this
    }

    pub(super) fn get(&self) -> Option<SocketAddr> {
        match libc::c_int::from(self.storage.ss_family) {
            libc::AF_INET if self.len >= socklen::<libc::sockaddr_in>() => {
                // SAFETY: the family says that this is a sockaddr_in, and the
                // length that it is whole.
                let raw: libc::sockaddr_in = unsafe { ptr::read((&raw const self.storage).cast()) };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                let port = u16::from_be(raw.sin_port);
                Some(SocketAddr::V4(SocketAddrV4::new(ip, port)))
            }
            libc::AF_INET6 if self.len >= socklen::<libc::sockaddr_in6>() => {
                // SAFETY: likewise a whole sockaddr_in6.
                let raw: libc::sockaddr_in6 =
                    unsafe { ptr::read((&raw const self.storage).cast()) };
                Some(SocketAddr::V6(SocketAddrV6::new(
                    Ipv6Addr::from(raw.sin6_addr.s6_addr),
                    u16::from_be(raw.sin6_port),
                    raw.sin6_flowinfo,
                    raw.sin6_scope_id,
                )))
            }
            _ => None,
        }
    }

    /// Whose it is.
    pub(super) fn peer(&self) -> Peer {
        if let Some(internet) = self.get() {
            return Peer::Internet(internet);
        }
        let family = libc::c_int::from(self.storage.ss_family);
        if family != libc::AF_UNIX || self.len == 0 {
            return Peer::Nobody;
        }
        // SAFETY: sockaddr_storage is large enough, and aligned, for any address; the
        // family says which one it is, and all of it has been written.
        let raw: libc::sockaddr_un = unsafe { ptr::read((&raw const self.storage).cast()) };
        let path = raw.sun_path.map(c_char_to_byte);
        let len = (self.len as usize).saturating_sub(PATH_OFFSET);
        let path = path.get(..len).unwrap_or(&path);
        if ABSTRACT && path.first() == Some(&0) {
            return Peer::Abstract(path.to_vec());
        }
        let path = path.split(|byte| *byte == 0).next();
        Peer::Path(path.unwrap_or_default().to_vec())
    }
}

/// Whose address it is: who sent a datagram, who has connected.
#[derive(Debug, PartialEq, Eq)]
pub enum Peer {
    /// A socket with an Internet address.
    Internet(SocketAddr),
    /// A UNIX socket in the file system.
    Path(Vec<u8>),
    /// A UNIX socket with a name that isn't in the file system, which starts with NUL.
    Abstract(Vec<u8>),
    /// A socket that has no name.
    Nobody,
}

impl Peer {
    /// The Internet address, if it is one.
    #[must_use]
    pub fn internet(self) -> Option<SocketAddr> {
        match self {
            Peer::Internet(address) => Some(address),
            _ => None,
        }
    }
}

/// Where a UNIX socket is.
pub struct LocalAddress(pub(super) Address);

impl LocalAddress {
    /// The address with this path, or with this abstract name, which starts with NUL;
    /// `None` if it can't be one.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    pub fn new(path: &[u8]) -> Option<LocalAddress> {
        // SAFETY: all zeros is a valid sockaddr_un.
        let mut raw: libc::sockaddr_un = unsafe { mem::zeroed() };
        let room = match path.first()? {
            0 if ABSTRACT => raw.sun_path.len(),
            // The NUL at the end of a path counts too.
            _ if path.contains(&0) => return None,
            _ => raw.sun_path.len() - 1,
        };
        if path.len() > room {
            return None;
        }
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in raw.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        let mut address = Address::empty();
        // SAFETY: sockaddr_storage is large enough, and aligned, for any address.
        unsafe { ptr::write((&raw mut address.storage).cast(), raw) };
        address.len = (PATH_OFFSET + path.len()) as libc::socklen_t;
        Some(LocalAddress(address))
    }
}

/// Where a connection's own end is, if it is an Internet one.
///
/// # Errors
/// Those of getsockname(2).
pub fn local_address(fd: RawFd) -> io::Result<Option<SocketAddr>> {
    local_end(fd).map(Peer::internet)
}

/// Where the own end of whatever a listening socket accepts is, if that is known beforehand:
/// it listens at one address, and nothing else is diverted to it.
#[must_use]
pub fn local_address_of_accepted(listening: RawFd) -> Option<SocketAddr> {
    let local = local_address(listening).ok()??;
    // The IPv6 form of IPv4's, too.
    let everywhere = local.ip().to_canonical().is_unspecified();
    let known = !everywhere && !super::takes_others(listening);
    known.then_some(local)
}

/// Where a socket's own end is.
///
/// # Errors
/// Those of getsockname(2).
pub fn local_end(fd: RawFd) -> io::Result<Peer> {
    let mut address = Address::empty();
    // SAFETY: `address` is valid for writes of the given length.
    let outcome =
        unsafe { libc::getsockname(fd, (&raw mut address.storage).cast(), &raw mut address.len) };
    if outcome == 0 {
        Ok(address.peer())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether there are names outside of the file system.
const ABSTRACT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Where the path starts in an address.
const PATH_OFFSET: usize = mem::offset_of!(libc::sockaddr_un, sun_path);

#[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
fn c_char_to_byte(byte: libc::c_char) -> u8 {
    byte as u8
}
