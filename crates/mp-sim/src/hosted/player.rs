//! [`Player`]: a client of a room, as a guest or as the host.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Channel, Instant, Packet, PeerId, Rng, TransferMode};
use mp_transport_enet::ClientOptions;

use super::BECOME_HOST;
use crate::game::{self, Inbox, Ledger, Owner, Received, Seen, Sequence};
use crate::machine::{ClientMachine, TIMEOUT};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A client of the room.
pub(super) struct Player {
    pub(super) machine: ClientMachine,
    inbox: Inbox,
    role: Role,
    /// Peers of the client, with what it has exchanged with them.
    peers: BTreeMap<PeerId, Exchange>,
    /// Number of times that each peer has joined, as the client sees it.
    meetings: BTreeMap<PeerId, i64>,
    /// Calls of hosts to this guest, and to all.
    orders: Sequence,
    cheers: Sequence,
    /// Number of the last call to peer 1.
    asked: i64,
    /// Number of the last value of its seat.
    input: i64,
    /// Time at which it leaves.
    leaves: Instant,
}

/// The part of a player in the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Guest,
    /// It was asked to be the host, and the code of its game takes over at this time.
    Asked(Instant),
    /// It owns the game. The number is that of its era, followed by its calls to all guests.
    Host(i64, i64),
}

/// Numbers of the messages between a client and a peer.
#[derive(Debug, Default)]
struct Exchange {
    /// Last number sent to the peer: of calls as host, of bytes as guest.
    sent: i64,
    /// Numbers received from the peer: of calls as host, of bytes as guest.
    received: Sequence,
}

impl Player {
    pub(super) fn new(socket: SimSocket, now: Instant, rng: &mut Rng) -> Self {
        let inbox = Inbox::default();
        let branch = game::builder(&inbox).seed(rng.next_seed()).build().expect("a valid branch");
        let options = ClientOptions::default().seed(rng.next_seed()).timeout(TIMEOUT);
        let stays = rng.duration(Duration::from_secs(1), Duration::from_secs(25));
        Self {
            machine: ClientMachine::new(socket, options, branch),
            inbox,
            role: Role::Guest,
            peers: BTreeMap::new(),
            meetings: BTreeMap::new(),
            orders: Sequence::default(),
            cheers: Sequence::default(),
            asked: 0,
            input: 0,
            leaves: now + stays,
        }
    }

    pub(super) fn is_host(&self) -> bool {
        matches!(self.role, Role::Host(..))
    }

    /// Makes the player own the game from the next turn on: the room was empty.
    pub(super) fn seat(&mut self, now: Instant) {
        self.role = Role::Asked(now);
    }

