//! What std has no name for: a connection from a chosen address, limits, CPU time.
#![allow(
    unsafe_code,
    reason = "system calls that std has no safe name for; each says why it is sound"
)]

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// How many of this machine's addresses connections are made from.
const SOURCES: usize = 200;

/// The address from which the connection of that number is made.
///
/// One address has some 28,000 ports, and a closed connection keeps its own for a
/// minute; the whole of 127.0.0.0/8 is this machine.
pub fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + (number % SOURCES) as u32)
}

/// Connects from an address; what comes back doesn't block.
pub fn connect(from: Ipv4Addr, to: SocketAddrV4, timeout: Duration) -> io::Result<TcpStream> {
    // SAFETY: takes no pointers.
    let fd = succeeded(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) })?;
    // SAFETY: the descriptor was made here, and nobody else has it.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    // On Linux that is the time limit for connecting, too.
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    choose_port_late(fd)?;
    with_address(SocketAddrV4::new(from, 0), |address, length| {
        // SAFETY: the address is valid for that length, for this call.
        unsafe { libc::bind(fd, address, length) }
    })?;
    with_address(to, |address, length| {
        // SAFETY: the address is valid for that length, for this call.
        unsafe { libc::connect(fd, address, length) }
    })
    .map_err(|error| match error.raw_os_error() {
        Some(libc::EINPROGRESS) => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Has the port chosen when connecting: it only has to be unique for the server.
#[cfg(target_os = "linux")]
fn choose_port_late(fd: RawFd) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the value is valid for the length that is given, for this call.
    succeeded(unsafe {
        libc::setsockopt(
            fd,
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn choose_port_late(_fd: RawFd) -> io::Result<()> {
    Ok(())
}

fn with_address(
    address: SocketAddrV4,
    call: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> libc::c_int,
) -> io::Result<libc::c_int> {
    // SAFETY: the structure is integers only; all zeros is a value of it.
    let mut raw: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    raw.sin_family = libc::AF_INET as libc::sa_family_t;
    raw.sin_port = address.port().to_be();
    raw.sin_addr.s_addr = address.ip().to_bits().to_be();
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    succeeded(call((&raw const raw).cast(), length))
}

/// Allows as many open files as this user may have.
pub fn raise_open_files() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is valid and writable for this call.
    succeeded(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the structure is valid for this call.
    succeeded(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(())
}

/// How long this process has been at work.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure is valid and writable for this call, which can't fail for
    // this clock; if it did, the time would stay 0.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Whether the other side has closed the connection, or sent something.
pub fn was_disturbed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    !matches!(stream.peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn succeeded(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
