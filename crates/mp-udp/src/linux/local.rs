//! The local address of datagrams, on sockets that are bound to all addresses of a host
//! (`IP_PKTINFO`, `IPV6_RECVPKTINFO`).
//!
//! Without it the kernel chooses the source address of a datagram by its destination. On a host
//! with several addresses this may differ from the address that the client sent to, and the
//! client's firewall or ENet ignores the reply. It is not enabled on a host with one address of a
//! family: its overhead is 50 ns per received datagram, and 100 to 250 ns per sent datagram.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, RecvMsg, SockaddrStorage, setsockopt, sockopt,
};

use super::calls::to_std;

/// Enables reports of the local address of received datagrams. Returns whether that succeeded.
pub(super) fn ask(socket: &impl AsFd, is_ipv6: bool) -> bool {
    let asked = match is_ipv6 {
        false => setsockopt(socket, sockopt::Ipv4PacketInfo, &true),
        // Applies to IPv4 datagrams as well, with mapped addresses.
        true => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true),
    };
    if let Err(error) = &asked {
        tracing::warn!(%error, "cannot enable packet info; the system chooses the source address of replies");
    }
    asked.is_ok()
}

/// Returns whether the kernel may have to choose between source addresses: the host has several
/// IPv4 addresses, or `is_ipv6` and several IPv6 addresses. Loopback and link-local IPv6 addresses
/// do not count. Returns true if the kernel does not list the addresses.
pub(super) fn are_several(is_ipv6: bool) -> bool {
    let Ok(interfaces) = getifaddrs() else { return true };
    let addresses = interfaces.filter_map(|interface| to_std(&interface.address?));
    let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
    for address in addresses {
        match address.ip() {
            IpAddr::V4(ip) if !ip.is_loopback() => _ = v4.insert(ip),
            IpAddr::V6(ip) if !ip.is_loopback() && !ip.is_unicast_link_local() => _ = v6.insert(ip),
            _ => {}
        }
    }
    v4.len() > 1 || is_ipv6 && v6.len() > 1
}

/// Returns the local address that a datagram was sent to; `None` for multicast and broadcast.
pub(super) fn of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<IpAddr> {
    message.cmsgs().ok()?.find_map(|message| match message {
        // The kernel has replaced a broadcast address with an address of this host.
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(info.ipi_spec_dst.s_addr.to_ne_bytes().into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let is_of_many = match ip.to_ipv4_mapped() {
                Some(ip) => ip.is_multicast() || ip.is_broadcast(),
                None => ip.is_multicast(),
            };
            (!is_of_many).then_some(ip.into())
        }
        _ => None,
    })
}

/// The source address of the datagrams of one system call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// Any address: the kernel chooses.
    Any,
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl Source {
    /// Number of kinds.
    pub(super) const KINDS: usize = 3;

    /// Returns the source address for a socket of the given family.
    pub(super) fn new(is_ipv6: bool, local: Option<IpAddr>) -> Self {
        match (is_ipv6, local) {
            (false, Some(IpAddr::V4(ip))) => {
                let ipi_spec_dst = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                let ipi_addr = in_addr { s_addr: 0 };
                Self::V4(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst, ipi_addr })
            }
            (true, Some(IpAddr::V6(ip))) => {
                let ipi6_addr = in6_addr { s6_addr: ip.octets() };
                Self::V6(in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 })
            }
            _ => Self::Any,
        }
    }

    /// Returns the index of its kind. Kinds differ in their control message.
    pub(super) const fn kind(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::V4(_) => 1,
            Self::V6(_) => 2,
        }
    }

    /// Returns the control message that sets the source address.
    pub(super) const fn message(&self) -> Option<ControlMessage<'_>> {
        match self {
            Self::Any => None,
            Self::V4(info) => Some(ControlMessage::Ipv4PacketInfo(info)),
            Self::V6(info) => Some(ControlMessage::Ipv6PacketInfo(info)),
        }
    }

    /// Returns whether a send may have failed because the host no longer has this address.
    pub(super) fn may_be_missing(&self, errno: Errno) -> bool {
        !matches!(self, Self::Any)
            && matches!(errno, Errno::EINVAL | Errno::EADDRNOTAVAIL | Errno::ENETUNREACH)
    }
}

/// Returns a buffer for the received control messages of one datagram, by kind.
pub(super) fn space(kind: usize) -> Option<Vec<u8>> {
    match kind {
        0 => None,
        1 => Some(cmsg_space!(in_pktinfo)),
        _ => Some(cmsg_space!(in6_pktinfo)),
    }
}

