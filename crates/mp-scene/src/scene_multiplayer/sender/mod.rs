//! Sending: encodes messages and queues the packets for the connections of their peers.
//!
//! A packet for several peers is encoded once and queued once per endpoint. A packet from a client
//! to another client is wrapped in a RELAY. Packets for a paused peer are queued until it is
//! resumed.

mod paused_queue;
mod queue;
mod routes;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use mp_core::{
    Channel, CloseMode, ConnectionId, DisconnectReason, EndpointId, ErrorChain, PeerId, Prefix,
    Target, ToEndpoint, TransferMode, bug,
};

use crate::SceneMessage;
use crate::codec::{Codec, EncodeError};
use crate::outbox::Outbox;
use crate::scene_multiplayer::packet_stats::PacketCounts;
use paused_queue::PausedQueue;
pub(super) use routes::{Route, Routes};
pub(super) use wire::Wire;

/// Transfer mode and channel of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendOptions {
    pub(super) mode: TransferMode,
    pub(super) channel: Channel,
}

impl SendOptions {
    /// Options of the messages of `SceneMultiplayer` itself.
    pub(super) const INTERNAL: Self = Self { mode: TransferMode::Reliable, channel: Channel(0) };
}

/// Position of a packet in the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueuePosition {
    Back,
    /// Before the last call of this turn.
    BeforeLastCall,
}

/// Encodes messages, and queues packets for endpoints and for paused peers.
#[derive(Debug)]
pub(super) struct Sender {
    wire: Wire,
    routes: Routes,
    outboxes: BTreeMap<EndpointId, Outbox>,
    /// Endpoints whose outbox overflowed with reliable packets.
    stuck: BTreeSet<EndpointId>,
    paused: BTreeMap<PeerId, PausedQueue>,
    paused_drops: u64,
    /// Packets for peers without a connection that are kept.
    kept_drops: u64,
    /// Packets dropped from the queues of endpoints that were removed.
    removed_drops: u64,
    unroutable: u64,
    /// Packets queued for endpoints, by kind.
    sent: PacketCounts,
}

