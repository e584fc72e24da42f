//! [`EnetMesh`]: a peer of a mesh, with one connection to each other peer.

use std::collections::BTreeMap;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{
    CloseMode, ConnectionId, ConnectionOrigin, ConnectionStats, ConnectionStatus, DisconnectReason,
    Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Readiness, SendError,
};

use crate::connection::EnetConnection;
use crate::io::{DatagramSocket, UdpSocket};
use crate::mapping;
use crate::packet_peer::EnetPacketPeer;
use crate::proto::{HostEvent, Payload, PeerState};

/// A peer of a mesh (Godot: `ENetMultiplayerPeer.create_mesh`). There is no server and no relay.
/// The program connects to each other peer itself, and adds the connection.
///
/// ```no_run
/// use mp_core::{MultiplayerPeer, PeerId, host::SystemClock};
/// use mp_transport_enet::proto::{Admission, HostEvent, HostSettings};
/// use mp_transport_enet::{EnetConnection, EnetMesh};
///
/// let clock = SystemClock::new();
/// let mut settings = HostSettings::default();
/// settings.admission = Admission::Anybody;
/// let mut connection = EnetConnection::create_host(settings)?;
/// connection.connect_to_host("192.0.2.7:7777".parse()?, 255, 0);
/// while !matches!(connection.service(clock.now()), Some(HostEvent::Connected { .. })) {
///     std::thread::sleep(std::time::Duration::from_millis(5));
/// }
/// let mut mesh = EnetMesh::new(PeerId::new(3).unwrap());
/// mesh.add_mesh_peer(PeerId::new(4).unwrap(), connection)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "create_mesh")]
pub struct EnetMesh<S: DatagramSocket = UdpSocket> {
    unique_id: PeerId,
    members: BTreeMap<ConnectionId, Member<S>>,
    /// Number of members added so far: the slot of the next member's connection.
    joined: u32,
    /// Events of connections that were just added.
    ready: Vec<PeerEvent>,
    is_closed: bool,
    is_refusing: bool,
}

#[derive(Debug)]
struct Member<S: DatagramSocket> {
    id: PeerId,
    connection: EnetConnection<S>,
    /// The connection within the host.
    inner: ConnectionId,
}

/// The reason why a peer was not added to a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddMeshPeerError {
    /// The mesh is closed.
    #[error("the mesh is closed; create another one")]
    Closed,
    /// The id is in use, possibly by the local peer.
    #[error("peer id {0} is in use; each peer of a mesh needs its own")]
    IdTaken(PeerId),
    /// The host does not have exactly one peer.
    #[error("the connection has {0} peers; it must have exactly one, which is connected")]
    Peers(usize),
    /// The peer is not connected.
    #[error("the peer is {0:?}; call service() on the connection until it is connected")]
    NotConnected(PeerState),
}

impl<S: DatagramSocket> EnetMesh<S> {
    /// Returns a mesh without other peers. `unique_id` is the id of the local peer.
    pub const fn new(unique_id: PeerId) -> Self {
        Self {
            unique_id,
            members: BTreeMap::new(),
            joined: 0,
            ready: Vec::new(),
            is_closed: false,
            is_refusing: false,
        }
    }

    /// Adds a connected peer with the given id. Nothing is exchanged with it. It is reported as
    /// connected immediately.
    ///
    /// # Errors
    ///
    /// The mesh is closed, the id is in use, or the host does not have exactly one connected peer.
    pub fn add_mesh_peer(
        &mut self,
        id: PeerId,
        connection: EnetConnection<S>,
    ) -> Result<ConnectionId, AddMeshPeerError> {
        if self.is_closed {
            return Err(AddMeshPeerError::Closed);
        }
        if id == self.unique_id || self.members.values().any(|member| member.id == id) {
            return Err(AddMeshPeerError::IdTaken(id));
        }
        let peers: Vec<ConnectionId> = connection.peers().collect();
        let [inner] = peers[..] else { return Err(AddMeshPeerError::Peers(peers.len())) };
        let state = connection.host.peer_state(inner);
        let address = connection.host.address(inner).filter(|_| state == PeerState::Connected);
        let Some(address) = address else { return Err(AddMeshPeerError::NotConnected(state)) };
        let link = ConnectionId { slot: self.joined, generation: 0 };
        self.joined += 1;
        self.members.insert(link, Member { id, connection, inner });
        let origin = ConnectionOrigin::Address(address);
        self.ready.push(PeerEvent::Connected { connection: link, claimed_id: Some(id), origin });
        Ok(link)
    }

