//! Process: a branch, its endpoints, their hosts and the mailboxes between them. The world's event
//! queue schedules them as mp-actor does with actix.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use mp_core::{BranchId, Endpoint, EndpointId, Instant, PeerId, Rng, ToBranch, ToEndpoint};
use mp_host::{BranchEnd, BranchHost, EndpointHost, HostEvent, LocalMailbox};
use mp_scene::{Branch, BranchEvent, Signal};
use mp_transport_enet::EnetMultiplayerPeer;

use super::ProcessStats;
use super::mailbox::BranchMailbox;
use crate::journal::{FactKind, ProcessEnd, Recorder};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// Actor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorId {
    /// Branch.
    Branch,
    /// Endpoint, by index.
    Endpoint(usize),
}

/// Process of one program.
pub(crate) struct Process {
    pub(crate) recorder: Recorder,
    pub(crate) id: PeerId,
    pub(crate) branch: Branch,
    host: BranchHost<LocalMailbox<ToEndpoint>>,
    pub(crate) endpoints: Vec<EndpointProcess>,
    pub(crate) mail: LocalMailbox<ToBranch>,
    pub(crate) timer: TurnTimer,
    /// Connected and authenticating peers, as reported by events of the branch.
    peers_by_events: BTreeSet<PeerId>,
    idle_timer: IdleTimer,
    /// True if `peers_by_events` differed from the connected peers at the end of the last turn.
    events_disagree: bool,
    /// Endpoints that the branch has abandoned.
    abandoned: Vec<EndpointId>,
    /// Local clock at the start of the world.
    clock_offset: Duration,
    /// Time for which the branch is busy after its next turn.
    pub(crate) busy: Duration,
    /// Reason of the end, once ended.
    pub(crate) end: Option<ProcessEnd>,
}

/// Endpoint with its host and mailbox.
pub(crate) struct EndpointProcess {
    pub(crate) endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>>,
    host: EndpointHost<BranchMailbox>,
    pub(crate) mail: LocalMailbox<ToEndpoint>,
    pub(crate) timer: TurnTimer,
}

/// Time of an actor's next turn.
#[derive(Debug, Default)]
pub(crate) struct TurnTimer {
    /// Scheduled turn, by the world's clock.
    pub(crate) next: Option<Instant>,
    /// No turns before this time.
    pub(crate) stalled_until: Instant,
}

/// Measures how long a branch has neither read its mailbox nor delivered a message.
#[derive(Debug, Default)]
struct IdleTimer {
    since: Option<Instant>,
    queued_packets: usize,
    /// Idle time at the last turn.
    idle: Duration,
}

/// Result of a turn.
#[derive(Debug, Default)]
pub(crate) struct TurnResult {
    /// Time of the actor's next turn, by the world's clock.
    pub(crate) next: Option<Instant>,
    /// Actors that received messages.
    pub(crate) woken: Vec<ActorId>,
    /// Times that the endpoint paused receiving.
    pub(crate) pauses: u64,
}

impl Process {
    pub(crate) fn new(
        recorder: Recorder,
        id: PeerId,
        branch: Branch,
        peers: Vec<EnetMultiplayerPeer<SimSocket>>,
        mailbox: usize,
        clock_offset: Duration,
    ) -> Self {
        let mail = LocalMailbox::new(mailbox);
        let mut branch_host = BranchHost::new();
        let host = |(number, peer)| {
            let id = EndpointId(number);
            let own_mail = LocalMailbox::new(mailbox);
            branch_host.attach(id, own_mail.clone());
            let mut endpoint = Endpoint::new(id, peer, BRANCH);
            let mut host = EndpointHost::new();
            let to_branch =
                BranchMailbox { mail: mail.clone(), endpoint: id, recorder: recorder.clone() };
            host.serve(&mut endpoint, BRANCH, to_branch);
            EndpointProcess { endpoint, host, mail: own_mail, timer: TurnTimer::default() }
        };
        let endpoints = (0..).zip(peers).map(host).collect();
        Self {
            recorder,
            id,
            branch,
            host: branch_host,
            endpoints,
            mail,
            timer: TurnTimer::default(),
            peers_by_events: BTreeSet::new(),
            events_disagree: false,
            idle_timer: IdleTimer::default(),
            abandoned: Vec::new(),
            clock_offset,
            busy: Duration::ZERO,
            end: None,
        }
    }

    /// Converts the world's time to the local clock.
    pub(crate) fn local_time(&self, now: Instant) -> Instant {
        now + self.clock_offset
    }

    pub(crate) fn timer(&mut self, actor: ActorId) -> &mut TurnTimer {
        match actor {
            ActorId::Branch => &mut self.timer,
            ActorId::Endpoint(number) => &mut self.endpoints[number].timer,
        }
    }

    pub(crate) fn actors(&self) -> impl Iterator<Item = ActorId> + use<> {
        let endpoints = (0..self.endpoints.len()).map(ActorId::Endpoint);
        std::iter::once(ActorId::Branch).chain(endpoints)
    }

    /// Returns whether the program has asked to close.
    pub(crate) fn is_leaving(&self) -> bool {
        self.host.is_closing()
    }

    /// Starts a graceful close.
    pub(crate) fn leave(&mut self, now: Instant) {
        if self.is_leaving() {
            return;
        }
        self.recorder.record(FactKind::LeaveRequested);
        let local = self.local_time(now);
        self.host.close(&mut self.branch, local);
    }

    /// Runs a turn of an actor.
    pub(crate) fn turn(&mut self, now: Instant, actor: ActorId, rng: &mut Rng) -> TurnResult {
        let local = self.local_time(now);
        let mut result = match actor {
            ActorId::Branch => self.branch_turn(now, local, rng),
            ActorId::Endpoint(number) => self.endpoint_turn(local, number, rng),
        };
        result.next =
            result.next.map(|next| Instant::ZERO + (next - Instant::ZERO - self.clock_offset));
        result
    }

