//! Routing of datagrams to connections, which share one socket.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use mp_core::Instant;
use str0m::ice::StunMessage;

use crate::limits::{DEFERRED_TIME, EARLY_ADDRESSES_MAX, EARLY_DATAGRAMS_PER_ADDRESS};
use crate::refusal::DatagramRefusal;

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

    /// Returns the addresses of a connection.
    pub(crate) fn addresses_of(&self, slot: usize) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().filter(move |&(_, &routed)| routed == slot).map(|(&from, _)| from)
    }

    /// Returns the connection whose user name a STUN request contains. Responses contain none.
    pub(crate) fn by_user_name(&self, datagram: &[u8]) -> Result<Option<usize>, DatagramRefusal> {
        let message = StunMessage::parse(datagram).map_err(|_| DatagramRefusal::MalformedStun)?;
        let user_name = message.split_username();
        Ok(user_name.and_then(|(local, _)| self.user_names.get(local).copied()))
    }

    /// Adds the address of an accepted check as a route. Returns earlier datagrams of that address.
    pub(crate) fn learn(&mut self, from: SocketAddr, slot: usize) -> Vec<Box<[u8]>> {
        self.addresses.insert(from, slot);
        match self.early.iter().position(|early| early.from == from) {
            Some(index) => self.early.remove(index).map_or_else(Vec::new, |early| early.datagrams),
            None => Vec::new(),
        }
    }

    /// Buffers a DTLS datagram of an address without a route for [`DEFERRED_TIME`]. Returns the
    /// number of datagrams dropped at the limits: this one, expired ones, and those of the oldest
    /// address.
    pub(crate) fn keep_early(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> u64 {
        let mut dropped = 0;
        while self.early.front().is_some_and(|oldest| oldest.until <= now) {
            dropped += self.drop_oldest();
        }
        if let Some(early) = self.early.iter_mut().find(|early| early.from == from) {
            if early.datagrams.len() == EARLY_DATAGRAMS_PER_ADDRESS {
                return dropped + 1;
            }
            early.datagrams.push(datagram.into());
            return dropped;
        }
        if self.early.len() == EARLY_ADDRESSES_MAX {
            dropped += self.drop_oldest();
        }
        let datagrams = vec![datagram.into()];
        self.early.push_back(Early { from, until: now + DEFERRED_TIME, datagrams });
        dropped
    }

    /// Drops the datagrams of the oldest address. Returns their number.
    fn drop_oldest(&mut self) -> u64 {
        self.early.pop_front().map_or(0, |early| early.datagrams.len() as u64)
    }
}

/// The protocol of a datagram, which its first byte identifies (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Stun,
    Dtls,
}

impl Protocol {
    /// Returns the protocol of `datagram`. `None` if it is not one of WebRTC data channels.
    pub(crate) fn of(datagram: &[u8]) -> Option<Self> {
        match datagram.first()? {
            0..=3 => Some(Self::Stun),
            20..=63 => Some(Self::Dtls),
            _ => None,
        }
    }
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
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), Ok(None));
        routes.insert("v68uzc0XQ99Elfs3", 7);
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), Ok(Some(7)));
        routes.remove("v68uzc0XQ99Elfs3", 7);
        assert_eq!(routes.by_user_name(&bytes(BINDING_REQUEST)), Ok(None));
    }

    #[test]
    fn early_dtls_datagrams_are_buffered_for_a_short_time() {
        let mut routes = Routes::default();
        for number in 0..EARLY_DATAGRAMS_PER_ADDRESS as u8 {
            assert_eq!(routes.keep_early(Instant::ZERO, FROM, &[22, number]), 0);
        }
        assert_eq!(routes.keep_early(Instant::ZERO, FROM, &[22, 99]), 1, "the limit per address");
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
        assert_eq!(routes.keep_early(Instant::ZERO, FROM, &[22]), 0);
        assert_eq!(routes.keep_early(Instant::ZERO + DEFERRED_TIME, other, &[22]), 1);
        assert!(routes.learn(FROM, 0).is_empty());
    }

    #[test]
    fn a_flood_of_early_datagrams_is_bounded() {
        let mut routes = Routes::default();
        let mut dropped = 0;
        for port in 0..u16::try_from(EARLY_ADDRESSES_MAX * 2).unwrap() {
            let from = SocketAddr::from(([192, 0, 2, 1], port));
            dropped += routes.keep_early(Instant::ZERO, from, &[22]);
        }
        let max = EARLY_ADDRESSES_MAX;
        assert_eq!((routes.early.len(), dropped), (max, max as u64));
    }

    #[test]
    fn the_first_byte_identifies_the_protocol() {
        let protocols = [0, 3, 4, 19, 20, 63, 64, 128].map(|first| Protocol::of(&[first]));
        let (stun, dtls) = (Some(Protocol::Stun), Some(Protocol::Dtls));
        assert_eq!(protocols, [stun, stun, None, None, dtls, dtls, None, None]);
        assert_eq!(Protocol::of(&[]), None);
    }
}
