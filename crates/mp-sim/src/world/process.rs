//! A process: a branch, its endpoints, their hosts and the mailboxes between them. It runs them by
//! the heap of a world as mp-actor does by actix.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use mp_core::{BranchId, Endpoint, EndpointId, Instant, PeerId, Rng, ToBranch, ToEndpoint};
use mp_host::{BranchEnd, BranchHost, EndpointHost, HostEvent, LocalMailbox};
use mp_scene::{Branch, BranchEvent, Signal};
use mp_transport_enet::EnetMultiplayerPeer;

use super::Figures;
use super::mailbox::BranchMailbox;
use crate::dice::Dice;
use crate::journal::{Ear, End, What};
use crate::net::socket::SimSocket;

/// An actor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorId {
    /// The branch.
    Branch,
    /// One of the endpoints.
    Endpoint(usize),
}

/// See [the module](self).
pub(crate) struct Process {
    pub(crate) ear: Ear,
    pub(crate) id: PeerId,
    pub(crate) branch: Branch,
    host: BranchHost<LocalMailbox<ToEndpoint>>,
    pub(crate) endpoints: Vec<Hosted>,
    pub(crate) mail: LocalMailbox<ToBranch>,
    pub(crate) pace: Pace,
    /// The peers that are there, authenticating ones too, as the events of the branch tell.
    present: BTreeSet<PeerId>,
    attention: Attention,
    /// True if the peers that are there were others at the end of its last turn.
    is_mistaken: bool,
    /// Endpoints that the branch has abandoned.
    abandoned: Vec<EndpointId>,
    /// What its clock shows when the world begins.
    clock: Duration,
    /// How long its branch is busy after its next turn.
    pub(crate) busy: Duration,
    /// How it ended, once it has.
    pub(crate) end: Option<End>,
}

/// An endpoint in its process.
pub(crate) struct Hosted {
    pub(crate) endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>>,
    host: EndpointHost<BranchMailbox>,
    pub(crate) mail: LocalMailbox<ToEndpoint>,
    pub(crate) pace: Pace,
}

/// When an actor's next turn is.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// By the world's clock.
    pub(crate) next: Option<Instant>,
    /// It comes to no turn before this.
    pub(crate) stalled_until: Instant,
}

/// Since when a branch has neither read its mail nor delivered anything.
#[derive(Debug, Default)]
struct Attention {
    since: Option<Instant>,
    queued_packets: usize,
    /// The same time at its last turn.
    idle: Duration,
}

/// What a turn leads to.
#[derive(Debug, Default)]
pub(crate) struct Turned {
    /// When the actor's next turn is due, by the world's clock.
    pub(crate) next: Option<Instant>,
    /// Whose mailbox has something new.
    pub(crate) woken: Vec<ActorId>,
    /// How often it held the links of its branch.
    pub(crate) holds: u64,
}

impl Process {
    pub(crate) fn new(
        ear: Ear,
        id: PeerId,
        branch: Branch,
        peers: Vec<EnetMultiplayerPeer<SimSocket>>,
        mailbox: usize,
        clock: Duration,
    ) -> Self {
        let mail = LocalMailbox::new(mailbox);
        let mut branch_host = BranchHost::new(BRANCH);
        let host = |(number, peer)| {
            let id = EndpointId(number);
            let own_mail = LocalMailbox::new(mailbox);
            branch_host.attach(id, own_mail.clone());
            let mut endpoint = Endpoint::new(id, peer, BRANCH);
            let mut host = EndpointHost::new();
            let to_branch = BranchMailbox { mail: mail.clone(), endpoint: id, ear: ear.clone() };
            host.serve(&mut endpoint, BRANCH, to_branch);
            Hosted { endpoint, host, mail: own_mail, pace: Pace::default() }
        };
        let endpoints = (0..).zip(peers).map(host).collect();
        Self {
            ear,
            id,
            branch,
            host: branch_host,
            endpoints,
            mail,
            pace: Pace::default(),
            present: BTreeSet::new(),
            is_mistaken: false,
            attention: Attention::default(),
            abandoned: Vec::new(),
            clock,
            busy: Duration::ZERO,
            end: None,
        }
    }

    /// What its own clock shows.
    pub(crate) fn local(&self, now: Instant) -> Instant {
        now + self.clock
    }

    pub(crate) fn pace(&mut self, actor: ActorId) -> &mut Pace {
        match actor {
            ActorId::Branch => &mut self.pace,
            ActorId::Endpoint(number) => &mut self.endpoints[number].pace,
        }
    }

    pub(crate) fn actors(&self) -> impl Iterator<Item = ActorId> + use<> {
        let endpoints = (0..self.endpoints.len()).map(ActorId::Endpoint);
        std::iter::once(ActorId::Branch).chain(endpoints)
    }

