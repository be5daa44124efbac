//! Loads a server on this machine, and counts what it gets done; see README.md.
//!
//! One thread, one poll, one line of JSON. What goes wrong ends it with a message
//! and a status other than 0: a figure is never printed for a server that failed.

mod arguments;
mod closes;
mod datagrams;
mod exchanges;
mod frames;
mod handshakes;
mod idle;
mod latencies;
mod meter;
mod page;
mod secured;
mod stream;
mod sys;
mod tls;
mod turns;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use arguments::{Arguments, Mode};
use datagrams::Datagrams;
use exchanges::{Exchanges, Talk};
use handshakes::Handshakes;
use meter::{Counted, Meter};
use turns::{Load, drive, new_poll};

/// How long a server is given to notice that the first connection was closed.
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("load: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    sys::raise_open_files().map_err(|error| format!("no more open files: {error}"))?;
    match arguments.mode {
        Mode::Echo => measure(arguments, |these| {
            count(Exchanges::new(these, Talk::Copies(1))?, these)
        }),
        Mode::Four => measure(arguments, |these| {
            count(Exchanges::new(these, Talk::Copies(4))?, these)
        }),
        Mode::Http => measure(arguments, |these| {
            count(Exchanges::new(these, Talk::Pages)?, these)
        }),
        Mode::Post => measure(arguments, |these| {
            count(Exchanges::new(these, Talk::Bodies)?, these)
        }),
        Mode::Frames => measure(arguments, |these| {
            count(Exchanges::new(these, Talk::Frames)?, these)
        }),
        Mode::Handshake => measure(arguments, |these| count(Handshakes::new(these)?, these)),
        Mode::Close => measure(arguments, closes::count),
        Mode::Udp => measure(arguments, |these| count(Datagrams::new(these)?, these)),
        Mode::Idle => idle::hold(arguments),
    }
}

/// Does one operation on a connection of its own, unless the server is warm, and then,
/// unless that was all, measures.
///
/// The first connection that a process closes makes glibc keep what it gave back
/// to the system before, which about doubles the speed of some servers.
fn measure(
    arguments: &Arguments,
    count: impl Fn(&Arguments) -> Result<Counted, String>,
) -> Result<(), String> {
    if !arguments.warm {
        let first = count(&Arguments {
            connections: 1,
            once: true,
            server: None,
            ..arguments.clone()
        })?;
        if arguments.once {
            println!("{}", first.as_json(arguments));
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    let counted = count(arguments)?;
    println!("{}", counted.as_json(arguments));
    Ok(())
}

fn count(mut load: impl Load, arguments: &Arguments) -> Result<Counted, String> {
    let mut poll = new_poll()?;
    let mut meter = Meter::of(arguments);
    load.begin(poll.registry())?;
    drive(&mut poll, &mut load, &mut meter)?;
    Ok(meter.counted(load.lost()))
}
