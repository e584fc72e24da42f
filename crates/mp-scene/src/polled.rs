//! The session of a polled branch: an endpoint around its transport, and the hosts of both, joined
//! by local mailboxes.

use mp_core::{
    BranchId, Endpoint, EndpointId, EndpointStats, Instant, MultiplayerPeer, ToBranch, ToEndpoint,
};
use mp_host::{BranchHost, EndpointHost, HostedEndpoint, LocalMailbox};

use crate::Branch;

/// The session of a branch on the transport that the program polls it with.
#[derive(Debug)]
pub(crate) struct Polled {
    /// Without its transport, which the program owns between two polls.
    endpoint: Endpoint<()>,
    hosts: Hosts,
}

/// The hosts and the mailboxes between them. The mailboxes are empty between the steps of a turn.
#[derive(Debug)]
struct Hosts {
    endpoint: EndpointHost<LocalMailbox<ToBranch>>,
    branch: BranchHost<LocalMailbox<ToEndpoint>>,
    to_branch: LocalMailbox<ToBranch>,
    to_endpoint: LocalMailbox<ToEndpoint>,
}

impl Polled {
    /// The id of the only endpoint of a polled branch.
    pub(crate) const ENDPOINT: EndpointId = EndpointId(0);
    /// The id of the only branch of that endpoint.
    const BRANCH: BranchId = BranchId(0);

    /// Starts a session on `peer`.
    pub(crate) fn new(peer: &mut dyn MultiplayerPeer) -> Self {
        let mut hosts = Hosts {
            endpoint: EndpointHost::new(),
            branch: BranchHost::new(),
            to_branch: LocalMailbox::unbounded(),
            to_endpoint: LocalMailbox::unbounded(),
        };
        let mut endpoint = Endpoint::new(Self::ENDPOINT, peer, Self::BRANCH);
        hosts.endpoint.serve(&mut endpoint, Self::BRANCH, hosts.to_branch.clone());
        hosts.branch.attach(Self::ENDPOINT, hosts.to_endpoint.clone());
        Self { endpoint: endpoint.map_peer(drop), hosts }
    }

    /// Runs one turn of the endpoint and of `branch`. Returns the session unless it has ended.
    pub(crate) fn turn(
        self,
        branch: &mut Branch,
        peer: &mut dyn MultiplayerPeer,
        now: Instant,
    ) -> Option<Self> {
        let Self { endpoint, mut hosts } = self;
        let mut endpoint = endpoint.map_peer(|()| peer);
        let mut has_more = true;
        while has_more {
            has_more = endpoint.receive(now);
            hosts.deliver_to_branch(&mut endpoint, branch, now);
        }
        hosts.turn_branch(&mut endpoint, branch, now);
        endpoint.finish_turn(now);
        hosts.deliver_to_branch(&mut endpoint, branch, now);
        let has_ended = endpoint.is_finished();
        let endpoint = endpoint.map_peer(drop);
        (!has_ended).then_some(Self { endpoint, hosts })
    }

    /// Returns the counters of the endpoint.
    pub(crate) fn stats(&self) -> EndpointStats {
        self.endpoint.stats()
    }

    /// Returns the time at which draining connections time out.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.deadline()
    }
}

impl Hosts {
    fn deliver_to_branch(
        &mut self,
        endpoint: &mut impl HostedEndpoint,
        branch: &mut Branch,
        now: Instant,
    ) {
        self.endpoint.deliver(endpoint, now);
        while let Some(message) = self.to_branch.pop() {
            self.branch.handle_input(branch, now, message);
        }
    }

    fn turn_branch(
        &mut self,
        endpoint: &mut impl HostedEndpoint,
        branch: &mut Branch,
        now: Instant,
    ) {
        // The result is not needed: the session ends with its endpoint, and the branch stays.
        let _ = self.branch.turn(branch, now);
        while let Some(message) = self.to_endpoint.pop() {
            self.endpoint.handle_input(endpoint, now, Polled::BRANCH, message);
        }
    }
}
