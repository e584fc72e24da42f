//! Requests of players whose limits hold for all nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_cluster::{PlayerReport, SeatOffer};
use mp_core::{DisconnectReason, Rejection};
use mp_identity::{AuthRefusal, Identity, Subject};
use mp_rooms::{
    JoinRefusal, ListenerConnection, MatchRefusal, MatchRequest, MatchVerb, PlayerLimits,
    PlayerUsage, TicketHash,
};

use super::RoomsHost;
use crate::cluster::LimitedRequest;
use crate::rooms::host::HostEvent;

/// The requests about which other nodes are asked.
#[derive(Debug, Default)]
pub(super) struct LimitChecks {
    players: BTreeMap<Subject, Requests>,
    /// Number of requests.
    count: usize,
    /// Connections whose join waits for a check.
    connections: BTreeSet<ListenerConnection>,
}

/// The requests of a player.
#[derive(Debug, Default)]
struct Requests {
    /// Joins of a player who may have one connection.
    joins: usize,
    /// Requests that create rooms.
    rooms: usize,
    all: usize,
}

impl LimitChecks {
    /// Adds a request. `usage`: the player's connections and rooms on this node.
    fn begin(
        &mut self,
        limits: &PlayerLimits,
        usage: PlayerUsage,
    ) -> Result<LimitedRequest, JoinRefusal> {
        if self.count >= CHECKS_MAX {
            return Err(JoinRefusal::TooManyWaiting);
        }
        let earlier = self.players.get(&limits.player);
        let (joins, new_rooms) = earlier.map_or((0, 0), |it| (it.joins, it.rooms));
        let rooms = usage.rooms + new_rooms;
        if limits.is_single && joins > 0 {
            return Err(JoinRefusal::AlreadyConnected);
        }
        if limits.max_rooms.is_some_and(|max| rooms >= max) {
            return Err(JoinRefusal::TooManyRoomsOfPlayer);
        }
        let requests = self.players.entry(limits.player.clone()).or_default();
        requests.joins += usize::from(limits.is_single);
        requests.rooms += usize::from(limits.max_rooms.is_some());
        requests.all += 1;
        self.count += 1;
        Ok(LimitedRequest { limits: limits.clone(), rooms })
    }

    /// Removes a request that is decided.
    fn end(&mut self, limits: &PlayerLimits) {
        let Some(requests) = self.players.get_mut(&limits.player) else { return };
        requests.joins -= usize::from(limits.is_single);
        requests.rooms -= usize::from(limits.max_rooms.is_some());
        requests.all -= 1;
        self.count -= 1;
        if requests.all == 0 {
            self.players.remove(&limits.player);
        }
    }

    /// Returns whether the join of a connection waits.
    pub(super) fn contains(&self, connection: ListenerConnection) -> bool {
        self.connections.contains(&connection)
    }

    /// Removes a connection. Returns false if its join does not wait.
    fn forget(&mut self, connection: ListenerConnection) -> bool {
        self.connections.remove(&connection)
    }
}

impl RoomsHost {
    /// Reports the connections and rooms of a player to another node.
    pub(in crate::rooms::host) fn report_of(&self, player: &Subject) -> PlayerReport {
        let usage = self.rooms.usage_of(player);
        let requests = self.cluster.as_ref().and_then(|it| it.checks.players.get(player));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        PlayerReport {
            is_connected: usage.is_connected,
            is_joining: requests.is_some_and(|requests| requests.joins > 0),
            rooms: count(usage.rooms),
            new_rooms: count(requests.map_or(0, |requests| requests.rooms)),
        }
    }

    /// Reserves a seat for a player, once other nodes have confirmed that the player may create a
    /// room if it does. `reply` receives the seat.
    pub(in crate::rooms) fn request_seat_within_limits(
        &mut self,
        verb: MatchVerb,
        request: MatchRequest,
        ticket: TicketHash,
        identity: Arc<Identity>,
        reply: impl FnOnce(&mut Self, Result<SeatOffer, MatchRefusal>) + Send + 'static,
    ) {
        let limits = self.rooms.limits_of_request(verb, &request, &identity);
        self.within_limits(limits, move |host, checked| {
            let seat = match checked {
                Ok(()) => host.request_seat(verb, &request, ticket, &identity),
                Err(JoinRefusal::TooManyRoomsOfPlayer) => Err(MatchRefusal::TooManyRoomsOfPlayer),
                Err(JoinRefusal::TooManyWaiting) => Err(MatchRefusal::Overloaded),
                Err(_) => Err(MatchRefusal::Unreachable),
            };
            reply(host, seat);
        });
    }

