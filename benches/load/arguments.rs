//! What the command line asks for.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::tls::Version;

const USAGE: &str = "usage: load echo|four|http|post|ws|handshake|close|udp|idle PORT|PATH \
    [--connections N] [--size BYTES] [--seconds S] [--warm-up S] [--timeout S] [--once] [--warm] \
    [--tls 1.2|1.3] [--server PID]";

/// What is done with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A message comes back.
    Echo,
    /// A message comes back four times.
    Four,
    /// A page is asked for; the connection stays.
    Http,
    /// A body is sent to a page, and comes back; the connection stays.
    Post,
    /// A WebSocket message comes back.
    Frames,
    /// A TLS connection is made, a message comes back, and both sides close it.
    Handshake,
    /// The server closes each connection that it accepts.
    Close,
    /// A datagram comes back.
    Udp,
    /// Connections are open, and nothing is said.
    Idle,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// What is done.
    pub mode: Mode,
    /// The word for it.
    pub name: String,
    /// The server.
    pub to: SocketAddrV4,
    /// Where its UNIX socket is, if it has one instead.
    pub path: Option<PathBuf>,
    /// How many connections, or datagrams under way.
    pub connections: usize,
    /// How long a message is.
    pub size: usize,
    /// How long is measured.
    pub seconds: Duration,
    /// How long the server works before that.
    pub warm_up: Duration,
    /// How long a server may take for a connection, or say nothing at all.
    pub timeout: Duration,
    /// Whether one operation is enough.
    pub once: bool,
    /// Whether the server has had its first connection.
    pub warm: bool,
    /// The version of TLS, if it is spoken.
    pub tls: Option<Version>,
    /// The server's process, to be stopped until all connections wait for it.
    pub server: Option<i32>,
}

impl Arguments {
    /// Understands the command line.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words;
        let name = words.next().ok_or(USAGE)?;
        let mode = match name.as_str() {
            "echo" => Mode::Echo,
            "four" => Mode::Four,
            "http" => Mode::Http,
            "post" => Mode::Post,
            "ws" => Mode::Frames,
            "handshake" => Mode::Handshake,
            "close" => Mode::Close,
            "udp" => Mode::Udp,
            "idle" => Mode::Idle,
            _ => return Err(USAGE.into()),
        };
        let place = words.next();
        let path = place
            .as_deref()
            .filter(|word| word.starts_with('/'))
            .map(PathBuf::from);
        let port = match path {
            Some(_) => 0,
            None => number(place, "the port")?,
        };
        let mut arguments = Self {
            mode,
            name,
            to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
            path,
            connections: 50,
            size: 1_000,
            seconds: Duration::from_secs(1),
            warm_up: Duration::from_millis(200),
            timeout: Duration::from_secs(5),
            once: false,
            warm: false,
            tls: None,
            server: None,
        };
        while let Some(word) = words.next() {
            if word == "--once" {
                arguments.once = true;
                continue;
            }
            if word == "--warm" {
                arguments.warm = true;
                continue;
            }
            let value = words.next();
            match word.as_str() {
                "--connections" => arguments.connections = number(value, &word)?,
                "--server" => arguments.server = Some(number(value, &word)?),
                "--tls" => arguments.tls = Some(version(value.as_deref())?),
                "--size" => arguments.size = number(value, &word)?,
                "--seconds" => arguments.seconds = duration(value, &word)?,
                "--warm-up" => arguments.warm_up = duration(value, &word)?,
                "--timeout" => arguments.timeout = duration(value, &word)?,
                _ => return Err(USAGE.into()),
            }
        }
        if arguments.path.is_some() && !matches!(mode, Mode::Echo | Mode::Four | Mode::Http) {
            return Err(format!("{} isn't for a UNIX socket", arguments.name));
        }
        if arguments.tls.is_some() && matches!(mode, Mode::Close | Mode::Udp | Mode::Frames) {
            return Err(format!("{} isn't for TLS", arguments.name));
        }
        if arguments.connections == 0 || arguments.size == 0 {
            return Err("neither connections nor bytes may be none".into());
        }
        Ok(arguments)
    }
}

fn number<N: FromStr>(word: Option<String>, what: &str) -> Result<N, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("{what} must be a number\n{USAGE}"))
}

fn version(word: Option<&str>) -> Result<Version, String> {
    match word {
        Some("1.2") => Ok(Version::Tls12),
        Some("1.3") => Ok(Version::Tls13),
        _ => Err(format!("TLS is 1.2 or 1.3\n{USAGE}")),
    }
}

fn duration(word: Option<String>, what: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(word, what)?).map_err(|error| format!("{what}: {error}"))
}
