//! Connections that are open, and no more.

use std::io::{self, Read};
use std::net::TcpStream;

use crate::arguments::Arguments;
use crate::sys::{connect, source, was_disturbed};

/// Opens the connections, says so, and closes them when its input ends.
///
/// Not all of them may have been accepted when it says so: the kernel connects first.
pub fn hold(arguments: &Arguments) -> Result<(), String> {
    let streams = (0..arguments.connections)
        .map(|index| {
            connect(source(index), arguments.to, arguments.timeout)
                .map_err(|error| format!("connection {index} to {}: {error}", arguments.to))
        })
        .collect::<Result<Vec<TcpStream>, String>>()?;
    println!("{{\"mode\": \"idle\", \"connections\": {}}}", streams.len());
    io::stdin()
        .read_to_end(&mut Vec::new())
        .map_err(|error| format!("no input: {error}"))?;
    match streams
        .iter()
        .filter(|stream| was_disturbed(stream))
        .count()
    {
        0 => Ok(()),
        count => Err(format!(
            "the server did something to {count} idle connections"
        )),
    }
}