    /// Whether it has asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.host.is_closing()
    }

    /// Asks to leave, once everything accepted is delivered.
    pub(crate) fn leave(&mut self, now: Instant) {
        if self.is_leaving() {
            return;
        }
        self.ear.note(What::Leaves);
        let local = self.local(now);
        self.host.close(&mut self.branch, local);
    }

    /// A turn of an actor.
    pub(crate) fn turn(&mut self, now: Instant, actor: ActorId, rng: &mut Rng) -> Turned {
        let local = self.local(now);
        let mut turned = match actor {
            ActorId::Branch => self.branch_turn(now, local, rng),
            ActorId::Endpoint(number) => self.endpoint_turn(local, number, rng),
        };
        turned.next = turned.next.map(|next| Instant::ZERO + (next - Instant::ZERO - self.clock));
        turned
    }

    /// What can be measured of it.
    pub(super) fn figures(&mut self) -> Figures {
        let mut figures = Figures {
            is_leaving: self.is_leaving(),
            mail: self.mail.len(),
            queued_packets: self.branch.queued_packets(),
            idle: self.attention.idle,
            is_mistaken: self.is_mistaken,
            ..Figures::default()
        };
        for hosted in &self.endpoints {
            figures.mail = figures.mail.max(hosted.mail.len());
            figures.connections += hosted.endpoint.stats().connections;
        }
        let multiplayer = self.branch.scene().multiplayer();
        for (id, connection) in multiplayer.peers().filter_map(|peer| multiplayer.link(peer)) {
            let endpoint = &self.endpoints[id.0 as usize].endpoint;
            let stats = endpoint.connection_stats(connection).unwrap_or_default();
            figures.queued_bytes = figures.queued_bytes.max(stats.queued_bytes);
        }
        figures
    }

    fn branch_turn(&mut self, now: Instant, local: Instant, rng: &mut Rng) -> Turned {
        let waiting = self.mail.len();
        let mut taken = 0;
        let most = messages_in_this_turn(waiting, rng);
        while taken < most
            && !self.host.needs_turn(&self.branch, local)
            && let Some(message) = self.mail.pop()
        {
            self.host.handle_input(&mut self.branch, local, message);
            taken += 1;
        }
        let before: Vec<usize> = self.endpoints.iter().map(|hosted| hosted.mail.len()).collect();
        let outcome = self.host.turn(&mut self.branch, local);
        self.attention.observe(local, taken > 0 || waiting == 0, self.branch.queued_packets());
        self.follow_events(now);

        let mut turned = Turned::default();
        for (number, (hosted, before)) in self.endpoints.iter().zip(before).enumerate() {
            if hosted.mail.len() > before {
                turned.woken.push(ActorId::Endpoint(number));
            }
        }
        match outcome {
            ControlFlow::Break(BranchEnd::TimedOut) => self.end = Some(End::GaveUp),
            ControlFlow::Break(_) => self.end = Some(End::Closed),
            ControlFlow::Continue(next) => {
                let reads_on = !self.mail.is_empty() && !self.host.needs_turn(&self.branch, local);
                let at_once = (reads_on || self.host.has_input()).then_some(local);
                turned.next = [next, at_once].into_iter().flatten().min();
            }
        }
        turned
    }

    /// Follows what the branch and its host report.
    fn follow_events(&mut self, now: Instant) {
        while let Some(event) = self.branch.next_event() {
            match event {
                // Hooks have seen signals already.
                BranchEvent::Signal(
                    Signal::PeerAuthenticating(peer) | Signal::PeerConnected(peer),
                ) => {
                    self.present.insert(peer);
                }
                BranchEvent::Signal(
                    Signal::PeerAuthenticationFailed(peer) | Signal::PeerDisconnected(peer),
                )
                | BranchEvent::PeerGone(peer) => {
                    self.present.remove(&peer);
                }
                _ => {}
            }
        }
        let multiplayer = self.branch.scene().multiplayer();
        let there = multiplayer.peers().chain(multiplayer.authenticating_peers());
        self.is_mistaken = !there.collect::<BTreeSet<_>>().iter().eq(&self.present);
        while let Some(event) = self.host.next_event() {
            if let HostEvent::EndpointAbandoned(endpoint) = event {
                self.ear.note(What::Abandons(endpoint));
                self.abandoned.push(endpoint);
            }
        }
        // A program that has lost an endpoint begins anew, when the endpoint has noticed.
        if self.abandoned.iter().any(|&endpoint| self.host.mailbox(endpoint).is_none()) {
            self.leave(now);
        }
    }

    fn endpoint_turn(&mut self, now: Instant, number: usize, rng: &mut Rng) -> Turned {
        let Hosted { endpoint, host, mail, .. } = &mut self.endpoints[number];
        let (holds, waiting) = (endpoint.stats().holds, self.mail.len());
        for _ in 0..messages_in_this_turn(mail.len(), rng) {
            if host.needs_turn() {
                break;
            }
            let Some(message) = mail.pop() else { break };
            host.handle_input(endpoint, now, message);
        }
        let mut turned = Turned::default();
        if let ControlFlow::Continue(next) = host.turn(endpoint, now) {
            let at_once = (!mail.is_empty()).then_some(now);
            turned.next = [next, at_once].into_iter().flatten().min();
        }
        turned.holds = endpoint.stats().holds - holds;
        if self.mail.len() > waiting {
            turned.woken.push(ActorId::Branch);
        }
        turned
    }
}

impl Attention {
    fn observe(&mut self, now: Instant, has_read: bool, queued_packets: usize) {
        if has_read || queued_packets < self.queued_packets {
            self.since = None;
        }
        self.queued_packets = queued_packets;
        self.idle = if has_read { Duration::ZERO } else { now - *self.since.get_or_insert(now) };
    }
}

/// Draws how much of its mailbox an actor takes before its turn ends: mostly all of it.
fn messages_in_this_turn(waiting: usize, rng: &mut Rng) -> usize {
    if waiting > 1 && rng.chance(200) { rng.between(1, waiting as u64) as usize } else { waiting }
}

/// The one branch of a process.
const BRANCH: BranchId = BranchId(0);
