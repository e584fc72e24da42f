//! A process: a branch, its endpoints and the mailboxes between them. What the shells of mp-actor do with actix, this does with
//! the heap of a world, and as they do it.

use std::time::Duration;

use mp_core::{
    BranchId, DisconnectReason, Endpoint, EndpointId, Farewell, Instant, PeerEvent, PeerId, Rng,
    StateMachine, ToBranch, ToEndpoint,
};
use mp_host::limits::{CLOSE_TIMEOUT, DELIVERY_RETRY, QUEUED_PACKETS_HIGH};
use mp_scene::Branch;
use mp_transport_enet::EnetMultiplayerPeer;

use super::Figures;
use super::mailbox::Mailbox;
use crate::dice::Dice;
use crate::journal::{Ear, End, News, What};
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
    pub(crate) endpoints: Vec<Hosted>,
    pub(crate) mail: Mailbox<ToBranch>,
    pub(crate) pace: Pace,
    /// What its clock shows when the world begins.
    clock: Duration,
    /// Since when it asked to leave, by its own clock.
    leaving: Option<Instant>,
    /// How long its branch is busy after its next turn.
    pub(crate) busy: Duration,
    /// How it ended, once it has.
    pub(crate) end: Option<End>,
}

/// An endpoint in its process.
pub(crate) struct Hosted {
    pub(crate) endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>>,
    pub(crate) mail: Mailbox<ToEndpoint>,
    pub(crate) pace: Pace,
    /// Whether the branch knows it.
    is_open: bool,
    /// Whether it has said its last word to the branch.
    has_closed: bool,
    /// Whether it was told to leave because the branch gave it up.
    is_given_up: bool,
}

