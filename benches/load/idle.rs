//! Connections that are open, and no more.

use std::io::{self, Read};

use crate::arguments::Arguments;
use crate::exchanges::{Exchanges, Talk};
use crate::meter::Meter;
use crate::stream::{Opener, Stream};
use crate::sys::was_disturbed;
use crate::turns::{Load, drive, new_poll};

/// Opens the connections, says so, and closes them when its input ends.
///
/// Without TLS not all of them may have been accepted when it says so: the kernel connects
/// first. With it each has had one message come back, so what follows a handshake is over.
pub fn hold(arguments: &Arguments) -> Result<(), String> {
    let streams = if arguments.tls.is_some() {
        used(arguments)?
    } else {
        let opener = Opener::new(arguments)?;
        (0..arguments.connections)
            .map(|index| opener.open(index))
            .collect::<Result<_, String>>()?
    };
    println!("{{\"mode\": \"idle\", \"connections\": {}}}", streams.len());
    io::stdin()
        .read_to_end(&mut Vec::new())
        .map_err(|error| format!("no input: {error}"))?;
    match streams
        .iter()
        .filter(|stream| was_disturbed(*stream))
        .count()
    {
        0 => Ok(()),
        count => Err(format!(
            "the server did something to {count} idle connections"
        )),
    }
}

/// Connections that have each had a message come back.
fn used(arguments: &Arguments) -> Result<Vec<Stream>, String> {
    let mut exchanges = Exchanges::new(arguments, Talk::Copies(1))?.once_each();
    let mut poll = new_poll()?;
    let mut meter = Meter::until(arguments, arguments.connections);
    exchanges.begin(poll.registry())?;
    drive(&mut poll, &mut exchanges, &mut meter)?;
    Ok(exchanges.into_streams())
}