    /// Returns whether a turn is due although no datagram was received.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.machine.is_due(now) || matches!(self.role, Role::Asked(at) if at <= now)
    }

    /// Runs a turn. Returns whether the client has ended; the error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
        ledger: &mut Ledger,
    ) -> Result<bool, String> {
        let mut checked = Ok(());
        let id = self.machine.id();
        let mut witness = |packet: &Packet| {
            if checked.is_ok() {
                checked = ledger.check_packet(id, packet);
            }
        };
        self.machine.receive(now, &mut witness);
        checked?;
        self.handle_inbox(now, is_active, rng, ledger)?;
        if self.machine.is_playing() {
            self.play(now, is_active, rng, ledger)?;
            if is_active && now >= self.leaves {
                self.machine.leave(now);
            }
        }
        let mut checked = Ok(());
        let mut witness = |packet: &Packet| {
            if checked.is_ok() {
                checked = ledger.check_packet(id, packet);
            }
        };
        self.machine.send(now, &mut witness);
        checked?;
        self.machine.check_refusals()?;
        Ok(self.machine.has_ended(now))
    }

    fn handle_inbox(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        loop {
            let message = self.inbox.borrow_mut().pop_front();
            let Some(message) = message else { return Ok(()) };
            let id = self.machine.id();
            let what = format!("{id} has received {message:?}");
            let checked = match message {
                Received::Connected(peer) => {
                    self.peers.insert(peer, Exchange::default());
                    *self.meetings.entry(peer).or_default() += 1;
                    if let (true, scene) = (self.is_host(), self.machine.scene()) {
                        Owner { scene, rng, ledger }.add_seat(peer);
                    }
                    Ok(())
                }
                Received::Disconnected(peer) => {
                    self.peers.remove(&peer);
                    if let (true, scene) = (self.is_host(), self.machine.scene()) {
                        Owner { scene, rng, ledger }.remove_seat(peer);
                    }
                    Ok(())
                }
                Received::Bytes(PeerId::SERVER, text) if text == BECOME_HOST => {
                    // The code of a game may wait for some frames.
                    let most = if is_active { 500 } else { 100 };
                    let delay = rng.duration(Duration::ZERO, Duration::from_millis(most));
                    self.role = Role::Asked(now + delay);
                    Ok(())
                }
                Received::Bytes(from, text) => self.handle_bytes(from, &text),
                Received::Order(era, number) => self.orders.receive_from(era, number, 1),
                Received::Cheer(era, number) => self.cheers.receive_from(era, number, 0),
                // A guest may send values of a seat that the host has removed, and the next host
                // values of its seat until it owns the game.
                Received::Failed(error) if error.contains("/Input: peer ") => Ok(()),
                Received::Failed(_) => Err("as a guest".to_owned()),
                Received::Resumed(..) => Err("although no peer resumes".to_owned()),
                Received::Ask(from, number) => match self.peers.get_mut(&from) {
                    Some(peer) => peer.received.receive(number),
                    None => Err("which is no peer".to_owned()),
                },
            };
            checked.map_err(|wrong| format!("{what}: {wrong}"))?;
        }
    }

    /// Handles bytes of another guest. Those of a guest that is the host now were sent before,
    /// unless it had met the client again.
    fn handle_bytes(&mut self, from: PeerId, text: &str) -> Result<(), String> {
        let mut numbers = text.split(' ').filter_map(|number| number.parse::<i64>().ok());
        let (Some(meeting), Some(number)) = (numbers.next(), numbers.next()) else {
            return Err("bytes that no program sends".to_owned());
        };
        if from.is_server() {
            return match meeting {
                1 => Err("the host has sent it as a guest".to_owned()),
                _ => Ok(()),
            };
        }
        match self.peers.get_mut(&from) {
            Some(peer) => peer.received.receive_from(0, number, 1),
            None => Err("which is no peer".to_owned()),
        }
    }

    fn play(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        match self.role {
            Role::Guest if is_active => self.play_as_guest(rng),
            Role::Guest => {}
            Role::Asked(at) if now < at => {}
            Role::Asked(_) => self.become_host(now, rng, ledger)?,
            Role::Host(..) if is_active => self.play_as_host(rng, ledger),
            Role::Host(..) => {}
        }
        Ok(())
    }

    /// Runs the code of a game that becomes the host.
    fn become_host(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        self.role = Role::Host(i64::try_from(now.as_micros()).unwrap_or_default(), 0);
        let id = self.machine.id();
        let scene = self.machine.scene();
        let players: Vec<PeerId> =
            self.peers.keys().copied().filter(|peer| !peer.is_server()).collect();
        let mut owner = Owner { scene, rng, ledger };
        // Also its own seat: guests would not accept that peer 1 is its authority.
        for seat in Seen::of(owner.scene).players() {
            if !players.contains(&seat) {
                owner.remove_seat(seat);
            }
        }
        let taken_over = game::take_over(owner.scene);
        taken_over.map_err(|error| format!("{id} cannot take over: {error}"))?;
        players.into_iter().for_each(|player| owner.add_seat(player));
        Ok(())
    }

    fn play_as_host(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
        let players: Vec<PeerId> =
            self.peers.keys().copied().filter(|peer| !peer.is_server()).collect();
        let Role::Host(era, cheers) = &mut self.role else { return };
        let scene = self.machine.scene();
        Owner { scene, rng, ledger }.act(&players);
        let Ok(flag) = scene.find("Flag") else { return };
        match rng.below(30) {
            0..4 => {
                let Some(player) = rng.pick(&players) else { return };
                let Some(peer) = self.peers.get_mut(player) else { return };
                if scene.rpc_id(*player, flag, "order", (*era, peer.sent + 1)).is_ok() {
                    peer.sent += 1;
                }
            }
            4 if scene.rpc(flag, "cheer", (*era, *cheers + 1)).is_ok() => *cheers += 1,
            _ => {}
        }
    }

    fn play_as_guest(&mut self, rng: &mut Rng) {
        let id = self.machine.id();
        let scene = self.machine.scene();
        match rng.below(40) {
            0 | 1 => {
                if let Ok(flag) = scene.find("Flag")
                    && scene.rpc_id(PeerId::SERVER, flag, "ask", (self.asked + 1,)).is_ok()
                {
                    self.asked += 1;
                }
            }
            2 => {
                let others: Vec<PeerId> =
                    self.peers.keys().copied().filter(|peer| !peer.is_server()).collect();
                let Some(other) = rng.pick(&others) else { return };
                let Some(peer) = self.peers.get_mut(other) else { return };
                let meeting = self.meetings.get(other).copied().unwrap_or_default();
                let text = format!("{meeting} {}", peer.sent + 1);
                let (mode, channel) = (TransferMode::Reliable, Channel(0));
                if scene.send_bytes(text.as_bytes(), *other, mode, channel).is_ok() {
                    peer.sent += 1;
                }
            }
            3 => {
                if let Some(seat) = game::seat_of(scene, id) {
                    self.input += 1;
                    seat.input = self.input;
                }
            }
            _ => {}
        }
    }

    /// Returns what the player has.
    pub(super) fn seen(&mut self) -> Seen {
        Seen::of(self.machine.scene())
    }

    /// Returns what a guest should have if this player is the host.
    pub(super) fn seen_by(&mut self, guest: PeerId) -> Seen {
        Seen::visible_to(guest, self.machine.scene())
    }

    /// Returns the value of its seat that the player has sent last.
    pub(super) fn input(&mut self) -> Option<i64> {
        let id = self.machine.id();
        game::seat_of(self.machine.scene(), id).map(|seat| seat.input)
    }

    /// Checks that everything that this host and a guest have sent each other was received.
    pub(super) fn check_host(&self, guest: &Self) -> Result<(), String> {
        let Role::Host(era, cheers) = self.role else { return Ok(()) };
        let id = guest.machine.id();
        let Some(peer) = self.peers.get(&id) else {
            return Err(format!("the host does not know {id}"));
        };
        let checks = [
            ("orders", guest.orders.last_of(era).unwrap_or(0), peer.sent),
            ("cheers", guest.cheers.last_of(era).unwrap_or(cheers), cheers),
            ("asks", peer.received.last_of(0).unwrap_or(guest.asked), guest.asked),
        ];
        match checks.into_iter().find(|(_, received, sent)| received != sent) {
            Some((what, received, sent)) => {
                Err(format!("{received} of {sent} {what} between the host and {id}"))
            }
            None => Ok(()),
        }
    }

    /// Checks that all bytes that this guest has sent to another one were received.
    pub(super) fn check_guest(&self, other: &Self) -> Result<(), String> {
        let (from, to) = (self.machine.id(), other.machine.id());
        let (Some(sender), Some(receiver)) = (self.peers.get(&to), other.peers.get(&from)) else {
            return Err(format!("{from} and {to} do not know each other"));
        };
        match receiver.received.last_of(0).unwrap_or(0) {
            received if received == sender.sent => Ok(()),
            received => Err(format!("{received} of {} packets of {from} to {to}", sender.sent)),
        }
    }
}
