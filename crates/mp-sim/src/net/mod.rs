//! Network between the processes of a world: sockets, addresses, paths.
//!
//! Each datagram uses the [`Path`] between one client and the server. A client has a public address
//! that may change, as behind a NAT.

pub mod conditions;
pub mod path;
pub(crate) mod socket;
pub mod wire_format;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, Rng};

use crate::trace::{Detail, Trace};
use path::{Delivery, SimulatedLink};
use socket::{SimSocket, SocketHandle, socket};
use wire_format::WireFormat;

/// Index of a slot: 0 is the server's, the others are the clients'.
pub type SlotId = usize;

/// The server's slot.
pub const SERVER_SLOT: SlotId = 0;

/// Time in which ENet misses a client that has vanished: its `timeoutMaximum` of 30 s, which it
/// checks only when it resends.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(40);

/// All sockets and paths.
#[derive(Debug)]
pub struct SimulatedNetwork {
    /// Sockets by public address.
    bindings: BTreeMap<SocketAddr, Binding>,
    paths: Vec<Path>,
    wire: WireFormat,
    /// Datagrams that sockets have sent and paths have not accepted yet: source, destination,
    /// bytes.
    outgoing: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    next_port: u16,
    next_public: u16,
    /// Counters.
    pub stats: NetworkStats,
}

/// Both directions between a client and the server.
#[derive(Debug)]
pub struct Path {
    /// Client to server.
    pub up: SimulatedLink,
    /// Server to client.
    pub down: SimulatedLink,
}

/// A bound socket and its owner.
#[derive(Clone, Debug)]
struct Binding {
    slot: SlotId,
    /// Index among the sockets of the process.
    number: usize,
    local_address: SocketAddr,
    handle: SocketHandle,
}

/// Datagram in flight.
#[derive(Debug)]
pub struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Counters of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams lost.
    pub lost: u64,
}

impl SimulatedNetwork {
    /// Creates a network with drawn conditions for each of `clients`.
    pub(crate) fn drawn(clients: usize, rng: &mut Rng) -> Self {
        let drawn = (0..clients).map(|_| conditions::draw(rng)).collect::<Vec<_>>();
        Self::new(rng.fork(), &drawn, WireFormat { has_checksum: false })
    }

    /// Ends the faults of all paths.
    pub(crate) fn heal(&mut self) {
        for path in &mut self.paths {
            path.up.heal();
            path.down.heal();
        }
    }

    pub(crate) fn new(mut rng: Rng, conditions: &[LinkConditions], wire: WireFormat) -> Self {
        let path = |&conditions: &LinkConditions| Path {
            up: SimulatedLink::new(conditions, &mut rng),
            down: SimulatedLink::new(conditions, &mut rng),
        };
        Self {
            bindings: BTreeMap::new(),
            paths: conditions.iter().map(path).collect(),
            wire,
            outgoing: Vec::new(),
            next_port: 20_000,
            next_public: 1,
            stats: NetworkStats::default(),
        }
    }

    /// Returns the address of the server's socket `number`.
    pub(crate) fn server_address(number: usize) -> SocketAddr {
        (Ipv4Addr::new(10, 0, 0, 1), 7_777 + number as u16).into()
    }

    /// Returns a new local address for a client, with an unused port.
    pub(crate) fn client_address(&mut self, slot: SlotId) -> SocketAddr {
        self.next_port += 1;
        (Ipv4Addr::new(10, 0, 1, slot as u8), self.next_port).into()
    }

    /// Binds the socket `number` of the process in `slot`.
    pub(crate) fn bind(
        &mut self,
        slot: SlotId,
        number: usize,
        local_address: SocketAddr,
    ) -> SimSocket {
        let (socket, handle) = socket(local_address);
        self.bindings.insert(local_address, Binding { slot, number, local_address, handle });
        socket
    }

    /// Closes all sockets of the process in `slot`.
    pub(crate) fn unbind(&mut self, slot: SlotId) {
        self.bindings.retain(|_, binding| binding.slot != slot);
    }