impl Sender {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            wire: Wire::new(codec),
            routes: Routes::default(),
            outboxes: BTreeMap::new(),
            stuck: BTreeSet::new(),
            paused: BTreeMap::new(),
            paused_drops: 0,
            kept_drops: 0,
            removed_drops: 0,
            unroutable: 0,
            sent: PacketCounts::default(),
        }
    }

    /// Adds the queue of an endpoint.
    pub(super) fn add_endpoint(&mut self, endpoint: EndpointId, refuse_new_connections: bool) {
        let outbox = self.outboxes.entry(endpoint).or_default();
        if refuse_new_connections {
            outbox.command(ToEndpoint::RefuseNewConnections(true));
        }
    }

    /// Removes an endpoint and its queue.
    pub(super) fn remove_endpoint(&mut self, endpoint: EndpointId) {
        let removed = self.outboxes.remove(&endpoint);
        self.removed_drops += removed.map_or(0, |outbox| outbox.dropped());
    }

    /// Queues a command for each endpoint.
    pub(super) fn command(&mut self, command: &ToEndpoint) {
        for outbox in self.outboxes.values_mut() {
            outbox.command(command.clone());
        }
    }

    /// Queues a command for one endpoint.
    pub(super) fn command_one(&mut self, endpoint: EndpointId, command: ToEndpoint) {
        if let Some(outbox) = self.outboxes.get_mut(&endpoint) {
            outbox.command(command);
        }
    }

    /// Closes the connection to `peer`, if it has its own. Its route stays.
    pub(super) fn disconnect(&mut self, peer: PeerId, reason: DisconnectReason) {
        self.disconnect_with(peer, reason, CloseMode::Graceful);
    }

    /// Closes the connection to `peer` in the way `close_mode`.
    pub(super) fn disconnect_with(
        &mut self,
        peer: PeerId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        if let Some((endpoint, connection)) = self.routes.connection(peer) {
            self.close_with(endpoint, connection, reason, close_mode);
        }
    }

    /// Closes a connection.
    pub(super) fn close(
        &mut self,
        endpoint: EndpointId,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) {
        self.close_with(endpoint, connection, reason, CloseMode::Graceful);
    }

    fn close_with(
        &mut self,
        endpoint: EndpointId,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        tracing::debug!(?endpoint, %connection, %reason, "disconnecting");
        if let Some(outbox) = self.outboxes.get_mut(&endpoint) {
            outbox.command(ToEndpoint::Disconnect { connection, reason, close_mode });
        }
    }

    /// Closes the connection through which `peer` is reached. The caller has reported the reason
    /// as a bug.
    pub(super) fn fail(&mut self, peer: PeerId) {
        let next = match self.routes.get(peer) {
            Some(Route::Relayed) => PeerId::SERVER,
            _ => peer,
        };
        self.disconnect(next, DisconnectReason::InternalError);
    }

    /// Encodes a message without unchecked values of the program, which cannot fail. If it does
    /// all the same, the connections to `peers`, which the message is for, are closed.
    pub(super) fn encode(&mut self, message: &SceneMessage, peers: &[PeerId]) -> Option<Bytes> {
        let encoded = self.wire.encode(message);
        self.check_encoded(encoded, peers)
    }

    fn check_encoded<T>(&mut self, encoded: Result<T, EncodeError>, peers: &[PeerId]) -> Option<T> {
        match encoded {
            Ok(packet) => Some(packet),
            Err(error) => {
                let error = ErrorChain::new(&error);
                bug!("a message without values of the program cannot be encoded: {error}");
                peers.iter().for_each(|&peer| self.fail(peer));
                None
            }
        }
    }

    /// Sends a message to one peer, with the internal options.
    pub(super) fn send_message(&mut self, message: &SceneMessage, to: PeerId) {
        if let Some(packet) = self.encode(message, &[to]) {
            self.send_to(to, SendOptions::INTERNAL, Prefix::EMPTY, packet);
        }
    }

    /// Sends messages to one peer, with the internal options. They share a buffer, which takes much
    /// less memory than one each, and is freed when none of them is queued any more.
    pub(super) fn send_each(&mut self, messages: impl Iterator<Item = SceneMessage>, to: PeerId) {
        let (mut buffer, mut ends) = (BytesMut::new(), Vec::new());
        for message in messages {
            let encoded = self.wire.encode_to(&message, &mut buffer);
            if self.check_encoded(encoded, &[to]).is_none() {
                return;
            }
            ends.push(buffer.len());
        }
        let (buffer, mut start) = (buffer.freeze(), 0);
        for end in ends {
            let packet = buffer.slice(std::mem::replace(&mut start, end)..end);
            self.send_to(to, SendOptions::INTERNAL, Prefix::EMPTY, packet);
        }
    }

    /// Sends a message to several peers, with the internal options.
    pub(super) fn send_to_all(&mut self, peers: &[PeerId], message: &SceneMessage) {
        if !peers.is_empty()
            && let Some(packet) = self.encode(message, peers)
        {
            self.send_packet(peers, SendOptions::INTERNAL, Prefix::EMPTY, &packet);
        }
    }

    /// Sends a message to one peer, before the last call of this turn.
    pub(super) fn send_before_last_call(&mut self, message: &SceneMessage, to: PeerId) {
        if let Some(packet) = self.encode(message, &[to]) {
            let (position, options) = (QueuePosition::BeforeLastCall, SendOptions::INTERNAL);
            self.send_at(position, to, options, Prefix::EMPTY, packet);
        }
    }

    /// Sends one packet to several peers. It is queued once per endpoint, and once for each relayed
    /// peer.
    pub(super) fn send_packet(
        &mut self,
        peers: &[PeerId],
        options: SendOptions,
        prefix: Prefix,
        payload: &Bytes,
    ) {
        if let &[peer] = peers {
            self.send_to(peer, options, prefix, payload.clone());
            return;
        }
        let mut batches: Vec<(EndpointId, Vec<ConnectionId>)> = Vec::new();
        let mut next = 0;
        for (index, &peer) in peers.iter().enumerate() {
            if self.queue_if_paused(QueuePosition::Back, peer, options, prefix, payload) {
                continue;
            }
            match self.routes.get_next(&mut next, peer) {
                Some(Route::Direct(endpoint, connection)) => {
                    match batches.iter_mut().find(|(id, _)| *id == endpoint) {
                        Some((_, connections)) => connections.push(connection),
                        None => {
                            let mut connections = Vec::with_capacity(peers.len() - index);
                            connections.push(connection);
                            batches.push((endpoint, connections));
                        }
                    }
                }
                Some(Route::Relayed) => {
                    debug_assert!(
                        prefix == Prefix::EMPTY,
                        "a client sent a packet with a relay prefix"
                    );
                    self.queue_to_connections(&mut batches, options, prefix, payload);
                    self.send_through_server(
                        QueuePosition::Back,
                        peer.get(),
                        options,
                        payload.clone(),
                    );
                }
                Some(Route::Kept) => self.kept_drops += 1,
                None => self.unroutable += 1,
            }
        }
        self.queue_to_connections(&mut batches, options, prefix, payload);
    }

    /// Sends one packet to one peer.
    pub(super) fn send_to(
        &mut self,
        peer: PeerId,
        options: SendOptions,
        prefix: Prefix,
        payload: Bytes,
    ) {
        self.send_at(QueuePosition::Back, peer, options, prefix, payload);
    }

    /// Sends a packet through the server to `destination`, in Godot's numbering of targets.
    pub(super) fn relay(&mut self, destination: i32, options: SendOptions, payload: Bytes) {
        self.send_through_server(QueuePosition::Back, destination, options, payload);
    }

    /// Records that the next packet of each queue is a call.
    pub(super) fn record_call(&mut self) {
        self.outboxes.values_mut().for_each(Outbox::record_call);
        self.paused.values_mut().for_each(PausedQueue::record_call);
    }

    /// Pauses a peer: its reliable packets are queued until it is resumed. Does nothing if it is
    /// paused.
    pub(super) fn pause(&mut self, peer: PeerId) {
        if self.routes.contains(peer) {
            self.paused.entry(peer).or_default();
        }
    }

    /// Resumes a peer and sends its queued packets.
    pub(super) fn resume(&mut self, peer: PeerId) {
        let paused = self.paused.remove(&peer).into_iter();
        for (options, prefix, payload) in paused.flat_map(PausedQueue::into_packets) {
            self.send_to(peer, options, prefix, payload);
        }
    }

    pub(super) fn resume_all(&mut self) {
        let paused: Vec<_> = self.paused.keys().copied().collect();
        paused.into_iter().for_each(|peer| self.resume(peer));
    }

    /// Drops and counts the queued packets of a paused peer whose session has ended.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        let dropped = self.paused.remove(&peer).map_or(0, |paused| paused.len());
        self.unroutable += dropped as u64;
    }

    /// Removes all routes and the packets of paused peers. Endpoints and their queues stay.
    pub(super) fn clear(&mut self) {
        self.routes = Routes::default();
        self.paused.clear();
    }

    /// Offers each endpoint its packets and commands in order, until one is rejected.
    pub(super) fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        for (&endpoint, outbox) in &mut self.outboxes {
            outbox.deliver(|message| accept(endpoint, message));
        }
    }

    /// Removes and returns an endpoint whose outbox overflowed with reliable packets.
    pub(super) fn take_stuck(&mut self) -> Option<EndpointId> {
        self.stuck.pop_first()
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(super) fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(super) fn routes_mut(&mut self) -> &mut Routes {
        &mut self.routes
    }

    pub(super) fn is_paused(&self, peer: PeerId) -> bool {
        self.paused.contains_key(&peer)
    }

    /// Returns whether properties may be sent to `peer`: it is not paused, and its endpoint is not
    /// blocked.
    pub(super) fn accepts_properties(&self, peer: PeerId) -> bool {
        let next = match self.routes.get(peer) {
            Some(Route::Relayed) => PeerId::SERVER,
            _ => peer,
        };
        let outbox =
            self.routes.connection(next).and_then(|(endpoint, _)| self.outboxes.get(&endpoint));
        outbox.is_some_and(|outbox| !outbox.is_blocked()) && !self.is_paused(peer)
    }

    /// Returns the peers of `target`. A single peer need not be admitted.
    pub(super) fn peers_of(&self, target: Target) -> Vec<PeerId> {
        match target {
            Target::Peer(peer) => vec![peer],
            _ => {
                let all = self.routes.ids();
                let mut peers = Vec::with_capacity(all.len());
                peers.extend(all.filter(|&peer| target.includes(peer)));
                peers
            }
        }
    }

    /// Returns the number of packets queued for the endpoint with the longest queue.
    pub(super) fn queued_packets(&self) -> usize {
        self.outboxes.values().map(Outbox::packets).max().unwrap_or(0)
    }

    /// Returns whether nothing is queued for endpoints and paused peers.
    pub(super) fn is_empty(&self) -> bool {
        let Self { outboxes, stuck, paused, .. } = self;
        outboxes.values().all(Outbox::is_empty) && stuck.is_empty() && paused.is_empty()
    }

    /// Returns whether an endpoint rejected a message at the last delivery.
    pub(super) fn is_blocked(&self) -> bool {
        self.outboxes.values().any(Outbox::is_blocked)
    }

    /// Returns the number of unreliable packets dropped because an endpoint was blocked.
    pub(super) fn outbox_drops(&self) -> u64 {
        self.removed_drops + self.outboxes.values().map(Outbox::dropped).sum::<u64>()
    }

    /// Returns the number of unreliable packets dropped because their peer was paused.
    pub(super) fn paused_drops(&self) -> u64 {
        self.paused_drops
    }

    /// Counts packets and calls for kept peers that are dropped.
    pub(super) fn count_kept_drops(&mut self, count: usize) {
        self.kept_drops += count as u64;
    }

    /// Returns the number of packets and calls dropped because their peer had no connection and was
    /// kept.
    pub(super) fn kept_drops(&self) -> u64 {
        self.kept_drops
    }

    /// Returns the number of packets for peers that were unknown or left while paused.
    pub(super) fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// Returns the number of packets queued for endpoints, by kind.
    pub(super) fn sent(&self) -> &PacketCounts {
        &self.sent
    }
}
