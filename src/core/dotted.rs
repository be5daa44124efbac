//! Internet addresses in text, as `Display` writes them. That takes some ten times as long
//! for an IPv4 address, of which each connection that is accepted needs one or two.

use std::net::{IpAddr, Ipv4Addr};

/// See the module's documentation.
#[must_use]
pub fn text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => dotted(v4),
        IpAddr::V6(v6) => v6.to_string(),
    }
}

fn dotted(ip: Ipv4Addr) -> String {
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        if octet >= 100 {
            text.push(digit(octet / 100));
        }
        if octet >= 10 {
            text.push(digit(octet / 10 % 10));
        }
        text.push(digit(octet % 10));
    }
    text
}

fn digit(number: u8) -> char {
    char::from(b'0' + number)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::text;

    #[test]
    fn as_display_writes_it() {
        for octet in 0..=u8::MAX {
            let ip = Ipv4Addr::new(octet, 255 - octet, octet / 2, octet);
            assert_eq!(text(ip.into()), ip.to_string());
        }
        assert_eq!(text(Ipv6Addr::LOCALHOST.into()), "::1");
    }
}
