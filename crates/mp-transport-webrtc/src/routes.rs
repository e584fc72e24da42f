//! Routing of datagrams to connections, which share one socket.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use mp_core::Instant;
use str0m::ice::StunMessage;

use crate::limits::{DEFERRED_TIME, EARLY_ADDRESSES_MAX, EARLY_DATAGRAMS_PER_ADDRESS};

/// Routes by address and by ICE user name, and early datagrams without a route.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    addresses: HashMap<SocketAddr, usize>,
    user_names: HashMap<String, usize>,
    early: VecDeque<Early>,
}

/// DTLS datagrams of an unknown address.
#[derive(Debug)]
struct Early {
    from: SocketAddr,
    until: Instant,
    datagrams: Vec<Box<[u8]>>,
}

impl Routes {
    /// Adds the user name of a connection.
    pub(crate) fn insert(&mut self, user_name: &str, slot: usize) {
        self.user_names.insert(user_name.to_owned(), slot);
    }

    /// Removes all routes to a connection.
    pub(crate) fn remove(&mut self, user_name: &str, slot: usize) {
        self.user_names.remove(user_name);
        self.addresses.retain(|_, &mut routed| routed != slot);
    }

    /// Returns the connection for datagrams of an address.
    pub(crate) fn by_address(&self, from: SocketAddr) -> Option<usize> {
        self.addresses.get(&from).copied()
    }

    /// Returns the connection whose user name a STUN request contains.
    pub(crate) fn by_user_name(&self, datagram: &[u8]) -> Option<usize> {
        if !is_stun(datagram) {
            return None;
        }
        let message = StunMessage::parse(datagram).ok()?;
        let (local, _) = message.split_username()?;
        self.user_names.get(local).copied()
    }

    /// Adds the address of an accepted check as a route. Returns earlier datagrams of that address.
    pub(crate) fn learn(&mut self, from: SocketAddr, slot: usize) -> Vec<Box<[u8]>> {
        self.addresses.insert(from, slot);
        match self.early.iter().position(|early| early.from == from) {
            Some(index) => self.early.remove(index).map_or_else(Vec::new, |early| early.datagrams),
            None => Vec::new(),
        }
    }

    /// Buffers a DTLS datagram of an address without a route for a short time. Returns false if it
    /// is dropped.
    pub(crate) fn keep_early(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        while self.early.front().is_some_and(|early| early.until <= now) {
            self.early.pop_front();
        }
        if !is_dtls(datagram) {
            return false;
        }
        if let Some(early) = self.early.iter_mut().find(|early| early.from == from) {
            let has_room = early.datagrams.len() < EARLY_DATAGRAMS_PER_ADDRESS;
            if has_room {
                early.datagrams.push(datagram.into());
            }
            return has_room;
        }
        if self.early.len() == EARLY_ADDRESSES_MAX {
            self.early.pop_front();
        }
        let datagrams = vec![datagram.into()];
        self.early.push_back(Early { from, until: now + DEFERRED_TIME, datagrams });
        true
    }
}

/// Returns whether a datagram is STUN. The first byte identifies the protocol (RFC 7983).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3))
}

fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    /// A Binding Request of native Godot 4.6.3 to a str0m peer with the user name
    /// `v68uzc0XQ99Elfs3`.
    const BINDING_REQUEST: &str = "0001005c2112a442fc741080604bde6ea1e7e472002400046e0fffff802a0008\
        c9133d3bee125cad802200086c69626a7569636500060015763638757a633058513939456c6673333a74486e32\
        00000000080014d7f4a16f1258d5c61b63dfb830c7e11e837b968f802800044c1e113e";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn a_stun_request_finds_its_connection_by_user_name() {
        let mut routes = Routes::default();
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), None);
        routes.insert("v68uzc0XQ99Elfs3", 7);
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), Some(7));
        routes.remove("v68uzc0XQ99Elfs3", 7);
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), None);
    }

    #[test]
    fn early_dtls_datagrams_are_buffered_for_a_short_time() {
        let mut routes = Routes::default();
        for number in 0..EARLY_DATAGRAMS_PER_ADDRESS as u8 {
            assert!(routes.keep_early(Instant::ZERO, FROM, &[22, number]));
        }
        assert!(
            !routes.keep_early(Instant::ZERO, FROM, &[22, 99]),
            "the limit per address is reached"
        );
        let kept = routes.learn(FROM, 3);
        assert_eq!(kept.len(), EARLY_DATAGRAMS_PER_ADDRESS);
        assert_eq!(&*kept[0], &[22, 0]);
        assert_eq!(routes.by_address(FROM), Some(3));
        assert!(routes.learn(FROM, 3).is_empty());
    }

    #[test]
    fn early_datagrams_expire() {
        let mut routes = Routes::default();
        let other = SocketAddr::from(([192, 0, 2, 1], 9));
        assert!(routes.keep_early(Instant::ZERO, FROM, &[22]));
        assert!(routes.keep_early(Instant::ZERO + DEFERRED_TIME, other, &[22]));
        assert!(routes.learn(FROM, 0).is_empty());
    }

    #[test]
    fn a_flood_of_early_datagrams_is_bounded() {
        let mut routes = Routes::default();
        for port in 0..u16::try_from(EARLY_ADDRESSES_MAX * 2).unwrap() {
            let from = SocketAddr::from(([192, 0, 2, 1], port));
            assert!(routes.keep_early(Instant::ZERO, from, &[22]));
        }
        assert_eq!(routes.early.len(), EARLY_ADDRESSES_MAX);
    }

    #[test]
    fn datagrams_of_unknown_protocols_are_not_buffered() {
        let mut routes = Routes::default();
        for datagram in [&[][..], &[0, 1], &[5], &[200; 20]] {
            assert!(!routes.keep_early(Instant::ZERO, FROM, datagram));
        }
    }
}
