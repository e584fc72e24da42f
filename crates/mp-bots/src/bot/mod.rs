//! A bot: a player, its client and its transport.

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{
    CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer, PeerId, Readiness, Rng,
};

use crate::client::{Client, Observation, OutgoingCall, ReceivedCall};
use crate::methods::NodeTables;
use crate::player::{Action, ClientView, Player, PlayerEnd};
use crate::scenario::{Receivers, Scenario, Step};
use crate::stats::{Counter, Stats};

/// A client's transport that can explain why it has failed.
pub(crate) trait BotPeer: MultiplayerPeer {
    /// Returns the reason why the transport could not connect, if there is a better one than that
    /// the server refused.
    fn failure(&mut self) -> Option<String>;

    /// Returns whether the connection ends with one packet that is not acknowledged, as when a
    /// Godot client over ENet closes. Otherwise it ends with `Disconnected`.
    fn closes_at_once(&self) -> bool {
        false
    }
}

/// A transport of a bot.
pub(crate) type Transport = Box<dyn BotPeer>;

/// Creates the transport of a bot.
pub(crate) type Dial = Rc<dyn Fn(&mut Rng) -> Result<Transport, String>>;

/// A player, its client and its transport.
pub(crate) struct Bot {
    scenario: Arc<Scenario>,
    nodes: Rc<NodeTables>,
    dial: Dial,
    rng: Rng,
    player: Player,
    client: Client,
    transport: Option<Transport>,
    /// Time at which a connection that is being closed is closed at the latest, also if reliable
    /// packets were not acknowledged.
    close_by: Option<Instant>,
}

impl Bot {
    pub(crate) fn new(
        scenario: Arc<Scenario>,
        nodes: Rc<NodeTables>,
        dial: Dial,
        player: Player,
        rng: Rng,
    ) -> Self {
        let client = Client::new(PeerId::SERVER, false, Rc::clone(&nodes));
        Self { scenario, nodes, dial, rng, player, client, transport: None, close_by: None }
    }

    /// Returns the reason why the bot has ended; `None` before.
    pub(crate) fn ended(&self) -> Option<&PlayerEnd> {
        self.player.ended()
    }

    /// Returns the peer id, which is final once the server has admitted the bot.
    pub(crate) fn id(&self) -> PeerId {
        self.client.id()
    }

    /// Returns whether the server has admitted the bot.
    pub(crate) fn is_admitted(&self) -> bool {
        self.client.is_admitted()
    }