    /// Lets a connection join a room of this node, once other nodes have confirmed that its player
    /// keeps its limits. `then` is called even if the connection has ended or was refused, with
    /// false.
    pub(in crate::rooms) fn join_within_limits(
        &mut self,
        connection: ListenerConnection,
        limits: Option<PlayerLimits>,
        then: impl FnOnce(&mut Self, bool) + Send + 'static,
    ) {
        let (Some(limits), Some(cluster)) = (limits, &mut self.cluster) else {
            return then(self, true);
        };
        cluster.checks.connections.insert(connection);
        let player = limits.player.clone();
        self.within_limits(Some(limits), move |host, checked| {
            let checks = host.cluster.as_mut().map(|cluster| &mut cluster.checks);
            let is_waiting = checks.is_some_and(|checks| checks.forget(connection));
            let may_join = is_waiting && host.may_join(connection, &player, checked);
            then(host, may_join);
        });
    }

    /// Forgets the join of a connection that has ended.
    pub(in crate::rooms::host) fn forget_check(&mut self, connection: ListenerConnection) {
        if let Some(cluster) = &mut self.cluster {
            cluster.checks.forget(connection);
        }
    }

    /// Refuses a connection if its player does not keep its limits, or was banned meanwhile.
    fn may_join(
        &mut self,
        connection: ListenerConnection,
        player: &Subject,
        checked: Result<(), JoinRefusal>,
    ) -> bool {
        if self.settings.bans.is_banned(player) {
            let reason = DisconnectReason::Rejected(Rejection::from(AuthRefusal::Banned));
            if let Some(socket) = self.socket_of(connection.listener) {
                socket.reject(connection, reason);
            }
            return false;
        }
        checked.inspect_err(|&refusal| self.rooms.refuse(connection, refusal)).is_ok()
    }

    /// Asks the other nodes whether a player keeps the limits that a request touches. `then` is
    /// called with the refusal if it does not.
    fn within_limits(
        &mut self,
        limits: Option<PlayerLimits>,
        then: impl FnOnce(&mut Self, Result<(), JoinRefusal>) + Send + 'static,
    ) {
        let (Some(limits), Some(cluster)) = (limits, &mut self.cluster) else {
            return then(self, Ok(()));
        };
        if !cluster.handle.shares_limits() {
            return then(self, Ok(()));
        }
        let request = match cluster.checks.begin(&limits, self.rooms.usage_of(&limits.player)) {
            Ok(request) => request,
            Err(refusal) => return then(self, Err(refusal)),
        };
        let (handle, events) = (cluster.handle.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let checked = handle.check_limits(&request).await;
            let decide = move |host: &mut Self| {
                // The registry has the join, or it is refused, before other nodes are answered.
                if let Some(cluster) = &mut host.cluster {
                    cluster.checks.end(&limits);
                }
                then(host, checked);
            };
            let _ = events.send(HostEvent::Call(Box::new(decide))).await;
        });
    }
}

/// Requests about which other nodes are asked at the same time.
const CHECKS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(player: usize, is_single: bool, max_rooms: Option<usize>) -> PlayerLimits {
        let mut limits = PlayerLimits::new(Subject::new(&format!("player-{player}")).unwrap());
        (limits.is_single, limits.max_rooms) = (is_single, max_rooms);
        limits
    }

    #[test]
    fn requests_of_a_player_on_one_node_count_until_they_are_decided() {
        let (mut checks, usage) = (LimitChecks::default(), PlayerUsage::default());
        let single = limits(0, true, Some(2));
        assert_eq!(checks.begin(&single, usage).unwrap().rooms, 0);
        let refused = checks.begin(&single, usage).unwrap_err();
        assert_eq!(refused, JoinRefusal::AlreadyConnected);
        let creates = limits(0, false, Some(2));
        assert_eq!(checks.begin(&creates, usage).unwrap().rooms, 1);
        let refused = checks.begin(&creates, usage).unwrap_err();
        assert_eq!(refused, JoinRefusal::TooManyRoomsOfPlayer);
        checks.end(&single);
        assert_eq!(checks.begin(&single, usage).unwrap().rooms, 1);
    }

    #[test]
    fn requests_about_which_other_nodes_are_asked_are_bounded() {
        let (mut checks, usage) = (LimitChecks::default(), PlayerUsage::default());
        for player in 0..CHECKS_MAX {
            assert!(checks.begin(&limits(player, true, None), usage).is_ok());
        }
        let further = limits(CHECKS_MAX, true, None);
        assert_eq!(checks.begin(&further, usage).unwrap_err(), JoinRefusal::TooManyWaiting);
        checks.end(&limits(0, true, None));
        assert!(checks.begin(&further, usage).is_ok());
        for player in 1..=CHECKS_MAX {
            checks.end(&limits(player, true, None));
        }
        assert!(checks.players.is_empty() && checks.count == 0);
    }
}
