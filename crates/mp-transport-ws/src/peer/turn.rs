//! The turn of a peer: reading ready connections, timers that are due, and connections that end.

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionStatus, DisconnectReason, Instant, PeerEvent, Readiness, TransferMode,
};

use super::{Role, WebSocketMultiplayerPeer};
use crate::connection_io::ConnectionIo;
use crate::connection_table::suspension;
use crate::io::{SOURCE, StreamSource};
use crate::limits::{BYTES_PER_POLL, EVENTS_PER_POLL};

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    pub(super) fn is_waking(&self) -> bool {
        self.readiness == Readiness::Waker
    }

    /// Adds the slots that are ready to the list.
    pub(super) fn collect_ready(&mut self, now: Instant) {
        if self.is_waking() {
            self.ready_list.take(&mut self.woken);
            self.ready.extend(self.woken.drain(..));
            if let Role::Server(acceptor) = &mut self.role
                && acceptor.retry.take_if(|retry| *retry <= now).is_some()
            {
                self.ready.push_back(SOURCE);
            }
        } else if self.ready.is_empty() {
            self.ready.push_back(SOURCE);
            self.ready.extend(self.connections.slots());
        }
    }

    /// Receives from ready connections up to the limits of a turn. The others stay listed for the
    /// next turn.
    pub(super) fn receive(&mut self, now: Instant) {
        let mut taken = 0;
        while taken < BYTES_PER_POLL
            && self.session.events.len() < EVENTS_PER_POLL
            && let Some(slot) = self.ready.pop_front()
        {
            if slot == SOURCE {
                match &self.role {
                    Role::Server(_) => self.accept(now),
                    Role::Client(_) => self.join(now),
                }
                continue;
            }
            // The connection may have ended since it was woken.
            let Some(entry) = self.connections.at(slot) else { continue };
            let (bytes, more) = entry.read(now, &mut self.read_buffer, &mut self.session);
            taken += bytes;
            self.session.network_bytes_received += bytes as u64;
            if more {
                entry.wake();
            }
            self.connections.update_timer(slot);
            self.shed_if_over_limit(now, slot);
            self.update(slot);
            if self.session.text.has_events() {
                self.run_text();
            }
        }
    }

    /// Ends a client's attempt that timed out, and runs the due timers of connections.
    pub(super) fn handle_timeouts(&mut self, now: Instant) {
        if let Role::Client(Some(attempt)) = &mut self.role
            && let Some(deadline) = &mut attempt.deadline
            && now >= *deadline
        {
            if let Some(time) = suspension(*deadline, now) {
                *deadline += time;
                return;
            }
            self.source = None;
            self.role = Role::Client(None);
            self.session.status = ConnectionStatus::Disconnected;
        }
        self.connections.postpone_timeouts(now);
        while let Some(slot) = self.connections.due(now) {
            let Some(entry) = self.connections.at(slot) else {
                mp_core::bug!("slot {slot} has a timer, but no connection");
                return;
            };
            if entry.handle_timeout(now, &mut self.session) {
                self.ready.push_back(slot);
            }
            self.update(slot);
        }
    }

    /// Closes a connection whose incomplete message exceeds its share while all connections
    /// together exceed their limit.
    pub(super) fn shed_if_over_limit(&mut self, now: Instant, slot: usize) {
        if self.connections.is_within_limit(slot) {
            return;
        }
        let Some(entry) = self.connections.at(slot) else {
            mp_core::bug!("slot {slot} has received bytes, but has no connection");
            return;
        };
        if entry.connection.unfinished_bytes() > 0 {
            entry.connection.shed(now, DisconnectReason::QueueFull);
            self.stats.shed += 1;
        }
    }

    /// Queues a packet for one of the `connections` connections that share its payload.
    pub(super) fn send_to(
        &mut self,
        connection: ConnectionId,
        mode: TransferMode,
        payload: Bytes,
        connections: usize,
    ) {
        let (now, slot) = (self.now, connection.slot as usize);
        let may_wait = self.connections.may_wait(slot, payload.len(), connections);
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.connection.send(now, mode, (payload, connections), may_wait, &self.session);
        self.connections.update(slot);
    }

    /// Updates the state kept about a connection, and removes the connection if it is closed.
    pub(super) fn update(&mut self, slot: usize) {
        self.connections.update(slot);
        let Some(end) = self.connections.at(slot).and_then(|entry| entry.connection.end()) else {
            return;
        };
        let Some(entry) = self.connections.remove(slot) else {
            mp_core::bug!("the connection of slot {slot} ends, but is gone");
            return;
        };
        if let Some(client) = entry.connection.client() {
            self.session.free_id(client);
        }
        if matches!(self.role, Role::Client(_)) {
            self.session.status = ConnectionStatus::Disconnected;
        }
        if entry.connection.is_text() {
            self.session.text.close(entry.connection.id());
        } else if let Some(reason) = end.reason {
            let connection = entry.connection.id();
            self.session.events.push_back(PeerEvent::Disconnected { connection, reason });
        }
        self.retire(entry);
    }

    /// Keeps a removed connection if it has bytes left to write, otherwise only its statistics.
    pub(super) fn retire(&mut self, entry: ConnectionIo<S::Stream>) {
        if entry.has_output() {
            self.closing.push(entry);
        } else {
            self.ended.add_all(&entry.connection.stats());
        }
    }
}
