//! An Internet address in little memory, for those who keep one of each connection.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// An Internet address, or none: two words, and more only for one of IPv6.
#[derive(Debug, Default)]
pub enum CompactAddress {
    /// None.
    #[default]
    Unknown,
    /// One of IPv4.
    V4(SocketAddrV4),
    /// One of IPv6.
    V6(Box<SocketAddrV6>),
}

impl CompactAddress {
    /// The address.
    #[must_use]
    pub fn get(&self) -> Option<SocketAddr> {
        match self {
            CompactAddress::Unknown => None,
            CompactAddress::V4(address) => Some(SocketAddr::V4(*address)),
            CompactAddress::V6(address) => Some(SocketAddr::V6(**address)),
        }
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, CompactAddress::Unknown)
    }
}

impl From<SocketAddr> for CompactAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => CompactAddress::V4(address),
            SocketAddr::V6(address) => CompactAddress::V6(Box::new(address)),
        }
    }
}

impl From<Option<SocketAddr>> for CompactAddress {
    fn from(address: Option<SocketAddr>) -> Self {
        address.map(CompactAddress::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was() {
        assert_eq!(CompactAddress::default().get(), None);
        assert!(!CompactAddress::default().is_known());
        let scoped = SocketAddrV6::new("fe80::1".parse().expect("an address"), 4, 5, 6);
        for address in [
            SocketAddr::from(([127, 0, 0, 1], 80)),
            SocketAddr::V6(scoped),
        ] {
            let compact = CompactAddress::from(address);
            assert!(compact.is_known());
            assert_eq!(compact.get(), Some(address));
        }
        assert!(size_of::<CompactAddress>() <= 2 * size_of::<usize>());
    }
}
