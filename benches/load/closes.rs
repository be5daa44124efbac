//! Connections that the server closes as soon as it has accepted them.
//!
//! The kernel connects for a server that doesn't accept; that the server closes is
//! what tells that it was there. A server closes in the order in which it accepts, so
//! they are waited for in that order and without a poll: a connection is at least as much
//! work on this side as on the other, and who is slower here measures this side.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::meter::{Counted, Meter};
use crate::sys::{connect_briefly, pause, wait_readable};

/// How long is waited before the meter is asked whether that was too long.
const A_WHILE: Duration = Duration::from_millis(100);

/// Makes so many connections at a time, and a new one for each that the server closes.
pub fn count(arguments: &Arguments) -> Result<Counted, String> {
    if let Some(server) = arguments.server {
        return count_bursts(arguments, server);
    }
    let mut meter = Meter::of(arguments);
    let mut streams = VecDeque::with_capacity(arguments.connections);
    while meter.goes_on()? {
        while streams.len() < arguments.connections {
            streams.push_back(connect(arguments.to)?);
        }
        let Some(mut oldest) = streams.pop_front() else {
            break;
        };
        if is_closed(&mut oldest)? || is_closed_soon(&mut oldest, &mut meter)? {
            drop(oldest);
            meter.add(1);
        } else {
            streams.push_front(oldest);
        }
    }
    Ok(meter.counted(0))
}

/// Makes so many connections while the server is stopped, has it close them all, and
/// begins anew: it never waits for this side then.
fn count_bursts(arguments: &Arguments, server: i32) -> Result<Counted, String> {
    let stop = |stopped| pause(server, stopped).map_err(|error| format!("the server: {error}"));
    let mut meter = Meter::of(arguments);
    while meter.goes_on()? {
        stop(true)?;
        let made: Result<VecDeque<_>, String> = (0..arguments.connections)
            .map(|_| connect(arguments.to))
            .collect();
        stop(false)?;
        for mut stream in made? {
            while !is_closed(&mut stream)? && !is_closed_soon(&mut stream, &mut meter)? {
                meter.goes_on()?;
            }
            meter.add(1);
        }
    }
    Ok(meter.counted(0))
}

fn connect(to: SocketAddrV4) -> Result<TcpStream, String> {
    connect_briefly(to).map_err(|error| format!("connection to {to}: {error}"))
}

/// Whether the server has closed it.
fn is_closed(stream: &mut TcpStream) -> Result<bool, String> {
    match stream.read(&mut [0; 16]) {
        Ok(0) => Ok(true),
        Ok(_) => Err("the server said something".into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(format!("the server didn't close properly: {error}")),
    }
}

/// Whether the server closes it in a while.
fn is_closed_soon(stream: &mut TcpStream, meter: &mut Meter) -> Result<bool, String> {
    let begin = Instant::now();
    let readable = wait_readable(stream, A_WHILE);
    meter.wait(begin.elapsed());
    match readable {
        Ok(true) => is_closed(stream),
        Ok(false) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(format!("poll: {error}")),
    }
}