    /// Returns the host of a peer.
    #[doc(alias = "get_host")]
    pub fn host(&mut self, link: ConnectionId) -> Option<&mut EnetConnection<S>> {
        self.members.get_mut(&link).map(|member| &mut member.connection)
    }

    /// Returns a peer.
    #[doc(alias = "get_peer")]
    pub fn peer(&mut self, link: ConnectionId) -> Option<EnetPacketPeer<'_>> {
        let member = self.members.get_mut(&link)?;
        member.connection.peer(member.inner)
    }

    /// Returns the next event of a member, translated for the mesh.
    fn member_event(&mut self) -> Option<PeerEvent> {
        for (&link, member) in &mut self.members {
            while let Some(event) = member.connection.host.poll_event() {
                match event {
                    HostEvent::Packet { connection, channel, flags, payload }
                        if connection == member.inner =>
                    {
                        let packet = mapping::packet(link, channel, flags, payload);
                        return Some(PeerEvent::Packet(packet));
                    }
                    HostEvent::Disconnected { connection, reason }
                        if connection == member.inner =>
                    {
                        return Some(PeerEvent::Disconnected { connection: link, reason });
                    }
                    // A peer that connected to the socket before it was handed over is not part of
                    // the mesh.
                    HostEvent::Connected { connection, .. } => {
                        let (reason, close_mode) =
                            (DisconnectReason::Refused, CloseMode::Immediate);
                        member.connection.host.disconnect(connection, 0, reason, close_mode);
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

impl<S: DatagramSocket> MultiplayerPeer for EnetMesh<S> {
    fn poll(&mut self, now: Instant) {
        if self.is_closed {
            return;
        }
        for member in self.members.values_mut() {
            member.connection.poll(now);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if !self.ready.is_empty() {
            return Some(self.ready.remove(0));
        }
        self.member_event()
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.is_closed {
            return Err(SendError::NotConnected);
        }
        let OutgoingPacket { to, mode, channel, prefix, payload } = outgoing;
        let payload = Payload::new(prefix, payload).shared_by(to.as_slice().len());
        mapping::check(channel, payload.len(), self.max_packet_size())?;
        let links = to.as_slice();
        for link in links {
            let Some(Member { connection, inner, .. }) = self.members.get_mut(link) else {
                continue;
            };
            let is_only = links.len() == 1;
            mapping::send(&mut connection.host, *inner, is_only, channel, mode, payload.clone())?;
        }
        Ok(())
    }

    fn flush(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            member.connection.flush(now);
        }
        // A host without its peer has nothing left to send.
        self.members.retain(|_, member| !member.connection.is_finished());
    }

    fn disconnect(&mut self, link: ConnectionId, reason: DisconnectReason, close_mode: CloseMode) {
        let Some(member) = self.members.get_mut(&link) else { return };
        member.connection.host.disconnect(member.inner, 0, reason, close_mode);
        if close_mode == CloseMode::Immediate {
            self.ready.retain(|event| {
                !matches!(event, PeerEvent::Connected { connection, .. } if *connection == link)
            });
        }
    }

    fn close(&mut self) {
        for member in self.members.values_mut() {
            member.connection.close();
        }
        self.ready.clear();
        self.is_closed = true;
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        if self.is_closed { ConnectionStatus::Disconnected } else { ConnectionStatus::Connected }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.members.values().filter_map(|member| member.connection.poll_timeout()).min()
    }

    fn readiness(&self) -> Readiness {
        let first = self.members.values().next();
        first.map_or(IDLE, |member| member.connection.readiness())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = Poll::Pending;
        for member in self.members.values_mut() {
            if member.connection.poll_ready(cx).is_ready() {
                ready = Poll::Ready(());
            }
        }
        ready
    }

    fn pause_receiving(&mut self, link: ConnectionId, held: bool) {
        if let Some(member) = self.members.get_mut(&link) {
            member.connection.host.pause_receiving(member.inner, held);
        }
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.is_refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.is_refusing = refuse;
    }

    fn max_packet_size(&self) -> usize {
        let sizes = self.members.values().map(|member| member.connection.host.max_packet_size());
        sizes.min().unwrap_or(mp_core::limits::PACKET_BYTES_MAX)
    }

    fn connection_stats(&self, link: ConnectionId) -> Option<ConnectionStats> {
        let member = self.members.get(&link)?;
        member.connection.host.connection_stats(member.inner)
    }
}

/// Readiness of a mesh without members.
const IDLE: Readiness = Readiness::Interval(Duration::from_millis(5));
