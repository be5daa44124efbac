//! What std has no name for: a connection from a chosen address, and limits.
#![allow(
    unsafe_code,
    reason = "system calls that std has no safe name for; each says why it is sound"
)]

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
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
    let stream = bound(from)?;
    // On Linux that is the time limit for connecting, too.
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    if !begin_to_connect(&stream, to)? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Begins to connect from an address; what comes back doesn't block.
pub fn begin_connection(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = bound(from)?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    begin_to_connect(&stream, to)?;
    Ok(stream)
}

/// Begins to connect. Dropping what comes back resets the connection.
///
/// That is less work than closing it, gives its port back at once, and when the server
/// has closed it before, the server doesn't notice.
pub fn connect_briefly(to: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = new_stream(libc::SOCK_NONBLOCK)?;
    let at_once = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set_option(&stream, libc::SOL_SOCKET, libc::SO_LINGER, &at_once)?;
    begin_to_connect(&stream, to)?;
    Ok(stream)
}

/// Has a socket block, or not.
pub fn set_blocking(socket: &impl AsRawFd, blocking: bool) -> io::Result<()> {
    let mut not: libc::c_int = libc::c_int::from(!blocking);
    // SAFETY: the number is valid and writable for this call.
    succeeded(unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONBIO, &raw mut not) }).map(drop)
}

fn new_stream(flags: libc::c_int) -> io::Result<TcpStream> {
    // SAFETY: takes no pointers.
    let fd = succeeded(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | flags, 0) })?;
    // SAFETY: the descriptor was made here, and nobody else has it.
    Ok(TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// A socket with that address.
fn bound(address: Ipv4Addr) -> io::Result<TcpStream> {
    let stream = new_stream(0)?;
    // The port is chosen when connecting, because it has to be unique for that server
    // only.
    let yes: libc::c_int = 1;
    set_option(
        &stream,
        libc::IPPROTO_IP,
        libc::IP_BIND_ADDRESS_NO_PORT,
        &yes,
    )?;
    with_address(SocketAddrV4::new(address, 0), |raw, length| {
        // SAFETY: the address is valid for that length, for this call.
        unsafe { libc::bind(stream.as_raw_fd(), raw, length) }
    })?;
    Ok(stream)
}

/// Whether it is connected already.
fn begin_to_connect(stream: &TcpStream, to: SocketAddrV4) -> io::Result<bool> {
    let result = with_address(to, |raw, length| {
        // SAFETY: the address is valid for that length, for this call.
        unsafe { libc::connect(stream.as_raw_fd(), raw, length) }
    });
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
        Err(error) => Err(error),
    }
}

fn set_option<T>(
    stream: &TcpStream,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the value is valid for its own length, for this call.
    succeeded(unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            level,
            name,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })?;
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

/// Waits until there is something to read; whether there is.
pub fn wait_readable(stream: &TcpStream, limit: Duration) -> io::Result<bool> {
    let mut wanted = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let limit = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the structure is one, valid and writable for this call.
    Ok(succeeded(unsafe { libc::poll(&raw mut wanted, 1, limit) })? > 0)
}

/// Stops a process, or lets it go on.
pub fn pause(process: i32, stopped: bool) -> io::Result<()> {
    let signal = if stopped {
        libc::SIGSTOP
    } else {
        libc::SIGCONT
    };
    // SAFETY: takes no pointers.
    succeeded(unsafe { libc::kill(process, signal) }).map(drop)
}

/// Whether the other side has closed the connection, or sent something.
pub fn was_disturbed(socket: &impl AsRawFd) -> bool {
    let mut byte = [0_u8];
    // SAFETY: the array is valid and writable for its length, for this call.
    let got = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            byte.as_mut_ptr().cast(),
            byte.len(),
            libc::MSG_PEEK,
        )
    };
    got >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
}

fn succeeded(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