    /// Gives the client in `slot` a new public address, and returns it. Datagrams to the old one
    /// are lost.
    pub(crate) fn rebind(&mut self, slot: SlotId) -> Option<SocketAddr> {
        let old = *self.bindings.iter().find(|(_, binding)| binding.slot == slot)?.0;
        let binding = self.bindings.remove(&old)?;
        let public_address = (Ipv4Addr::new(192, 0, 2, slot as u8), self.next_public).into();
        self.next_public += 1;
        self.bindings.insert(public_address, binding);
        Some(public_address)
    }

    /// Returns the path of a client.
    pub fn path(&mut self, client: SlotId) -> &mut Path {
        &mut self.paths[client - 1]
    }

    /// Makes the sockets of `slot` refuse datagrams to send (`WouldBlock`), or accept them again.
    pub(crate) fn block_sending(&self, slot: SlotId, is_send_blocked: bool) {
        for binding in self.bindings.values().filter(|binding| binding.slot == slot) {
            binding.handle.set_send_blocked(is_send_blocked);
        }
    }

    /// Returns the slot of a public address.
    pub(crate) fn slot_of(&self, address: SocketAddr) -> Option<SlotId> {
        self.bindings.get(&address).map(|binding| binding.slot)
    }

    /// Returns all public addresses with their slots.
    pub(crate) fn addresses(&self) -> Vec<(SocketAddr, SlotId)> {
        self.bindings.iter().map(|(&address, binding)| (address, binding.slot)).collect()
    }

    /// Moves the datagrams that sockets of `slot` have sent onto their paths. Calls `arrives` with
    /// each delivery.
    pub(crate) fn collect(
        &mut self,
        now: Instant,
        slot: SlotId,
        trace: &mut Trace,
        mut arrives: impl FnMut(Instant, Datagram),
    ) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        for (&from, binding) in self.bindings.iter().filter(|(_, binding)| binding.slot == slot) {
            binding.handle.take_outgoing(|to, bytes| outgoing.push((from, to, bytes)));
        }
        for (from, to, mut bytes) in outgoing.drain(..) {
            self.stats.sent += 1;
            let len = bytes.len();
            let delivery = self.transmit(now, slot, to, &mut bytes);
            trace.mix_bytes(&bytes);
            match delivery {
                Delivery::Arrives(at, copy) => {
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
                Delivery::Lost(why) => {
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
        self.outgoing = outgoing;
    }

    /// Delivers a datagram to its socket. Returns the slot and socket number, or `None` without a
    /// socket at the address or with a full receive buffer.
    pub(crate) fn arrive(&mut self, datagram: Datagram) -> Option<(SlotId, usize)> {
        let Datagram { from, to, bytes } = datagram;
        let binding = self.bindings.get(&to);
        // The local address of a socket differs from the public one after a rebinding.
        let taken = binding.filter(|binding| binding.handle.arrive(from, bytes));
        let arrived = taken.map(|binding| (binding.slot, binding.number));
        self.stats.lost += u64::from(arrived.is_none());
        arrived
    }

    /// Returns the local address of a client's socket.
    pub(crate) fn local_address_of(&self, slot: SlotId) -> Option<SocketAddr> {
        self.bindings
            .values()
            .find(|binding| binding.slot == slot)
            .map(|binding| binding.local_address)
    }

    fn transmit(
        &mut self,
        now: Instant,
        slot: SlotId,
        to: SocketAddr,
        bytes: &mut Vec<u8>,
    ) -> Delivery {
        let link = if slot == SERVER_SLOT {
            let Some(binding) = self.bindings.get(&to) else {
                return Delivery::Lost("no socket at the destination");
            };
            if binding.slot == SERVER_SLOT {
                return Delivery::Lost("to itself");
            }
            &mut self.paths[binding.slot - 1].down
        } else {
            &mut self.paths[slot - 1].up
        };
        link.transmit(now, bytes)
    }
}
