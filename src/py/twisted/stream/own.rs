//! Which of a transport's attributes have been set, and what somebody has put there that
//! the native state can't hold: a method of their own, a mock in the place of a flag.
//!
//! On Twisted's own transports they are plain attributes. Here each keeps its meaning in
//! the native state; that it has been set, and another object if it is one, stands here.

use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::prelude::*;

/// An attribute, one bit each. The first ones are flags and have the same bits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Name {
    Producer = 1 << 8,
    Session = 1 << 9,
    LogStr = 1 << 10,
    BufferSize = 1 << 12,
    DataBuffer = 1 << 13,
    TempDataBuffer = 1 << 14,
    TempDataLen = 1 << 15,
    Socket = 1 << 16,
    Protocol = 1 << 17,
    Reactor = 1 << 18,
    Server = 1 << 19,
    DoRead = 1 << 20,
    DoWrite = 1 << 21,
    LogPrefix = 1 << 22,
    Fileno = 1 << 23,
    StartWriting = 1 << 24,
    StopReading = 1 << 25,
    StopWriting = 1 << 26,
    CloseSocket = 1 << 27,
    DataReceived = 1 << 28,
    PostLoseConnection = 1 << 29,
    WriteSomeData = 1 << 30,
}

/// The flags that are attributes.
pub const FLAGS: u32 = 0b1000_1111_1111;

/// The methods, and the socket object, without which the native code must not do what
/// they do.
pub const USED: u32 = Name::Fileno as u32
    | Name::StartWriting as u32
    | Name::StopReading as u32
    | Name::StopWriting as u32
    | Name::CloseSocket as u32
    | Name::DataReceived as u32
    | Name::PostLoseConnection as u32
    | Name::Socket as u32;

/// What keeps a transport off the fast path.
pub const IN_THE_WAY: u32 =
    USED | Name::DoRead as u32 | Name::DoWrite as u32 | Name::LogPrefix as u32;

/// What sends in place of the native code, or is asked to see to it.
pub const SENDS: u32 = Name::DoWrite as u32
    | Name::WriteSomeData as u32
    | Name::Socket as u32
    | Name::StartWriting as u32;

/// No attribute, but kept as if it were one: the native half of a protocol that is TLS.
pub const TLS: u32 = 1 << 31;

/// How the attributes are called, in the order in which they can be set on another
/// transport: the socket object before its `fileno`.
pub const NAMES: [(u32, &str); 31] = [
    (Name::Socket as u32, "socket"),
    (Name::Fileno as u32, "fileno"),
    (Name::Reactor as u32, "reactor"),
    (Name::Protocol as u32, "protocol"),
    (Name::Server as u32, "server"),
    (Name::Session as u32, "sessionno"),
    (Name::LogStr as u32, "logstr"),
    (1, "connected"),
    (1 << 1, "disconnected"),
    (1 << 2, "disconnecting"),
    (1 << 3, "_writeDisconnecting"),
    (1 << 4, "_writeDisconnected"),
    (1 << 5, "streamingProducer"),
    (1 << 6, "producerPaused"),
    (1 << 7, "TLS"),
    (1 << 11, "_aborting"),
    (Name::Producer as u32, "producer"),
    (Name::BufferSize as u32, "bufferSize"),
    (Name::DataBuffer as u32, "dataBuffer"),
    (Name::TempDataBuffer as u32, "_tempDataBuffer"),
    (Name::TempDataLen as u32, "_tempDataLen"),
    (Name::DoRead as u32, "doRead"),
    (Name::DoWrite as u32, "doWrite"),
    (Name::LogPrefix as u32, "logPrefix"),
    (Name::StartWriting as u32, "startWriting"),
    (Name::StopReading as u32, "stopReading"),
    (Name::StopWriting as u32, "stopWriting"),
    (Name::CloseSocket as u32, "_closeSocket"),
    (Name::DataReceived as u32, "_dataReceived"),
    (Name::PostLoseConnection as u32, "_postLoseConnection"),
    (Name::WriteSomeData as u32, "writeSomeData"),
];

/// See the module's documentation.
#[derive(Default)]
pub struct Own {
    /// What has been set on the transport, by whomever.
    set: u32,
    /// Of which of them the value stands in `values`.
    held: u32,
    /// Few transports have any.
    values: Option<Box<Values>>,
}

type Value = (u32, Py<PyAny>);

#[derive(Default)]
struct Values(Vec<Value>);

impl Own {
    /// The bits of what has been set.
    pub fn set(&self) -> u32 {
        self.set
    }

    /// Whether this has been set.
    pub fn is_set(&self, bit: u32) -> bool {
        self.set & bit != 0
    }

    /// Whether a value of somebody's own stands for any of these.
    pub fn any(&self, bits: u32) -> bool {
        self.held & bits != 0
    }

    /// The value of somebody's own.
    pub fn get(&self, bit: u32) -> Option<&Py<PyAny>> {
        if self.held & bit == 0 {
            return None;
        }
        self.values()
            .find(|(of, _)| *of == bit)
            .map(|(_, value)| value)
    }

    /// Notes that the native state has the value. One of somebody's own is forgotten,
    /// and dropped later.
    pub fn note(&mut self, bit: u32) {
        self.set |= bit;
        self.held &= !bit;
    }

    /// Notes that this was set, or with neither bit nor value that it is no longer. Hands
    /// back what must be dropped with no lock held.
    #[must_use]
    pub fn put(&mut self, bit: u32, set: bool, value: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
        let at = self.values().position(|(of, _)| *of == bit);
        let values = self.values.as_mut();
        let before = at
            .zip(values)
            .map(|(at, values)| values.0.swap_remove(at).1);
        self.note(bit);
        if !set {
            self.set &= !bit;
        }
        if let Some(value) = value {
            let values = self.values.get_or_insert_default();
            values.0.push((bit, value));
            self.held |= bit;
        }
        before
    }

    /// Takes out every value, to be dropped with no lock held.
    #[must_use]
    pub fn take(&mut self) -> Vec<Value> {
        self.held = 0;
        self.values
            .take()
            .map(|values| values.0)
            .unwrap_or_default()
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().flat_map(|values| &values.0)
    }

    /// Shows the collector what is held.
    pub fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.values().try_for_each(|(_, value)| visit.call(value))
    }
}
