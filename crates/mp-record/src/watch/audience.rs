//! [`Audience`]: the views of all clients of a branch that is recorded.

use std::collections::BTreeMap;

use bytes::Bytes;
use mp_core::{ConnectionId, EndpointId, PeerEvent, PeerId, ToBranch, ToEndpoint};
use mp_scene::{Codec, PacketKind};
use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::view::View;
use crate::limits::AUDIENCE_BYTES_MAX;

/// The nodes that each client has, for recordings whose beginning is dropped. Values of SYNCs are
/// not kept: a client receives them continuously.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    clients: BTreeMap<(EndpointId, ConnectionId), (PeerId, View)>,
    /// Upper bound of the size of all views.
    bytes: usize,
    /// True if the views have exceeded the limit: there are none any more.
    is_exceeded: bool,
}

/// The peers and nodes that a client has at the start of a recording: packets as it has received
/// and announced them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientView {
    pub(crate) client: PeerId,
    pub(crate) peers: Vec<PeerId>,
    /// Packets with their authors.
    pub(crate) packets: Vec<(PeerId, Vec<u8>)>,
}

impl Audience {
    /// Records what clients send.
    pub(crate) fn input(&mut self, input: &ToBranch) {
        match input {
            ToBranch::Events(endpoint, events) => {
                events.iter().for_each(|event| self.event(*endpoint, event));
            }
            ToBranch::Closed(endpoint, _) => self.clients.retain(|(of, _), _| of != endpoint),
            _ => {}
        }
    }

    fn event(&mut self, endpoint: EndpointId, event: &PeerEvent) {
        match event {
            PeerEvent::Packet(packet) if is_kept(&packet.payload) => {
                let Some((peer, view)) = self.clients.get_mut(&(endpoint, packet.from)) else {
                    return;
                };
                // A copy, so that no larger buffer of the transport is kept.
                let payload = Bytes::copy_from_slice(&packet.payload);
                if let Some(Seen::Packet(author, packet)) = Seen::sent(*peer, &payload) {
                    view.receive(author, &packet);
                    self.count(payload.len());
                }
            }
            PeerEvent::Connected { connection, claimed_id: Some(peer), .. }
                if !self.is_exceeded =>
            {
                let mut view = View::default();
                view.add_peer(*peer);
                self.clients.insert((endpoint, *connection), (*peer, view));
            }
            PeerEvent::Disconnected { connection, .. } => {
                self.clients.remove(&(endpoint, *connection));
            }
            _ => {}
        }
    }

    /// Records what clients are sent.
    pub(crate) fn output(&mut self, endpoint: EndpointId, output: &ToEndpoint) {
        let ToEndpoint::Send(packets) = output else { return };
        for packet in packets {
            let of_relay = !packet.prefix.as_slice().is_empty();
            if !is_kept(&packet.payload) && (of_relay || !is_sys(&packet.payload)) {
                continue;
            }
            let Some(seen) = Seen::received(&packet.joined()) else { continue };
            for connection in packet.to.as_slice() {
                let Some((_, view)) = self.clients.get_mut(&(endpoint, *connection)) else {
                    continue;
                };
                match &seen {
                    Seen::AddPeer(peer) => view.add_peer(*peer),
                    Seen::RemovePeer(peer) => view.remove_peer(*peer),
                    Seen::Packet(author, packet) => {
                        view.receive(*author, packet);
                        self.count(packet.len());
                    }
                }
            }
        }
    }

    /// Adds the size of a packet. Discards all views if they exceed the limit.
    fn count(&mut self, bytes: usize) {
        self.bytes += bytes + PACKET_OVERHEAD;
        if self.bytes <= AUDIENCE_BYTES_MAX {
            return;
        }
        let sizes = self.clients.values().map(|(_, view)| view.size());
        self.bytes = sizes.map(|(bytes, entries)| bytes + entries * PACKET_OVERHEAD).sum();
        // So that the sizes are summed up seldom.
        if self.bytes > AUDIENCE_BYTES_MAX / 4 * 3 {
            *self = Self { is_exceeded: true, ..Self::default() };
        }
    }

    /// Returns the views for a checkpoint, of at most `bytes_max` in sum; none if they have more.
    pub(crate) fn views(&self, bytes_max: usize) -> Vec<ClientView> {
        let (mut views, mut bytes) = (Vec::new(), 0);
        for (client, view) in self.clients.values() {
            let packets = view.packets().map(|(author, packet)| (author, packet.to_vec()));
            let packets: Vec<_> = packets.collect();
            bytes += packets.iter().map(|(_, packet)| packet.len() + 8).sum::<usize>();
            if bytes > bytes_max {
                return Vec::new();
            }
            views.push(ClientView { client: *client, peers: view.peers().collect(), packets });
        }
        views
    }
}

/// Memory in bytes of a kept packet besides its bytes.
const PACKET_OVERHEAD: usize = 64;

/// Returns whether a packet, or the content of a RELAY, may be part of a view.
fn is_kept(packet: &[u8]) -> bool {
    let kind = Codec::default().kind(packet);
    match kind {
        Some(PacketKind::Relay) => packet.get(RELAY_HEAD..).is_some_and(is_kept_content),
        _ => is_kept_content(packet),
    }
}

fn is_kept_content(packet: &[u8]) -> bool {
    let kind = Codec::default().kind(packet);
    use PacketKind::{Delta, Despawn, Path, Spawn};
    matches!(kind, Some(Path | Spawn | Despawn | Delta))
}

fn is_sys(packet: &[u8]) -> bool {
    Codec::default().kind(packet) == Some(PacketKind::Sys)
}

/// Size in bytes of a RELAY before its content.
const RELAY_HEAD: usize = 6;
