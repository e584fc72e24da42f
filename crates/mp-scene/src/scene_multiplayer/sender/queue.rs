//! Packets are queued for the endpoint that reaches their peer.

use std::sync::Arc;

use bytes::Bytes;
use mp_core::{
    ConnectionId, Connections, DisconnectReason, EndpointId, OutgoingPacket, PeerId, Prefix, bug,
};

use super::{QueuePosition, Route, SendOptions, Sender};
use crate::codec::godot;

impl Sender {
    pub(super) fn send_at(
        &mut self,
        position: QueuePosition,
        peer: PeerId,
        options: SendOptions,
        prefix: Prefix,
        payload: Bytes,
    ) {
        if self.queue_if_paused(position, peer, options, prefix, &payload) {
            return;
        }
        let SendOptions { mode, channel } = options;
        match self.routes.get(peer) {
            Some(Route::Direct(endpoint, connection)) => {
                let to = connection.into();
                self.queue(
                    position,
                    endpoint,
                    OutgoingPacket { to, mode, channel, prefix, payload },
                );
            }
            Some(Route::Relayed) => {
                let inner = join(prefix, payload);
                self.send_through_server(position, peer.get(), options, inner);
            }
            Some(Route::Kept) => self.kept_drops += 1,
            None => self.unroutable += 1,
        }
    }

    /// Queues a packet if its peer is paused; returns whether it is.
    pub(super) fn queue_if_paused(
        &mut self,
        position: QueuePosition,
        peer: PeerId,
        options: SendOptions,
        prefix: Prefix,
        payload: &Bytes,
    ) -> bool {
        let Some(paused) = self.paused.get_mut(&peer) else { return false };
        if !options.mode.is_reliable() {
            self.paused_drops += 1;
        } else if paused.push(position, options, prefix, payload.clone()).is_err() {
            tracing::debug!(%peer, "disconnecting a paused peer: its queue is full");
            self.paused.remove(&peer);
            self.disconnect(peer, DisconnectReason::QueueFull);
        }
        true
    }

    pub(super) fn queue_to_connections(
        &mut self,
        batches: &mut Vec<(EndpointId, Vec<ConnectionId>)>,
        options: SendOptions,
        prefix: Prefix,
        payload: &Bytes,
    ) {
        for (endpoint, connections) in batches.drain(..) {
            let to = match connections[..] {
                [one] => Connections::One(one),
                _ => Connections::Many(Arc::from(connections)),
            };
            let SendOptions { mode, channel } = options;
            let payload = payload.clone();
            self.queue(
                QueuePosition::Back,
                endpoint,
                OutgoingPacket { to, mode, channel, prefix, payload },
            );
        }
    }

    pub(super) fn send_through_server(
        &mut self,
        position: QueuePosition,
        destination: i32,
        options: SendOptions,
        payload: Bytes,
    ) {
        let Some((endpoint, connection)) = self.routes.connection(PeerId::SERVER) else {
            self.unroutable += 1;
            return;
        };
        let SendOptions { mode, channel } = options;
        let (to, prefix) = (connection.into(), godot::relay_prefix(destination));
        self.queue(position, endpoint, OutgoingPacket { to, mode, channel, prefix, payload });
    }

    pub(super) fn queue(
        &mut self,
        position: QueuePosition,
        endpoint: EndpointId,
        packet: OutgoingPacket,
    ) {
        let Some(outbox) = self.outboxes.get_mut(&endpoint) else {
            bug!("a peer is reached through {endpoint:?}, which has no outbox");
            self.unroutable += 1;
            return;
        };
        let head = match packet.prefix.as_slice() {
            [] => &packet.payload[..],
            prefix => prefix,
        };
        if let Some(kind) = self.wire.kind(head) {
            self.sent.count(kind, packet.to.as_slice().len(), packet.len());
        }
        let result = match position {
            QueuePosition::Back => outbox.send(packet),
            QueuePosition::BeforeLastCall => outbox.send_in_front_of_call(packet),
        };
        if result.is_err() {
            self.stuck.insert(endpoint);
        }
    }
}

/// Returns the payload with its prefix, for a packet that gets another prefix.
fn join(prefix: Prefix, payload: Bytes) -> Bytes {
    if prefix == Prefix::EMPTY {
        return payload;
    }
    [prefix.as_slice(), &payload].concat().into()
}
