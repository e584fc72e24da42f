//! What this side says to its peers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mp_core::{
    Channel, ConnectionId, Connections, EndpointId, Outgoing, PeerId, Prefix, Target, TransferMode,
    Variant,
};

use super::pause::Paused;
use super::{Route, RpcError, SceneMultiplayer, SendBytesError};
use crate::SceneMessage;
use crate::api::{Call, Called};
use crate::codec::{EncodeError, godot};
use crate::message::{CallNode, RemoteCall};
use crate::outbox::Outbox;
use crate::rpc::RpcConfig;
use crate::tree::{NodeId, NodeTree};

/// How a packet travels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Travel {
    pub(super) mode: TransferMode,
    pub(super) channel: Channel,
}

impl Travel {
    /// What SceneMultiplayer itself says.
    pub(super) const INTERNAL: Self = Self { mode: TransferMode::Reliable, channel: Channel(0) };
}

impl SceneMultiplayer {
    /// Sends bytes of the program's own; the others' signal is [`PeerPacket`](crate::Signal::PeerPacket).
    ///
    /// On a client with the relay on, anything but the server goes through the server, which must have admitted this side and need
    /// not know the target.
    ///
    /// # Errors
    ///
    /// See [`SendBytesError`].
    pub fn send_bytes(
        &mut self,
        data: &[u8],
        target: impl Into<Target>,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        let target = target.into();
        if data.is_empty() {
            return Err(SendBytesError::Empty);
        }
        if !self.is_in_session() {
            return Err(SendBytesError::NotConnected);
        }
        let travel = Travel { mode, channel };
        let packet = self.encode(&SceneMessage::Raw(Bytes::copy_from_slice(data)));
        if self.is_relayed_client() && target != Target::SERVER {
            if !self.peers.contains(PeerId::SERVER) {
                return Err(SendBytesError::NotConnected);
            }
            self.send_through_server(target.to_raw(), travel, packet);
            return Ok(());
        }
        if let Target::Peer(peer) = target
            && !self.peers.contains(peer)
        {
            return Err(SendBytesError::UnknownPeer(peer));
        }
        let peers = self.peers_of(target);
        self.send_packet(&peers, travel, packet);
        Ok(())
    }

    /// Calls `method` of `node` on `target`.
    pub(super) fn call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<Called, RpcError> {
        let ids = tree.rpc_ids(node).ok_or(RpcError::NotInTree)?;
        if !self.is_in_session() {
            return Err(RpcError::NotConnected);
        }
        let path = tree.path_of(node).ok_or(RpcError::NotInTree)?;
        let Some((number, config)) = ids.by_name(method) else {
            return Err(RpcError::NoSuchMethod { method: method.to_owned(), path });
        };
        self.outboxes.values_mut().for_each(Outbox::note_call);
        self.paused.values_mut().for_each(Paused::note_call);
        let own = self.unique_id;
        if target == Target::Peer(own) && !config.call_local {
            return Err(RpcError::NotCallLocal { method: method.to_owned() });
        }
        let at_home = config.call_local && target.includes(own);

        let args_at_home = if at_home { args.clone() } else { Vec::new() };
        let sent = if target == Target::Peer(own) {
            Ok(())
        } else {
            let call = OutgoingCall { node, path, checksum: ids.checksum(), number, config };
            self.send_call(tree, target, call, args)
        };
        let local =
            at_home.then(|| Call { node, method: method.into(), args: args_at_home, sender: own });
        Ok(Called { sent, local })
    }

    /// Sends what SceneMultiplayer itself has to say to one peer.
    pub(super) fn send_message(&mut self, message: &SceneMessage, to: PeerId) {
        let packet = self.encode(message);
        self.send_to(to, Travel::INTERNAL, Prefix::EMPTY, packet);
    }

    /// Sends what SceneMultiplayer itself has to say to several peers: encoded once, queued once per
    /// endpoint.
    pub(super) fn send_to_all(&mut self, peers: &[PeerId], message: &SceneMessage) {
        if !peers.is_empty() {
            let packet = self.encode(message);
            self.send_packet(peers, Travel::INTERNAL, packet);
        }
    }