/// When an actor's next turn is.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// By the world's clock.
    pub(crate) next: Option<Instant>,
    /// It comes to no turn before this.
    pub(crate) stalled_until: Instant,
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
        let host = |(number, peer)| {
            let mut endpoint = Endpoint::new(EndpointId(number), peer, BRANCH);
            endpoint.serve(BRANCH);
            Hosted {
                endpoint,
                mail: Mailbox::new(mailbox),
                pace: Pace::default(),
                is_open: false,
                has_closed: false,
                is_given_up: false,
            }
        };
        Self {
            ear,
            id,
            branch,
            endpoints: (0..).zip(peers).map(host).collect(),
            mail: Mailbox::new(mailbox),
            pace: Pace::default(),
            clock,
            leaving: None,
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
        self.leaving.is_some()
    }

    /// Asks to leave, once everything accepted is delivered.
    pub(crate) fn leave(&mut self, now: Instant) {
        if self.leaving.is_some() {
            return;
        }
        self.ear.note(What::Leaves);
        self.leaving = Some(self.local(now));
        self.branch.close(DisconnectReason::Closed, Farewell::Drain);
        // Those that the branch does not know yet cannot be told by it.
        for hosted in self.endpoints.iter_mut().filter(|hosted| !hosted.is_open) {
            hosted.mail.force(leave(DisconnectReason::Closed, Farewell::Drain));
        }
    }

    /// A turn of an actor.
    pub(crate) fn turn(&mut self, now: Instant, actor: ActorId, rng: &mut Rng) -> Turned {
        let local = self.local(now);
        let mut turned = match actor {
            ActorId::Branch => self.branch_turn(local, rng),
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

    fn branch_turn(&mut self, now: Instant, rng: &mut Rng) -> Turned {
        for _ in 0..messages_in_this_turn(self.mail.len(), rng) {
            let Some(message) = self.mail.pop() else { break };
            match &message {
                ToBranch::Opened(id, _) => self.endpoints[id.0 as usize].is_open = true,
                ToBranch::Closed(id, _) => self.endpoints[id.0 as usize].has_closed = true,
                _ => {}
            }
            self.branch.handle_input(now, message);
            if self.branch.queued_packets() >= QUEUED_PACKETS_HIGH {
                break;
            }
        }
        self.branch.end_turn(now);
        // Its hooks have seen them.
        while self.branch.next_signal().is_some() {}

        let mut turned = Turned::default();
        let endpoints = &mut self.endpoints;
        self.branch.deliver(&mut |id, message| {
            let number = id.0 as usize;
            let Some(hosted) = endpoints.get_mut(number) else { return Ok(()) };
            hosted.mail.offer(message)?;
            turned.woken.push(ActorId::Endpoint(number));
            Ok(())
        });
        self.leave_given_up(&mut turned);
        if self.endpoints.iter().all(|hosted| hosted.has_closed) {
            self.end = Some(End::Closed);
        } else if self.leaving.is_some_and(|since| now >= since + CLOSE_TIMEOUT) {
            self.end = Some(End::GaveUp);
        }
        let retry = self.branch.is_blocked().then(|| now + DELIVERY_RETRY);
        let more = (self.mail.len() > 0).then_some(now);
        let close = self.leaving.map(|since| since + CLOSE_TIMEOUT);
        let due = self.branch.poll_timeout();
        turned.next = [retry, more, close, due].into_iter().flatten().min();
        turned
    }

    /// Leaves the endpoints that the branch gave up because they took nothing.
    fn leave_given_up(&mut self, turned: &mut Turned) {
        let multiplayer = self.branch.scene().multiplayer();
        for (number, hosted) in self.endpoints.iter_mut().enumerate() {
            let id = EndpointId(number as u32);
            let is_known = multiplayer.endpoints().any(|(known, _)| known == id);
            if hosted.is_open && !hosted.has_closed && !hosted.is_given_up && !is_known {
                hosted.is_given_up = true;
                hosted.mail.force(leave(DisconnectReason::QueueFull, Farewell::Abrupt));
                turned.woken.push(ActorId::Endpoint(number));
            }
        }
    }

    fn endpoint_turn(&mut self, now: Instant, number: usize, rng: &mut Rng) -> Turned {
        let Hosted { endpoint, mail, .. } = &mut self.endpoints[number];
        let held_before = endpoint.stats().holds;
        for _ in 0..messages_in_this_turn(mail.len(), rng) {
            let Some(message) = mail.pop() else { break };
            endpoint.handle_input(now, message);
        }
        endpoint.end_turn(now);
        let mut turned = Turned::default();
        let (branch, ear) = (&mut self.mail, &self.ear);
        endpoint.deliver(&mut |_, message| {
            let news = news(&message);
            branch.offer(message)?;
            let endpoint = EndpointId(number as u32);
            for news in news {
                ear.note(What::Mail { endpoint, news });
            }
            turned.woken.push(ActorId::Branch);
            Ok(())
        });
        turned.holds = endpoint.stats().holds - held_before;
        let retry = endpoint.has_output().then(|| now + DELIVERY_RETRY);
        let more = (mail.len() > 0).then_some(now);
        turned.next = [retry, more, endpoint.poll_timeout()].into_iter().flatten().min();
        turned
    }
}

/// How much of its mailbox an actor takes before its turn ends: mostly all of it.
fn messages_in_this_turn(waiting: usize, rng: &mut Rng) -> usize {
    if waiting > 1 && rng.chance(200) { rng.between(1, waiting as u64) as usize } else { waiting }
}

/// What a message says, for the journal.
fn news(message: &ToBranch) -> Vec<News> {
    match message {
        ToBranch::Opened(..) => vec![News::Opened],
        ToBranch::Closed(_, reason) => vec![News::Closed(*reason)],
        ToBranch::Events(_, events) => events.iter().filter_map(news_of_event).collect(),
        _ => Vec::new(),
    }
}

fn news_of_event(event: &PeerEvent) -> Option<News> {
    match event {
        PeerEvent::Connected { connection, claimed_id, .. } => {
            Some(News::Connected(*connection, *claimed_id))
        }
        PeerEvent::Packet(packet) => Some(News::Packet(packet.from)),
        PeerEvent::Disconnected { connection, reason } => {
            Some(News::Disconnected(*connection, *reason))
        }
        _ => None,
    }
}

fn leave(reason: DisconnectReason, farewell: Farewell) -> ToEndpoint {
    ToEndpoint::Leave { branch: BRANCH, reason, farewell }
}

/// The one branch of a process.
const BRANCH: BranchId = BranchId(0);
