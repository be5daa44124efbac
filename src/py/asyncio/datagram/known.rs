//! Addresses and the tuples that stand for them, kept for the next datagrams.
//!
//! The collector doesn't see these tuples: they hold plain strings and numbers.

use std::net::{IpAddr, SocketAddr};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// How many senders are known by their addresses; a power of two.
const PLACES: usize = 64;

/// An address, and a tuple that stands for it.
pub struct Known {
    /// The tuple.
    pub tuple: Py<PyTuple>,
    /// What it says.
    pub address: SocketAddr,
}

impl Known {
    /// The same once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Known {
        Known {
            tuple: self.tuple.clone_ref(py),
            address: self.address,
        }
    }
}

/// Those who have sent datagrams lately.
#[derive(Default)]
pub struct Senders {
    /// The one who sent last.
    last: Option<Known>,
    /// Each in the place that its address has; no place is taken while there is one sender.
    places: Vec<Option<Known>>,
}

impl Senders {
    /// The last one. The next datagram may have the same host.
    pub fn last(&self) -> Option<&Known> {
        self.last.as_ref()
    }

    /// The tuple of a sender with this address, if there is one, who is the last one then;
    /// and what that displaces.
    pub fn recall(
        &mut self,
        py: Python<'_>,
        address: &SocketAddr,
    ) -> Option<(Py<PyTuple>, Option<Known>)> {
        let is_it = |known: &&Known| known.address == *address;
        if let Some(last) = self.last.as_ref().filter(is_it) {
            return Some((last.tuple.clone_ref(py), None));
        }
        let known = self.places.get(place(address))?.as_ref().filter(is_it)?;
        let known = known.clone_ref(py);
        Some((known.tuple.clone_ref(py), self.note(known)))
    }

    /// Notes who sent last, and hands back what that displaces.
    pub fn note(&mut self, sender: Known) -> Option<Known> {
        let before = self.last.replace(sender)?;
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        let place = self.places.get_mut(place(&before.address))?;
        place.replace(before)
    }
}

fn place(address: &SocketAddr) -> usize {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => v6
            .segments()
            .iter()
            .fold(0_u32, |sum, part| sum.rotate_left(5) ^ u32::from(*part)),
    };
    let mixed = (ip ^ u32::from(address.port()).rotate_left(16)).wrapping_mul(0x9e37_79b1);
    (mixed >> 16) as usize % PLACES
}