    /// Sends one packet to several peers: once for the links of each endpoint, and through the server to each other
    /// client.
    pub(super) fn send_packet(&mut self, peers: &[PeerId], travel: Travel, payload: Bytes) {
        self.send_prefixed(peers, travel, Prefix::EMPTY, payload);
    }

    pub(super) fn send_prefixed(
        &mut self,
        peers: &[PeerId],
        travel: Travel,
        prefix: Prefix,
        payload: Bytes,
    ) {
        let mut links: Vec<(EndpointId, Vec<ConnectionId>)> = Vec::new();
        for &peer in peers {
            if self.hold_for_paused(peer, travel, prefix, &payload) {
                continue;
            }
            match self.peers.route(peer) {
                Some(Route::Link(endpoint, connection)) => {
                    match links.iter_mut().find(|(id, _)| *id == endpoint) {
                        Some((_, connections)) => connections.push(connection),
                        None => links.push((endpoint, vec![connection])),
                    }
                }
                Some(Route::Relayed) => {
                    debug_assert!(prefix == Prefix::EMPTY, "a client does not relay");
                    self.queue_to_links(&mut links, travel, prefix, &payload);
                    self.send_through_server(peer.get(), travel, payload.clone());
                }
                None => self.stats.stray_packets += 1,
            }
        }
        self.queue_to_links(&mut links, travel, prefix, &payload);
    }

    /// Sends one packet to one peer.
    pub(super) fn send_to(&mut self, peer: PeerId, travel: Travel, prefix: Prefix, payload: Bytes) {
        if self.hold_for_paused(peer, travel, prefix, &payload) {
            return;
        }
        let Travel { mode, channel } = travel;
        match self.peers.route(peer) {
            Some(Route::Link(endpoint, connection)) => {
                let to = connection.into();
                self.queue(endpoint, Outgoing { to, mode, channel, prefix, payload });
            }
            Some(Route::Relayed) => {
                let inner = join(prefix, payload);
                self.send_through_server(peer.get(), travel, inner);
            }
            None => self.stats.stray_packets += 1,
        }
    }

    /// Whether properties may be sent to `peer` now: it is not paused, and its endpoint takes what it is offered.
    pub(super) fn takes_replication(&self, peer: PeerId) -> bool {
        let endpoint = match self.peers.route(peer) {
            Some(Route::Link(endpoint, _)) => Some(endpoint),
            Some(Route::Relayed) => self.link(PeerId::SERVER).map(|(endpoint, _)| endpoint),
            None => None,
        };
        let outbox = endpoint.and_then(|endpoint| self.outboxes.get(&endpoint));
        outbox.is_some_and(|outbox| !outbox.is_blocked()) && !self.is_paused(peer)
    }

    fn queue_to_links(
        &mut self,
        links: &mut Vec<(EndpointId, Vec<ConnectionId>)>,
        travel: Travel,
        prefix: Prefix,
        payload: &Bytes,
    ) {
        for (endpoint, connections) in links.drain(..) {
            let to = match connections[..] {
                [one] => Connections::One(one),
                _ => Connections::Many(Arc::from(connections)),
            };
            let Travel { mode, channel } = travel;
            let payload = payload.clone();
            self.queue(endpoint, Outgoing { to, mode, channel, prefix, payload });
        }
    }

    /// The peers that `target` means.
    pub(super) fn peers_of(&self, target: Target) -> Vec<PeerId> {
        match target {
            Target::Peer(peer) => vec![peer],
            _ => self.peers.ids().filter(|&peer| target.includes(peer)).collect(),
        }
    }

    /// Whether this side reaches other clients through the server.
    pub(super) fn is_relayed_client(&self) -> bool {
        !self.is_server() && self.relays()
    }