/// As [`space`], for a message with a segment length.
pub(super) fn space_with_segments(kind: usize) -> Vec<u8> {
    match kind {
        0 => cmsg_space!(u16),
        1 => cmsg_space!(u16, in_pktinfo),
        _ => cmsg_space!(u16, in6_pktinfo),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::Ipv4Addr;

    use crate::{DatagramSocket, NetworkPath, SendBatch, Transmit, UdpSocket};

    /// An address of this host, as all of 127.0.0.0/8 are. By default the kernel replies from
    /// 127.0.0.1.
    const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

    /// Returns a server bound to all addresses, a client that has sent to [`ASKED`], and the path.
    fn pair(bind: &str) -> (UdpSocket, UdpSocket, NetworkPath) {
        let mut server = UdpSocket::bind(bind.parse().unwrap()).unwrap();
        server.request_local();
        let mut client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = server.local_addr().unwrap().port();
        client.try_send_to(b"hello", (ASKED, port).into()).unwrap();
        let mut path = None;
        assert!(server.try_recv_batch(10, &mut |from, _| path = Some(from)).unwrap());
        (server, client, path.expect("no datagram was received on loopback"))
    }

    fn send(server: &mut UdpSocket, path: NetworkPath, bytes: &[u8], segment_size: Option<usize>) {
        let mut batch = SendBatch::with_capacity(60_000);
        batch.room(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
        let NetworkPath { remote: to, local: from } = path;
        batch.push(Transmit { to, from, len: bytes.len(), segment_size });
        server.try_send_batch(&mut batch).unwrap();
        assert!(batch.is_empty());
    }

    /// Returns the source address and the length of each received datagram.
    fn received(client: &mut UdpSocket) -> Vec<(std::net::IpAddr, usize)> {
        let mut all = Vec::new();
        client
            .try_recv_batch(100, &mut |path, bytes| all.push((path.remote.ip(), bytes.len())))
            .unwrap();
        all
    }

    #[test]
    fn replies_are_sent_from_the_address_that_the_client_sent_to() {
        for bind in ["0.0.0.0:0", "[::]:0"] {
            let (mut server, mut client, path) = pair(bind);
            assert_eq!(path.local.map(|ip| ip.to_canonical()), Some(ASKED.into()), "{bind}");
            send(&mut server, path, b"one", None);
            send(&mut server, path, &[7; 250], Some(100));
            let asked = ASKED.into();
            assert_eq!(
                received(&mut client),
                [(asked, 3), (asked, 100), (asked, 100), (asked, 50)],
                "{bind}"
            );
        }
    }

    #[test]
    fn a_batch_from_several_addresses_is_sent_in_order() {
        let (mut server, mut client, path) = pair("0.0.0.0:0");
        let mut batch = SendBatch::with_capacity(60_000);
        let others = [ASKED, Ipv4Addr::LOCALHOST, ASKED, ASKED];
        for (len, from) in others.into_iter().enumerate() {
            let (to, from) = (path.remote, Some(from.into()));
            batch.push(Transmit { to, from, len: len + 1, segment_size: None });
        }
        server.try_send_batch(&mut batch).unwrap();
        let expected: Vec<_> =
            others.into_iter().enumerate().map(|(len, ip)| (ip.into(), len + 1)).collect();
        assert_eq!(received(&mut client), expected);
    }

    #[test]
    fn datagrams_from_a_removed_address_are_sent_from_another_one() {
        for bind in ["0.0.0.0:0", "[::]:0"] {
            let (mut server, mut client, path) = pair(bind);
            let gone = match path.local.unwrap() {
                std::net::IpAddr::V4(_) => "192.0.2.1".parse().unwrap(),
                std::net::IpAddr::V6(_) => "::ffff:192.0.2.1".parse().unwrap(),
            };
            let path = NetworkPath { local: Some(gone), ..path };
            send(&mut server, path, &[7; 250], Some(100));
            let here = Ipv4Addr::LOCALHOST.into();
            assert_eq!(received(&mut client), [(here, 100), (here, 100), (here, 50)], "{bind}");
        }
    }

    #[test]
    fn a_socket_bound_to_one_address_does_not_report_it() {
        let mut server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let mut client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        client.try_send_to(b"hello", server.local_addr().unwrap()).unwrap();
        let mut local = Some(ASKED.into());
        server.try_recv_batch(10, &mut |path, _| local = path.local).unwrap();
        assert_eq!(local, None);
        let error = server.try_recv_from(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
