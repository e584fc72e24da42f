//! Addresses of clients behind reverse proxies.

use std::net::{IpAddr, SocketAddr};

/// Returns the address of a client behind `proxies` reverse proxies, each of which appends the
/// address of its client to the header `X-Forwarded-For`. The port is 0 if the header has none.
///
/// `elements` are those of all these headers of a request, in order. Returns `None` if they are
/// fewer than the proxies, or if the one of the outermost proxy is no address: those before it are
/// written by the client.
pub fn forwarded_address<'e>(
    elements: impl DoubleEndedIterator<Item = &'e str>,
    proxies: usize,
) -> Option<SocketAddr> {
    let element = elements.rev().nth(proxies.checked_sub(1)?)?;
    let address: SocketAddr = element.parse().ok().or_else(|| {
        let bracketed = element.strip_prefix('[').and_then(|element| element.strip_suffix(']'));
        let ip = match bracketed {
            Some(ip) => IpAddr::V6(ip.parse().ok()?),
            None => element.parse().ok()?,
        };
        Some(SocketAddr::new(ip, 0))
    })?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str, proxies: usize) -> Option<String> {
        let elements = header.split(',').map(str::trim);
        forwarded_address(elements, proxies).map(|address| address.to_string())
    }

    #[test]
    fn address_is_the_one_that_the_outermost_proxy_has_appended() {
        let header = "10.9.9.9, 192.0.2.1, [2001:db8::1]:7, 2001:db8::2";
        assert_eq!(of(header, 0), None);
        assert_eq!(of(header, 1).as_deref(), Some("[2001:db8::2]:0"));
        assert_eq!(of(header, 2).as_deref(), Some("[2001:db8::1]:7"));
        assert_eq!(of(header, 3).as_deref(), Some("192.0.2.1:0"));
        assert_eq!(of(header, 5), None);
        assert_eq!(of("::ffff:192.0.2.1", 1).as_deref(), Some("192.0.2.1:0"));
        assert_eq!(of("[2001:db8::2]", 1).as_deref(), Some("[2001:db8::2]:0"));
        for invalid in ["", "unknown", "[192.0.2.1]", "192.0.2.1:x"] {
            assert_eq!(of(invalid, 1), None, "{invalid}");
        }
    }
}