    fn send_through_server(&mut self, destination: i32, travel: Travel, payload: Bytes) {
        let Some((endpoint, connection)) = self.link(PeerId::SERVER) else {
            self.stats.stray_packets += 1;
            return;
        };
        let Travel { mode, channel } = travel;
        let prefix = godot::relay_prefix(destination);
        self.queue(endpoint, Outgoing { to: connection.into(), mode, channel, prefix, payload });
    }

    fn queue(&mut self, endpoint: EndpointId, packet: Outgoing) {
        let Some(outbox) = self.outboxes.get_mut(&endpoint) else { return };
        let result = if self.in_front_of_calls {
            outbox.send_in_front_of_call(packet)
        } else {
            outbox.send(packet)
        };
        if result.is_err() {
            self.stuck.insert(endpoint);
        }
    }

    fn send_call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        call: OutgoingCall<'_>,
        args: Vec<Variant>,
    ) -> Result<(), RpcError> {
        if args.len() > usize::from(u8::MAX) {
            return Err(EncodeError::TooManyArguments(args.len()).into());
        }
        // A peer that is excluded must be known too.
        if let Target::Peer(peer) | Target::AllExcept(peer) = target
            && !self.peers.contains(peer)
        {
            return Err(RpcError::UnknownPeer(peer));
        }
        let peers = self.callees(tree, call.node, target);
        if peers.is_empty() {
            if let Target::Peer(peer) = target {
                return Err(RpcError::NotVisible(peer));
            }
            return Ok(());
        }
        let OutgoingCall { node, path, checksum, number, config } = call;
        let id = self.own_paths.id_of(node);
        for &peer in &peers {
            if self.own_paths.note_announced(peer, id, node) {
                let path = path.clone();
                let simplify = SceneMessage::SimplifyPath { id, checksum: *checksum, path };
                self.send_message(&simplify, peer);
            }
        }

        let travel = Travel { mode: config.transfer_mode, channel: config.channel };
        let confirmed = |peer: &PeerId| self.own_paths.is_confirmed(*peer, id);
        let all_confirmed = peers.iter().all(confirmed);
        let runs: Vec<(bool, Vec<PeerId>)> = peers
            .chunk_by(|a, b| confirmed(a) == confirmed(b))
            .map(|run| (confirmed(&run[0]), run.to_vec()))
            .collect();
        // One form for those who know the number, one with the path for the others; each encoded once.
        let mut args = args;
        let (mut by_id, mut by_path) = (None, None);
        for (knows, run) in runs {
            let form = if knows { &mut by_id } else { &mut by_path };
            let packet = match form {
                Some(packet) => packet,
                None => {
                    let node = if knows {
                        CallNode::Id { id, wide: !all_confirmed }
                    } else {
                        CallNode::Path(path.clone())
                    };
                    let call = RemoteCall { node, method: number, args, complete: true };
                    let message = SceneMessage::RemoteCall(call);
                    let packet = self.try_encode(&message)?;
                    let SceneMessage::RemoteCall(call) = message else { unreachable!() };
                    args = call.args;
                    form.insert(packet)
                }
            };
            let packet = packet.clone();
            self.send_packet(&run, travel, packet);
        }
        Ok(())
    }

    fn try_encode(&self, message: &SceneMessage) -> Result<Bytes, EncodeError> {
        let mut packet = BytesMut::new();
        self.codec.encode(message, self.objects, &mut packet)?;
        Ok(packet.freeze())
    }

    /// For messages without values, which always have a form on the wire.
    pub(super) fn encode(&self, message: &SceneMessage) -> Bytes {
        self.try_encode(message).unwrap_or_default()
    }
}

/// A packet with its prefix, for where there is another.
fn join(prefix: Prefix, payload: Bytes) -> Bytes {
    if prefix == Prefix::EMPTY {
        return payload;
    }
    [prefix.as_slice(), &payload].concat().into()
}

/// A call that is about to be sent.
struct OutgoingCall<'a> {
    node: NodeId,
    path: String,
    checksum: &'a [u8; 32],
    number: u16,
    config: RpcConfig,
}
