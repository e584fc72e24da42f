//! The network between the processes of a world: sockets, addresses and what happens to datagrams.
//!
//! Every datagram travels between a client's place and the server's, on the [`Path`] of that client. A client is seen from outside at
//! an address that may change while it plays, as behind a router.

pub mod path;
pub(crate) mod socket;
pub mod weather;
pub mod wire;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, Rng};

use crate::trace::{Detail, Trace};
use path::{Fate, Link};
use socket::{SimSocket, SocketHandle, socket};
use wire::Wire;

/// Which place of a world: 0 is the server's, the others are the clients'.
pub type PlaceId = usize;

/// The server's place.
pub const SERVER_PLACE: PlaceId = 0;

/// All sockets and paths.
#[derive(Debug)]
pub struct Network {
    /// By the address that others see.
    homes: BTreeMap<SocketAddr, Home>,
    paths: Vec<Path>,
    wire: Wire,
    /// Datagrams on their way from a socket onto a path: from whom, to whom.
    handed: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    next_port: u16,
    next_outside: u16,
    /// What the network did.
    pub stats: NetworkStats,
}

/// Both directions between one client's place and the server.
#[derive(Debug)]
pub struct Path {
    /// To the server.
    pub up: Link,
    /// From it.
    pub down: Link,
}

/// A socket and its place.
#[derive(Clone, Debug)]
struct Home {
    place: PlaceId,
    /// Which of the sockets of its process.
    number: usize,
    inside: SocketAddr,
    handle: SocketHandle,
}

/// A datagram on its way.
#[derive(Debug)]
pub struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Counters of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Datagrams that never arrived.
    pub lost: u64,
}

impl Network {
    pub(crate) fn new(mut rng: Rng, weather: &[LinkConditions], wire: Wire) -> Self {
        let path = |&conditions: &LinkConditions| Path {
            up: Link::new(conditions, &mut rng),
            down: Link::new(conditions, &mut rng),
        };
        Self {
            homes: BTreeMap::new(),
            paths: weather.iter().map(path).collect(),
            wire,
            handed: Vec::new(),
            next_port: 20_000,
            next_outside: 1,
            stats: NetworkStats::default(),
        }
    }

    /// The address at which the server's socket `number` listens.
    pub(crate) fn server_address(number: usize) -> SocketAddr {
        (Ipv4Addr::new(10, 0, 0, 1), 7_777 + number as u16).into()
    }

    /// An address for a client's next socket: as a rule with a port that no other had.
    pub(crate) fn client_address(&mut self, place: PlaceId) -> SocketAddr {
        self.next_port += 1;
        (Ipv4Addr::new(10, 0, 1, place as u8), self.next_port).into()
    }

    /// Binds the socket `number` of the process at `place`.
    pub(crate) fn bind(&mut self, place: PlaceId, number: usize, inside: SocketAddr) -> SimSocket {
        let (socket, handle) = socket(inside);
        self.homes.insert(inside, Home { place, number, inside, handle });
        socket
    }

    /// The process at `place` has gone, and its sockets with it.
    pub(crate) fn unbind(&mut self, place: PlaceId) {
        self.homes.retain(|_, home| home.place != place);
    }

    /// From here on the client at `place` is seen at another address; the old one leads nowhere.
    pub(crate) fn rebind(&mut self, place: PlaceId) -> Option<SocketAddr> {
        let old = *self.homes.iter().find(|(_, home)| home.place == place)?.0;
        let home = self.homes.remove(&old)?;
        let outside = (Ipv4Addr::new(192, 0, 2, place as u8), self.next_outside).into();
        self.next_outside += 1;
        self.homes.insert(outside, home);
        Some(outside)
    }

    /// The path of a client's place.
    pub fn path(&mut self, client: PlaceId) -> &mut Path {
        &mut self.paths[client - 1]
    }

    /// Lets no socket of `place` send, or lets them again.
    pub(crate) fn jam(&self, place: PlaceId, is_jammed: bool) {
        for home in self.homes.values().filter(|home| home.place == place) {
            home.handle.set_jammed(is_jammed);
        }
    }

    /// Who is seen at an address.
    pub(crate) fn place_of(&self, address: SocketAddr) -> Option<PlaceId> {
        self.homes.get(&address).map(|home| home.place)
    }

    /// An address somebody listens at, and its place.
    pub(crate) fn addresses(&self) -> Vec<(SocketAddr, PlaceId)> {
        self.homes.iter().map(|(&address, home)| (address, home.place)).collect()
    }

    /// Sends what the process at `place` has handed to its sockets on its way.
    pub(crate) fn collect(
        &mut self,
        now: Instant,
        place: PlaceId,
        trace: &mut Trace,
        mut arrives: impl FnMut(Instant, Datagram),
    ) {
        let mut handed = std::mem::take(&mut self.handed);
        for (&from, home) in self.homes.iter().filter(|(_, home)| home.place == place) {
            home.handle.take_outgoing(|to, bytes| handed.push((from, to, bytes)));
        }
        for (from, to, mut bytes) in handed.drain(..) {
            self.stats.sent += 1;
            let len = bytes.len();
            let fate = self.carry(now, place, to, &mut bytes);
            trace.mix_bytes(&bytes);
            match fate {
                Fate::Arrives(at, copy) => {
                    trace.mix(at.as_micros());
                    trace.line(
                        Detail::Wire,
                        format_args!(
                            "wire   {from} → {to}: {len} B, arrives in {:?}{}: {}",
                            at - now,
                            if copy.is_some() { ", twice" } else { "" },
                            self.wire.show(&bytes)
                        ),
                    );
                    if let Some(at) = copy {
                        let bytes = bytes.clone();
                        arrives(at, Datagram { from, to, bytes });
                    }
                    arrives(at, Datagram { from, to, bytes });
                }
                Fate::Lost(why) => {
                    self.stats.lost += 1;
                    trace.line(
                        Detail::Wire,
                        format_args!(
                            "wire   {from} → {to}: {len} B, {why}: {}",
                            self.wire.show(&bytes)
                        ),
                    );
                }
            }
        }
        self.handed = handed;
    }

    /// A datagram is where it was sent; which socket of which place has it, if any.
    pub(crate) fn arrive(&mut self, datagram: Datagram) -> Option<(PlaceId, usize)> {
        let Datagram { from, to, bytes } = datagram;
        let home = self.homes.get(&to);
        // Within a process the socket is at its inside address, and the server at its own.
        let taken = home.filter(|home| home.handle.arrive(from, bytes));
        let arrived = taken.map(|home| (home.place, home.number));
        self.stats.lost += u64::from(arrived.is_none());
        arrived
    }

    /// Where a client's socket is bound.
    pub(crate) fn inside_of(&self, place: PlaceId) -> Option<SocketAddr> {
        self.homes.values().find(|home| home.place == place).map(|home| home.inside)
    }

    fn carry(&mut self, now: Instant, place: PlaceId, to: SocketAddr, bytes: &mut Vec<u8>) -> Fate {
        let link = if place == SERVER_PLACE {
            let Some(home) = self.homes.get(&to) else { return Fate::Lost("nobody there") };
            if home.place == SERVER_PLACE {
                return Fate::Lost("to itself");
            }
            &mut self.paths[home.place - 1].down
        } else {
            &mut self.paths[place - 1].up
        };
        link.carry(now, bytes)
    }
}
