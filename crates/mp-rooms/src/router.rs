//! [`RoomRouter`]: reads which room a connection selects, and leaves the decision to the registry.

use std::collections::BTreeMap;

use mp_core::{
    BranchId, ConnectionId, ConnectionRouter, DisconnectReason, NewConnection, OutgoingPacket,
    Packet, PeerId, Route,
};

use crate::auth_packet::{auth_data, completion};
use crate::join::{Join, ListenerConnection, ListenerId};
use crate::listener::Listener;
use crate::refusal::JoinRefusal;
use crate::selection::Selection;

/// The way from a router to the registry, which may run on another thread.
pub trait RoomRegistry {
    /// Queues a join. The registry decides about its connection
    /// ([`Endpoint::decide`](mp_core::Endpoint::decide)). Returns false if the queue is full: the
    /// router then rejects the connection.
    fn join(&mut self, join: Join) -> bool;

    /// Queues the end of a connection whose join was queued. It must not be lost.
    fn leave(&mut self, connection: ListenerConnection);
}

/// The router of one endpoint. It passes the selection of each connection to the registry and
/// leaves the decision to it. The endpoint rejects connections about which the registry does not
/// decide, or that select no room, after
/// [`UNDECIDED_TIMEOUT`](mp_core::limits::UNDECIDED_TIMEOUT).
///
/// A connection that selects by authentication packet ([`Unselected::ByAuth`]) is authenticated by
/// the room, if the room does so: it receives all packets. Otherwise the router completes the
/// authentication, and the client enters the room when it has completed it, too.
///
/// [`Unselected::ByAuth`]: crate::Unselected::ByAuth
#[derive(Debug)]
pub struct RoomRouter<R: RoomRegistry> {
    id: ListenerId,
    listener: Listener,
    registry: R,
    connections: BTreeMap<ConnectionId, Progress>,
}

/// The progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The first authentication packet is expected.
    Selecting,
    /// The join was passed to the registry.
    Joining(Option<Exchange>),
}

/// The authentication of a connection that selected by authentication packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Exchange {
    /// True if the client has completed its authentication.
    is_completed: bool,
    /// Branch of the room that admitted the connection without authenticating it.
    admitted_to: Option<BranchId>,
}

impl<R: RoomRegistry> RoomRouter<R> {
    /// Returns the router of the endpoint `id`.
    pub fn new(id: ListenerId, listener: Listener, registry: R) -> Self {
        Self { id, listener, registry, connections: BTreeMap::new() }
    }

    /// Returns the number of connections of the endpoint.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    fn join(
        &mut self,
        connection: ConnectionId,
        claimed_id: Option<PeerId>,
        selection: Result<Selection, JoinRefusal>,
        exchange: Option<Exchange>,
    ) -> Route {
        let of = ListenerConnection { listener: self.id, connection };
        if !self.registry.join(Join { connection: of, claimed_id, selection }) {
            return Route::Reject(DisconnectReason::Refused);
        }
        self.connections.insert(connection, Progress::Joining(exchange));
        Route::Undecided
    }
}

impl<R: RoomRegistry> ConnectionRouter for RoomRouter<R> {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        match self.listener.select(new.origin) {
            Some(selection) => self.join(new.connection, new.claimed_id, selection, None),
            None => {
                self.connections.insert(new.connection, Progress::Selecting);
                Route::Undecided
            }
        }
    }

    fn handle_packet(
        &mut self,
        new: &NewConnection<'_>,
        packet: &Packet,
        _: &mut Vec<OutgoingPacket>,
    ) -> Route {
        let data = auth_data(&packet.payload);
        match self.connections.get_mut(&new.connection) {
            Some(Progress::Selecting) => {
                let selection = match data {
                    Some(data) => Selection::from_auth(data),
                    None => Err(JoinRefusal::NoAuthentication),
                };
                let selection = selection.map(|selection| self.listener.with_template(selection));
                self.join(new.connection, new.claimed_id, selection, Some(Exchange::default()))
            }
            Some(Progress::Joining(Some(exchange))) => {
                exchange.is_completed |= data.is_some_and(<[u8]>::is_empty);
                exchange.route()
            }
            // The packet is kept for the room.
            Some(Progress::Joining(None)) => Route::Undecided,
            None => Route::Reject(DisconnectReason::Refused),
        }
    }

    fn handle_decision(
        &mut self,
        new: &NewConnection<'_>,
        decision: Route,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        let progress = self.connections.get_mut(&new.connection);
        let (Route::Admit(branch), Some(Progress::Joining(Some(exchange)))) = (decision, progress)
        else {
            return decision;
        };
        exchange.admitted_to = Some(branch);
        replies.push(completion(new.connection));
        exchange.route()
    }

    fn retain_packets(&mut self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        if let Some(Progress::Joining(Some(exchange))) = self.connections.get(&connection)
            && exchange.admitted_to.is_some()
        {
            packets.retain(|packet| auth_data(&packet.payload).is_none());
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        if let Some(Progress::Joining(_)) = self.connections.remove(&connection) {
            self.registry.leave(ListenerConnection { listener: self.id, connection });
        }
    }
}

/// Reports the end of all connections, should the endpoint end without closing them.
impl<R: RoomRegistry> Drop for RoomRouter<R> {
    fn drop(&mut self) {
        while let Some((&connection, _)) = self.connections.first_key_value() {
            self.forget(connection);
        }
    }
}

impl Exchange {
    /// Assigns the connection if it is admitted and both sides have completed.
    fn route(self) -> Route {
        match self.admitted_to {
            Some(branch) if self.is_completed => Route::Admit(branch),
            _ => Route::Undecided,
        }
    }
}
