//! [`Player`]: a client that may resume a session.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Channel, Instant, Packet, PeerId, Rng, TransferMode};
use mp_transport_enet::ClientOptions;

use super::server::Server;
use crate::game::{self, Inbox, Received, Seen, Sequence};
use crate::machine::{ClientMachine, TIMEOUT};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A client of the server.
pub(super) struct Player {
    machine: ClientMachine,
    inbox: Inbox,
    /// Number of the process, higher than those before.
    process: i64,
    /// The other players: numbers of the bytes sent to them, and received from them.
    others: BTreeMap<PeerId, (i64, Sequence)>,
    /// Calls of the server.
    orders: Sequence,
    /// The session of the server's calls.
    session: Option<i64>,
    /// Number of the last call to the server.
    asked: i64,
    /// True if the client has been in a session.
    has_played: bool,
    /// Time at which it leaves.
    leaves: Instant,
}

impl Player {
    pub(super) fn new(
        socket: SimSocket,
        id: PeerId,
        process: i64,
        now: Instant,
        rng: &mut Rng,
    ) -> Self {
        let inbox = Inbox::default();
        let branch = game::builder(&inbox).seed(rng.next_seed()).build().expect("a valid branch");
        let options = ClientOptions::default().seed(rng.next_seed()).unique_id(id).timeout(TIMEOUT);
        let stays = rng.duration(Duration::from_millis(300), Duration::from_secs(20));
        Self {
            machine: ClientMachine::new(socket, options, branch),
            inbox,
            process,
            others: BTreeMap::new(),
            orders: Sequence::default(),
            session: None,
            asked: 0,
            has_played: false,
            leaves: now + stays,
        }
    }

    pub(super) fn id(&self) -> PeerId {
        self.machine.id()
    }

    pub(super) fn has_played(&self) -> bool {
        self.has_played
    }

    pub(super) fn asked(&self) -> i64 {
        self.asked
    }

    /// Returns the number of the last call of the server in a session.
    pub(super) fn orders_of(&self, session: i64) -> i64 {
        self.orders.last_of(session).unwrap_or(0)
    }

    /// Returns whether a turn is due although no datagram was received.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.machine.is_due(now)
    }

    /// Runs a turn. Returns whether the client has ended; the error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
        server: &Server,
    ) -> Result<bool, String> {
        let id = self.machine.id();
        let mut checked = Ok(());
        let mut witness = |packet: &Packet| {
            if checked.is_ok() {
                checked = server.ledger().check_packet(id, packet);
            }
        };
        self.machine.receive(now, &mut witness);
        if self.machine.is_playing() {
            self.has_played = true;
            if is_active {
                self.play(rng);
            }
            if is_active && now >= self.leaves {
                self.machine.leave(now);
            }
        }
        self.machine.send(now, &mut witness);
        checked?;
        self.handle_inbox(server)?;
        self.machine.check_refusals()?;
        Ok(self.machine.has_ended(now))
    }

    fn handle_inbox(&mut self, server: &Server) -> Result<(), String> {
        loop {
            let message = self.inbox.borrow_mut().pop_front();
            let Some(message) = message else { return Ok(()) };
            let what = format!("{} has received {message:?}", self.machine.id());
            let checked = match message {
                Received::Connected(peer) => {
                    let before = self.others.insert(peer, (0, Sequence::default()));
                    before.map_or(Ok(()), |_| Err("which is a peer already".to_owned()))
                }
                Received::Disconnected(peer) => {
                    self.others.remove(&peer);
                    match peer.is_server() || server.has_departed(peer) {
                        true => Ok(()),
                        false => Err("but the server keeps the peer".to_owned()),
                    }
                }
                Received::Bytes(from, text) => self.handle_bytes(from, &text),
                Received::Order(_, 0) => Err("beyond the bound of queued calls".to_owned()),
                Received::Order(session, number) => match *self.session.get_or_insert(session) {
                    first if first == session => self.orders.receive_from(session, number, 1),
                    first => Err(format!("of another session than {first}")),
                },
                _ => Err("which no program sends".to_owned()),
            };
            checked.map_err(|wrong| format!("{what}: {wrong}"))?;
        }
    }

    fn handle_bytes(&mut self, from: PeerId, text: &str) -> Result<(), String> {
        let mut numbers = text.split(' ').filter_map(|number| number.parse::<i64>().ok());
        let (Some(process), Some(number)) = (numbers.next(), numbers.next()) else {
            return Err("bytes that no program sends".to_owned());
        };
        match self.others.get_mut(&from) {
            Some((_, received)) => received.receive_from(process, number, 0),
            None => Err("which is no peer".to_owned()),
        }
    }

    fn play(&mut self, rng: &mut Rng) {
        let id = self.machine.id();
        let scene = self.machine.scene();
        match rng.below(30) {
            0 => {
                if let Ok(flag) = scene.find("Flag")
                    && scene.rpc_id(PeerId::SERVER, flag, "ask", (self.asked + 1,)).is_ok()
                {
                    self.asked += 1;
                }
            }
            1 => {
                let others: Vec<PeerId> =
                    self.others.keys().copied().filter(|peer| !peer.is_server()).collect();
                let Some(other) = rng.pick(&others) else { return };
                let Some((sent, _)) = self.others.get_mut(other) else { return };
                let text = format!("{} {}", self.process, *sent + 1);
                let (mode, channel) = (TransferMode::Reliable, Channel(0));
                if scene.send_bytes(text.as_bytes(), *other, mode, channel).is_ok() {
                    *sent += 1;
                }
            }
            2 => {
                if let Some(seat) = game::seat_of(scene, id) {
                    seat.input = i64::from(rng.next_u32());
                }
            }
            _ => {}
        }
    }

    /// Returns what the player has.
    pub(super) fn seen(&mut self) -> Seen {
        Seen::of(self.machine.scene())
    }

    /// Returns the value of its seat.
    pub(super) fn input(&mut self) -> Option<i64> {
        let id = self.machine.id();
        game::seat_of(self.machine.scene(), id).map(|seat| seat.input)
    }

    /// Checks that another player has received the last bytes of this one.
    pub(super) fn check_settled(&self, other: &Self) -> Result<(), String> {
        let (from, to) = (self.id(), other.id());
        let (Some((sent, _)), Some((_, received))) =
            (self.others.get(&to), other.others.get(&from))
        else {
            return Err(format!("{from} and {to} do not know each other"));
        };
        match received.last_of(self.process) {
            Some(last) if last != *sent => Err(format!("{to} has {last} of {sent} of {from}")),
            _ => Ok(()),
        }
    }
}