    /// Returns the statistics.
    pub(super) fn stats(&mut self) -> ProcessStats {
        let mut stats = ProcessStats {
            is_leaving: self.is_leaving(),
            mail: self.mail.len(),
            queued_packets: self.branch.queued_packets(),
            idle: self.idle_timer.idle,
            events_disagree: self.events_disagree,
            ..ProcessStats::default()
        };
        for hosted in &self.endpoints {
            stats.mail = stats.mail.max(hosted.mail.len());
            stats.connections += hosted.endpoint.stats().connections;
        }
        let multiplayer = self.branch.scene().multiplayer();
        for (id, connection) in multiplayer.peers().filter_map(|peer| multiplayer.connection(peer))
        {
            let endpoint = &self.endpoints[id.0 as usize].endpoint;
            let connection = endpoint.connection_stats(connection).unwrap_or_default();
            stats.queued_bytes = stats.queued_bytes.max(connection.queued_bytes);
        }
        stats
    }

    fn branch_turn(&mut self, now: Instant, local: Instant, rng: &mut Rng) -> TurnResult {
        let queued = self.mail.len();
        let mut read = 0;
        let most = messages_in_this_turn(queued, rng);
        while read < most
            && !self.host.needs_turn(&self.branch, local)
            && let Some(message) = self.mail.pop()
        {
            self.host.handle_input(&mut self.branch, local, message);
            read += 1;
        }
        let before: Vec<usize> = self.endpoints.iter().map(|hosted| hosted.mail.len()).collect();
        let outcome = self.host.turn(&mut self.branch, local);
        self.idle_timer.observe(local, read > 0 || queued == 0, self.branch.queued_packets());
        self.follow_events(now);

        let mut result = TurnResult::default();
        for (number, (hosted, before)) in self.endpoints.iter().zip(before).enumerate() {
            if hosted.mail.len() > before {
                result.woken.push(ActorId::Endpoint(number));
            }
        }
        match outcome {
            ControlFlow::Break(BranchEnd::TimedOut) => self.end = Some(ProcessEnd::TimedOut),
            ControlFlow::Break(_) => self.end = Some(ProcessEnd::Closed),
            ControlFlow::Continue(next) => {
                let has_input = !self.mail.is_empty() && !self.host.needs_turn(&self.branch, local);
                let at_once = (has_input || self.host.has_input()).then_some(local);
                result.next = [next, at_once].into_iter().flatten().min();
            }
        }
        result
    }

    /// Processes the events of the branch and its host.
    fn follow_events(&mut self, now: Instant) {
        while let Some(event) = self.branch.next_event() {
            match event {
                // Hooks have already received the signals.
                BranchEvent::Signal(
                    Signal::PeerAuthenticating(peer) | Signal::PeerConnected(peer),
                ) => {
                    self.peers_by_events.insert(peer);
                }
                BranchEvent::Signal(
                    Signal::PeerAuthenticationFailed(peer) | Signal::PeerDisconnected(peer),
                )
                | BranchEvent::PeerGone(peer) => {
                    self.peers_by_events.remove(&peer);
                }
                _ => {}
            }
        }
        let multiplayer = self.branch.scene().multiplayer();
        let connected = multiplayer.peers().chain(multiplayer.authenticating_peers());
        self.events_disagree = !connected.collect::<BTreeSet<_>>().iter().eq(&self.peers_by_events);
        while let Some(event) = self.host.next_event() {
            if let HostEvent::EndpointAbandoned(endpoint) = event {
                self.recorder.record(FactKind::EndpointAbandoned(endpoint));
                self.abandoned.push(endpoint);
            }
        }
        // A program that has lost an endpoint restarts once the endpoint has closed.
        if self.abandoned.iter().any(|&endpoint| self.host.mailbox(endpoint).is_none()) {
            self.leave(now);
        }
    }

    fn endpoint_turn(&mut self, now: Instant, number: usize, rng: &mut Rng) -> TurnResult {
        let EndpointProcess { endpoint, host, mail, .. } = &mut self.endpoints[number];
        let (pauses, queued) = (endpoint.stats().pauses, self.mail.len());
        for _ in 0..messages_in_this_turn(mail.len(), rng) {
            if host.needs_turn() {
                break;
            }
            let Some(message) = mail.pop() else { break };
            host.handle_input(endpoint, now, BRANCH, message);
        }
        let mut result = TurnResult::default();
        if let ControlFlow::Continue(next) = host.turn(endpoint, now) {
            let at_once = (!mail.is_empty()).then_some(now);
            result.next = [next, at_once].into_iter().flatten().min();
        }
        result.pauses = endpoint.stats().pauses - pauses;
        if self.mail.len() > queued {
            result.woken.push(ActorId::Branch);
        }
        result
    }
}

impl IdleTimer {
    fn observe(&mut self, now: Instant, has_read: bool, queued_packets: usize) {
        if has_read || queued_packets < self.queued_packets {
            self.since = None;
        }
        self.queued_packets = queued_packets;
        self.idle = if has_read { Duration::ZERO } else { now - *self.since.get_or_insert(now) };
    }
}

/// Draws the number of messages that an actor reads in a turn: usually all.
fn messages_in_this_turn(queued: usize, rng: &mut Rng) -> usize {
    if queued > 1 && rng.chance(200) { rng.between(1, queued as u64) as usize } else { queued }
}

/// Id of the process's only branch.
const BRANCH: BranchId = BranchId(0);