    /// Lets the bot leave now.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.player.end_at(now);
    }

    /// Returns the time of the next turn if nothing is received.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let transport = self.transport.as_ref();
        let timer = transport.and_then(|transport| transport.poll_timeout());
        let interval = transport.and_then(|transport| match transport.readiness() {
            Readiness::Interval(interval) => Some(now + interval),
            Readiness::Waker => None,
        });
        [self.player.poll_timeout(), timer, interval, self.close_by].into_iter().flatten().min()
    }

    /// Returns ready if the transport has something to receive, and wakes the task otherwise.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.transport {
            Some(transport) => transport.poll_ready(cx),
            None => Poll::Pending,
        }
    }

    /// Receives, does what is due, and sends.
    pub(crate) fn turn(&mut self, now: Instant, stats: &mut Stats) {
        self.receive(now, stats);
        self.close(now);
        // One action may cause observations, on which the next action depends.
        loop {
            self.observe(now, stats);
            let view = ClientView { id: self.client.id().get() };
            let Some(action) = self.player.poll(now, view, stats) else { break };
            self.run(now, action, stats);
        }
        self.send(now, stats);
    }

    fn receive(&mut self, now: Instant, stats: &mut Stats) {
        let Some(transport) = &mut self.transport else { return };
        transport.poll(now);
        while let Some(event) = transport.next_event() {
            self.client.handle_event(event);
        }
        // A client that cannot connect has no event.
        if transport.connection_status() == ConnectionStatus::Disconnected {
            if let Some(failure) = transport.failure().filter(|_| self.client.server().is_none()) {
                self.player.cannot_dial(failure, stats);
            }
            self.client.end(DisconnectReason::Refused);
            self.observe(now, stats);
            self.transport = None;
        }
    }

    /// Passes the client's observations to the player.
    fn observe(&mut self, now: Instant, stats: &mut Stats) {
        while let Some(observation) = self.client.next_observation() {
            match &observation {
                Observation::Authenticating => {
                    for packet in self.player.auth_packets(self.client.id().get()) {
                        self.client.send_auth(packet);
                    }
                    self.client.complete_auth();
                }
                Observation::Call(call) => self.answer(call, stats),
                _ => {}
            }
            self.player.observe(now, observation, stats);
        }
    }

    /// Replies to a call by the scenario's rules.
    fn answer(&mut self, call: &ReceivedCall, stats: &mut Stats) {
        let (Some(path), Some(method)) = (&call.path, &call.method) else { return };
        for rule in self.scenario.answers.iter().filter(|rule| *rule.method == **method) {
            let reply = OutgoingCall {
                path,
                method: &rule.with,
                args: call.args.clone(),
                mode: None,
                channel: None,
            };
            if self.client.call(&[call.from], reply).is_some() {
                stats.count(Counter::CallsSent);
            }
        }
    }

    fn run(&mut self, now: Instant, action: Action, stats: &mut Stats) {
        match action {
            Action::Connect => self.connect(stats),
            Action::Call { step, args, sequence, due } => {
                let scenario = Arc::clone(&self.scenario);
                let Some(Step::Call(call)) = scenario.steps.get(step) else { return };
                let path = call.path.fill(self.player.number(), self.client.id().get());
                let to = self.receivers(call.to);
                let outgoing = OutgoingCall {
                    path: &path,
                    method: &call.method,
                    args,
                    mode: call.mode,
                    channel: call.channel,
                };
                let mode = match to.is_empty() {
                    true => None,
                    false => self.client.call(&to, outgoing),
                };
                self.player.sent(now, step, sequence, due, mode, stats);
            }
            Action::Raw { step, data } => {
                let scenario = Arc::clone(&self.scenario);
                let Some(Step::Raw { to, mode, channel, .. }) = scenario.steps.get(step) else {
                    return;
                };
                let to = match to {
                    Receivers::All => Some(0),
                    to => self.receivers(*to).first().map(|peer| peer.get()),
                };
                match to {
                    Some(to) => {
                        self.client.send_bytes(to, data, *mode, *channel);
                        stats.count(Counter::RawSent);
                    }
                    None => stats.count(Counter::Skipped),
                }
            }
            Action::Leave { vanish: true } => {
                self.transport = None;
                self.client.end(DisconnectReason::Closed);
            }
            Action::Leave { vanish: false } => {
                self.send(now, stats);
                self.close_by = Some(now + CLOSE_TIMEOUT);
                self.close(now);
            }
        }
    }

    /// Closes the connection once the server has acknowledged all packets.
    fn close(&mut self, now: Instant) {
        let Some(deadline) = self.close_by else { return };
        let (Some(transport), Some(server)) = (&mut self.transport, self.client.server()) else {
            self.close_by = None;
            self.transport = None;
            return self.client.end(DisconnectReason::Closed);
        };
        if !transport.closes_at_once() {
            self.close_by = None;
            return transport.disconnect(server, DisconnectReason::Closed, CloseMode::Drain);
        }
        let queued = transport.connection_stats(server).map_or(0, |stats| stats.queued_bytes);
        if queued == 0 || now >= deadline {
            self.close_by = None;
            transport.disconnect(server, DisconnectReason::Closed, CloseMode::Immediate);
            transport.flush(now);
            self.transport = None;
            self.client.end(DisconnectReason::Closed);
        }
    }

    fn connect(&mut self, stats: &mut Stats) {
        match (self.dial)(&mut self.rng) {
            Ok(transport) => {
                let id = transport.unique_id();
                let authenticates = self.scenario.authenticates();
                self.client = Client::new(id, authenticates, Rc::clone(&self.nodes));
                self.transport = Some(transport);
            }
            Err(error) => self.player.cannot_dial(error, stats),
        }
    }

    fn receivers(&mut self, to: Receivers) -> Vec<PeerId> {
        let players = self.client.players();
        match to {
            Receivers::Server => vec![PeerId::SERVER],
            Receivers::All => [PeerId::SERVER].iter().chain(players).copied().collect(),
            Receivers::RandomPlayer => {
                let index = self.rng.below(players.len() as u64) as usize;
                players.get(index).copied().into_iter().collect()
            }
        }
    }

    fn send(&mut self, now: Instant, stats: &mut Stats) {
        let Some(transport) = &mut self.transport else { return };
        while let Some(packet) = self.client.next_packet() {
            let len = packet.len();
            match transport.send(packet) {
                Ok(()) => {
                    stats.count(Counter::PacketsSent);
                    stats.add(Counter::BytesSent, len);
                }
                Err(_) => stats.count(Counter::RejectedPackets),
            }
        }
        transport.flush(now);
    }
}

/// Time for which a connection waits for acknowledgements before it is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time between two turns of a bot, so that a stopped run ends its bots.
pub(crate) const TURN_INTERVAL_MAX: Duration = Duration::from_secs(1);
