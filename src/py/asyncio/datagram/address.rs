//! Internet addresses as the socket module has them: tuples.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyTuple};

use super::known::Known;
use crate::py::transport::addresses;

/// The kinds of Internet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internet {
    V4,
    V6,
}

impl Internet {
    /// That of a socket's family.
    pub fn of(family: i32) -> Option<Internet> {
        match family {
            libc::AF_INET => Some(Internet::V4),
            libc::AF_INET6 => Some(Internet::V6),
            _ => None,
        }
    }
}

/// The tuple of an address. `last` is one that may have the same host.
pub fn tuple<'py>(
    py: Python<'py>,
    address: &SocketAddr,
    last: Option<Known>,
) -> PyResult<Bound<'py, PyTuple>> {
    let last = last.filter(|last| last.address.ip() == address.ip());
    let host = last
        .map(|last| last.tuple.bind(py).get_item(0))
        .transpose()?;
    addresses::without_scope(py, address, host)
}

/// The address that a tuple stands for, if it is a plain one of this kind. Names, and
/// whatever else the socket module understands, are not.
pub fn parse(tuple: &Bound<'_, PyTuple>, kind: Internet) -> Option<SocketAddr> {
    let host = tuple.get_item(0).ok()?;
    let host = host.cast_exact::<PyString>().ok()?.to_str().ok()?;
    let port = number(tuple, 1).and_then(|port| u16::try_from(port).ok())?;
    if kind == Internet::V4 {
        let ip: Ipv4Addr = (tuple.len() == 2).then(|| host.parse().ok())??;
        return Some(SocketAddr::from((ip, port)));
    }
    let ip: Ipv6Addr = host.parse().ok()?;
    let rest = |index| match tuple.len() {
        len if index < len => number(tuple, index),
        _ => Some(0),
    };
    let flow = rest(2).filter(|flow| *flow <= 0xf_ffff)?;
    let scope = rest(3)?;
    let is_whole = tuple.len() <= 4;
    is_whole.then(|| SocketAddr::V6(SocketAddrV6::new(ip, port, flow.to_be(), scope)))
}

fn number(tuple: &Bound<'_, PyTuple>, index: usize) -> Option<u32> {
    let number = tuple.get_item(index).ok()?;
    number.cast_exact::<PyInt>().ok()?.extract().ok()
}
