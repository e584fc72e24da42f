//! [`NearLinks`]: endpoints of this node that serve rooms of others.

use std::collections::{BTreeMap, BTreeSet};

use mp_actor::{MailboxId, RemoteBranch, RemoteInput};
use mp_cluster::{ClusterNodeId, Epoch, Gateways, LinkId};
use mp_core::{
    BranchId, ConnectionId, DisconnectReason, EndpointId, Instant, PeerId, Route, ToBranch,
    ToEndpoint,
};

use super::requests::RouteKey;

/// The links from endpoints of this node. Each endpoint has one per room, to the room's owner.
#[derive(Debug, Default)]
pub(super) struct NearLinks {
    routes: BTreeMap<RouteKey, RouteState>,
    links: BTreeMap<LinkId, NearLink>,
    mailboxes: BTreeMap<MailboxId, LinkId>,
    /// Links whose endpoint has sent a message since their last visit.
    ready: BTreeSet<LinkId>,
}

/// The owner of a room.
type Owner = (ClusterNodeId, Epoch);

#[derive(Debug)]
enum RouteState {
    /// The endpoint starts to serve the room. Admitted connections wait.
    Opening { owner: Owner, waiting: Vec<(ConnectionId, Entry)> },
    /// New connections enter by this link.
    Open { owner: Owner, link: LinkId, branch: BranchId },
}

#[derive(Debug)]
struct NearLink {
    key: RouteKey,
    remote: RemoteBranch,
    is_closed: bool,
}

/// The way in which a connection enters a room.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    Admit { authenticates: bool },
    Resume(PeerId),
}

impl Entry {
    fn route(self, branch: BranchId) -> Route {
        match self {
            Self::Admit { authenticates: true } => Route::Branch(branch),
            Self::Admit { authenticates: false } => Route::Admit(branch),
            Self::Resume(peer) => Route::Resume(branch, peer),
        }
    }
}

/// The consequence of an admitted connection.
#[derive(Debug)]
pub(super) enum EnterStep {
    /// The endpoint has this decision.
    Decide(Route),
    /// The endpoint starts to serve the room first.
    Serve,
    /// The connection waits for that.
    Wait,
}

impl NearLinks {
    /// Lets an admitted connection enter a room.
    pub(super) fn enter(
        &mut self,
        key: RouteKey,
        owner: Owner,
        connection: ConnectionId,
        entry: Entry,
    ) -> EnterStep {
        match self.routes.get_mut(&key) {
            // A later owner has got the room from the one that has admitted the player.
            Some(RouteState::Open { owner: of, branch, .. }) if of.1 >= owner.1 => {
                EnterStep::Decide(entry.route(*branch))
            }
            Some(RouteState::Opening { owner: of, waiting }) => {
                // The newest owner has the room.
                *of = if owner.1 > of.1 { owner } else { *of };
                waiting.push((connection, entry));
                EnterStep::Wait
            }
            Some(RouteState::Open { .. }) | None => {
                let waiting = vec![(connection, entry)];
                self.routes.insert(key, RouteState::Opening { owner, waiting });
                EnterStep::Serve
            }
        }
    }

    /// Opens the link of an endpoint that serves a room now. Returns the decisions about the
    /// connections that wait: `None` if they are refused.
    pub(super) fn served(
        &mut self,
        now: Instant,
        gateways: &mut Gateways,
        key: RouteKey,
        served: Option<RemoteBranch>,
    ) -> Vec<(ConnectionId, Option<Route>)> {
        let Some(RouteState::Opening { owner, waiting }) = self.routes.remove(&key) else {
            return Vec::new();
        };
        let link = served.and_then(|remote| {
            let branch = remote.id();
            let link = gateways.open(now, key.room.clone(), owner, branch)?;
            self.routes.insert(key.clone(), RouteState::Open { owner, link, branch });
            self.insert(link, key, remote);
            Some(branch)
        });
        let decided = waiting
            .into_iter()
            .map(|(connection, entry)| (connection, link.map(|branch| entry.route(branch))));
        decided.collect()
    }

    /// Adds the link of an endpoint that has served a branch of this node, which moves to another.
    pub(super) fn insert_frozen(&mut self, link: LinkId, key: RouteKey, remote: RemoteBranch) {
        self.insert(link, key, remote);
    }

    fn insert(&mut self, link: LinkId, key: RouteKey, remote: RemoteBranch) {
        self.mailboxes.insert(remote.mailbox(), link);
        self.ready.insert(link);
        self.links.insert(link, NearLink { key, remote, is_closed: false });
    }

    /// Records that the endpoint of a mailbox has sent a message, or has ended.
    pub(super) fn mark_ready(&mut self, mailbox: MailboxId) {
        self.ready.extend(self.mailboxes.get(&mailbox));
    }

    /// Records the new numbers of links to rooms that have another owner now. New connections
    /// enter by them, too.
    pub(super) fn reopened(&mut self, owner: Owner, links: Vec<(LinkId, LinkId)>) {
        for (before, link) in links {
            let Some(near) = self.links.remove(&before) else { continue };
            near.forget_route(&mut self.routes, before);
            let route = RouteState::Open { owner, link, branch: near.remote.id() };
            self.routes.entry(near.key.clone()).or_insert(route);
            self.mailboxes.insert(near.remote.mailbox(), link);
            self.ready.insert(link);
            self.links.insert(link, near);
        }
    }

    /// Returns whether links are to be visited in the next turn.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Passes messages between the endpoints and their gateways, of links that have any. Returns
    /// true if an endpoint has not accepted one.
    pub(super) fn exchange(&mut self, gateways: &mut Gateways) -> bool {
        let mut links = gateways.take_active_near();
        links.append(&mut self.ready);
        let mut is_blocked = false;
        for link in links {
            let Some(near) = self.links.get_mut(&link) else { continue };
            let Some(gateway) = gateways.near_mut(link) else {
                near.forget_route(&mut self.routes, link);
                self.mailboxes.remove(&near.remote.mailbox());
                self.links.remove(&link);
                continue;
            };
            // A gateway without capacity is active once it has some.
            let mut has_queued = !near.is_closed;
            while has_queued && gateway.has_capacity() {
                match near.remote.try_recv() {
                    RemoteInput::Message(message) => {
                        near.is_closed = matches!(message, ToBranch::Closed(..));
                        has_queued = !near.is_closed;
                        gateway.handle_message(message);
                    }
                    RemoteInput::Empty => has_queued = false,
                    RemoteInput::Ended => {
                        near.is_closed = true;
                        has_queued = false;
                        let (endpoint, reason) = (EndpointId(0), DisconnectReason::Closed);
                        gateway.handle_message(ToBranch::Closed(endpoint, reason));
                    }
                }
            }
            let mut has_left = near.is_closed;
            gateway.deliver(&mut |message| {
                // New connections are for another link.
                has_left |= matches!(message, ToEndpoint::Leave { .. });
                near.remote.try_send(message).inspect_err(|_| is_blocked = true)
            });
            if has_left || gateway.ended().is_some() {
                near.forget_route(&mut self.routes, link);
            }
            if has_queued && gateway.has_capacity() {
                // By what was delivered.
                self.ready.insert(link);
            }
        }
        is_blocked
    }
}

impl NearLink {
    fn forget_route(&self, routes: &mut BTreeMap<RouteKey, RouteState>, of: LinkId) {
        if let Some(RouteState::Open { link, .. }) = routes.get(&self.key)
            && *link == of
        {
            routes.remove(&self.key);
        }
    }
}
