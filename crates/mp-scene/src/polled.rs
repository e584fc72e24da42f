//! The transport of a branch that is polled: an endpoint around it, and both hosts over direct
//! mailboxes.

use mp_core::{
    BranchId, Endpoint, EndpointId, EndpointStats, Instant, MultiplayerPeer, ToBranch, ToEndpoint,
};
use mp_host::{BranchHost, EndpointHost, HostedEndpoint, LocalMailbox};

use crate::Branch;

/// A session of a branch on the transport that it is polled with.
#[derive(Debug)]
pub(crate) struct Polled {
    /// Between two polls the program has the transport.
    endpoint: Endpoint<()>,
    hosts: Hosts,
}

/// Both hosts and what is between them. Mailboxes are empty between two steps of a turn.
#[derive(Debug)]
struct Hosts {
    endpoint: EndpointHost<LocalMailbox<ToBranch>>,
    branch: BranchHost<LocalMailbox<ToEndpoint>>,
    to_branch: LocalMailbox<ToBranch>,
    to_endpoint: LocalMailbox<ToEndpoint>,
}

impl Polled {
    /// The endpoint of a branch that is polled.
    pub(crate) const ENDPOINT: EndpointId = EndpointId(0);

    /// A session of the branch `id` on `peer`.
    pub(crate) fn new(id: BranchId, peer: &mut dyn MultiplayerPeer) -> Self {
        let mut hosts = Hosts {
            endpoint: EndpointHost::new(),
            branch: BranchHost::new(id),
            to_branch: LocalMailbox::direct(),
            to_endpoint: LocalMailbox::direct(),
        };
        let mut endpoint = Endpoint::new(Self::ENDPOINT, peer, id);
        hosts.endpoint.serve(&mut endpoint, id, hosts.to_branch.clone());
        hosts.branch.attach(Self::ENDPOINT, hosts.to_endpoint.clone());
        Self { endpoint: endpoint.map_peer(drop), hosts }
    }

    /// Runs one turn of the endpoint and of `branch`. Returns the session, unless it has ended.
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

    /// Counters of its endpoint.
    pub(crate) fn stats(&self) -> EndpointStats {
        self.endpoint.stats()
    }

    /// Returns the time at which connections that drain have done so for long enough.
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
        // The session ends with its endpoint, and the branch outlives it.
        let _ = self.branch.turn(branch, now);
        while let Some(message) = self.to_endpoint.pop() {
            self.endpoint.handle_input(endpoint, now, message);
        }
    }
}
