//! The headers of captured packets.

use std::net::{IpAddr, SocketAddr};

/// Returns a UDP datagram over IP. `original_len`: bytes of the payload, of which `payload` may be
/// the first.
pub(super) fn udp(
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
    original_len: usize,
) -> Vec<u8> {
    let udp_len = 8 + original_len as u16;
    let mut packet = match addresses(from, to) {
        [IpAddr::V4(from), IpAddr::V4(to)] => {
            let len = (20 + udp_len).to_be_bytes();
            let head = [0x45, 0, len[0], len[1], 0, 0, 0x40, 0, TTL, UDP, 0, 0];
            let mut packet = [&head[..], &from.octets(), &to.octets()].concat();
            let checksum = !ones_complement_sum(&packet);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
            packet
        }
        [from, to] => {
            let octets = [from, to].map(|address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            });
            let len = udp_len.to_be_bytes();
            let head = [0x60, 0, 0, 0, len[0], len[1], UDP, TTL];
            [&head[..], &octets[0], &octets[1]].concat()
        }
    };
    for field in [from.port(), to.port(), udp_len, 0] {
        packet.extend_from_slice(&field.to_be_bytes());
    }
    packet.extend_from_slice(payload);
    packet
}

/// Returns a payload for the dissector of this name, with the addresses of its TCP connection.
pub(super) fn upper_pdu(
    dissector: &str,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(payload.len() + 80);
    let mut add = |tag: u16, value: &[u8]| {
        let len = value.len().next_multiple_of(4);
        packet.extend_from_slice(&tag.to_be_bytes());
        packet.extend_from_slice(&(len as u16).to_be_bytes());
        packet.extend_from_slice(value);
        packet.resize(packet.len() + len - value.len(), 0);
    };
    add(DISSECTOR_NAME, dissector.as_bytes());
    for (index, address) in addresses(from, to).into_iter().enumerate() {
        match address {
            IpAddr::V4(address) => add(IPV4_SOURCE + index as u16, &address.octets()),
            IpAddr::V6(address) => add(IPV6_SOURCE + index as u16, &address.octets()),
        }
    }
    add(PORT_TYPE, &PORT_TYPE_TCP.to_be_bytes());
    add(SOURCE_PORT, &u32::from(from.port()).to_be_bytes());
    add(DESTINATION_PORT, &u32::from(to.port()).to_be_bytes());
    add(END_OF_OPTIONS, &[]);
    packet.extend_from_slice(payload);
    packet
}

/// Returns the addresses, as IPv4 if both are, or IPv4-mapped.
fn addresses(from: SocketAddr, to: SocketAddr) -> [IpAddr; 2] {
    let canonical = [from, to].map(|address| address.ip().to_canonical());
    match canonical.iter().all(IpAddr::is_ipv4) {
        true => canonical,
        false => [from, to].map(|address| match address.ip() {
            IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
            address => address,
        }),
    }
}

fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    words.fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

const TTL: u8 = 64;
const UDP: u8 = 17;
const END_OF_OPTIONS: u16 = 0;
const DISSECTOR_NAME: u16 = 12;
const IPV4_SOURCE: u16 = 20;
const IPV6_SOURCE: u16 = 22;
const PORT_TYPE: u16 = 24;
const SOURCE_PORT: u16 = 25;
const DESTINATION_PORT: u16 = 26;
const PORT_TYPE_TCP: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_have_valid_headers() {
        let to: SocketAddr = "127.0.0.1:7777".parse().unwrap();
        for from in ["10.0.0.2:9", "[::ffff:10.0.0.2]:9"] {
            let packet = udp(from.parse().unwrap(), to, b"ab", 5);
            assert_eq!((packet[0], packet.len()), (0x45, 20 + 8 + 2));
            assert_eq!(ones_complement_sum(&packet[..20]), 0xffff);
            assert_eq!(packet[12..20], [10, 0, 0, 2, 127, 0, 0, 1]);
            assert_eq!(packet[20..], [0, 9, 0x1e, 0x61, 0, 13, 0, 0, b'a', b'b']);
        }
        let packet = udp("[::1]:9".parse().unwrap(), "[::]:7777".parse().unwrap(), b"ab", 2);
        assert_eq!((packet[0], packet.len()), (0x60, 40 + 8 + 2));
        assert_eq!(packet[23], 1);
    }
}
