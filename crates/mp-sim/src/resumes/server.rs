//! [`Server`]: the server, which keeps players and owns the game.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{ConnectionRouter, Instant, NewConnection, OutgoingPacket, PeerId, Rng, Route};
use mp_scene::{Keep, Scene};

use super::player::Player;
use super::{KEEP, QUEUED_CALLS};
use crate::game::{self, Inbox, Ledger, Owner, Received, Seen, Sequence};
use crate::machine::{BRANCH, ServerMachine, Turns};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// The server.
pub(super) struct Server {
    machine: ServerMachine<Tickets>,
    tickets: Tickets,
    book: Book,
}

/// The messages of the server, and the sessions of the players.
#[derive(Debug, Default)]
struct Book {
    inbox: Inbox,
    ledger: Ledger,
    players: BTreeMap<PeerId, Line>,
    /// Peers that have left.
    departed: BTreeSet<PeerId>,
    /// Number of sessions.
    sessions: i64,
}

/// The sessions that new connections resume, by the id that they claim.
#[derive(Clone, Debug, Default)]
struct Tickets(Rc<RefCell<BTreeMap<PeerId, PeerId>>>);

impl ConnectionRouter for Tickets {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        let of = new.claimed_id.and_then(|id| self.0.borrow_mut().remove(&id));
        of.map_or(Route::Branch(BRANCH), |of| Route::Resume(BRANCH, of))
    }
}

/// The calls between the server and a player.
#[derive(Debug, Default)]
struct Line {
    /// Number of the session, and of the last call to it.
    orders: (i64, i64),
    /// The same for the session in which a kept player will resume.
    queued: Option<(i64, i64)>,
    asks: Sequence,
}

impl Server {
    pub(super) fn new(socket: SimSocket, rng: &mut Rng) -> Self {
        let (book, tickets) = (Book::default(), Tickets::default());
        let of_resumed = Inbox::clone(&book.inbox);
        let branch = game::builder(&book.inbox)
            .seed(rng.next_seed())
            .on_peer_dropped(|_, _, _| Keep::for_(KEEP).queue_calls(QUEUED_CALLS).into())
            .on_peer_resumed(move |scene, old, new| {
                if old != new {
                    scene.reseat(old, new);
                }
                of_resumed.borrow_mut().push_back(Received::Resumed(old, new));
            })
            .build()
            .expect("a valid branch");
        Self {
            machine: ServerMachine::new(socket, tickets.clone(), branch, rng.next_seed()),
            tickets,
            book,
        }
    }

    /// Lets the next connection that claims the id `id` resume the session of `of`.
    pub(super) fn issue_ticket(&mut self, id: PeerId, of: PeerId) {
        self.tickets.0.borrow_mut().insert(id, of);
    }

    /// Returns whether a turn is due although no datagram was received.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.machine.is_due(now)
    }

    /// Runs a turn. The error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let turns = if is_active { Turns::draw(rng) } else { Turns::ALL };
        let mut checked = Ok(());
        let book = &mut self.book;
        let act = |scene: &mut Scene| {
            checked = book.handle_inbox();
            book.act(scene, is_active, rng);
        };
        self.machine.step(now, turns, act, &mut |_, _| {});
        checked?;
        // What the end of the turn has reported: clients receive it next.
        self.book.handle_inbox()?;
        let stats = self.machine.scene(now).stats();
        match stats.malformed_packets {
            0 => Ok(()),
            _ => Err(format!("malformed packets: {stats:?}")),
        }
    }

    pub(super) fn has_departed(&self, peer: PeerId) -> bool {
        self.book.departed.contains(&peer)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.book.ledger
    }

    pub(super) fn scene(&mut self, now: Instant) -> &mut Scene {
        self.machine.scene(now)
    }

    /// Returns what a player should have.
    pub(super) fn seen_by(&mut self, now: Instant, player: PeerId) -> Seen {
        Seen::visible_to(player, self.machine.scene(now))
    }

    /// Checks that all calls between the server and a player were received.
    pub(super) fn check_settled(&self, player: &Player) -> Result<(), String> {
        let id = player.id();
        let line = self.book.players.get(&id).ok_or_else(|| format!("{id} is no player"))?;
        let (session, ordered) = line.orders;
        let (received, asked) = (player.orders_of(session), line.asks.last_of(0).unwrap_or(0));
        if received != ordered {
            return Err(format!("{id} has received {received} of {ordered} calls in {session}"));
        }
        match player.asked() {
            sent if sent == asked => Ok(()),
            sent => Err(format!("{id} has sent {sent} calls, of which {asked} were received")),
        }
    }
}

impl Book {
    /// Lets the owner act, and calls a player.
    fn act(&mut self, scene: &mut Scene, is_active: bool, rng: &mut Rng) {
        let peers = scene.peers();
        let mut owner = Owner { scene, rng, ledger: &mut self.ledger };
        peers.iter().for_each(|&peer| owner.add_seat(peer));
        for seat in Seen::of(owner.scene).players() {
            if !peers.contains(&seat) {
                owner.remove_seat(seat);
            }
        }
        if !is_active {
            return;
        }
        owner.act(&peers);
        if rng.chance(200)
            && let Some(peer) = rng.pick(&peers)
            && let Some(line) = self.players.get_mut(peer)
        {
            order(scene, *peer, line, &mut self.sessions);
        }
    }

    fn handle_inbox(&mut self) -> Result<(), String> {
        loop {
            let message = self.inbox.borrow_mut().pop_front();
            let Some(message) = message else { return Ok(()) };
            match message {
                Received::Connected(peer) => {
                    let orders = (self.next_session(), 0);
                    self.players.insert(peer, Line { orders, ..Line::default() });
                }
                Received::Disconnected(peer) => {
                    self.departed.insert(peer);
                    self.players.remove(&peer);
                }
                Received::Resumed(old, new) => {
                    let queued = self.players.remove(&old).and_then(|line| line.queued);
                    let orders = queued.unwrap_or_else(|| (self.next_session(), 0));
                    self.players.insert(new, Line { orders, ..Line::default() });
                    if old != new {
                        self.departed.insert(old);
                        self.ledger.show_as(old, new);
                    }
                }
                Received::Ask(peer, number) => {
                    let line = self.players.get_mut(&peer);
                    let line = line.ok_or_else(|| format!("{peer} calls, but is no peer"))?;
                    let checked = line.asks.receive_from(0, number, 1);
                    checked.map_err(|wrong| format!("{peer} asks {number} {wrong}"))?;
                }
                // A player may send values of a seat that was removed.
                Received::Failed(_) => {}
                Received::Bytes(..) | Received::Order(..) | Received::Cheer(..) => {
                    return Err(format!("the server has received {message:?}"));
                }
            }
        }
    }

    fn next_session(&mut self) -> i64 {
        self.sessions += 1;
        self.sessions
    }
}

/// Calls a player. If it is kept, the call is for its next session: its number is 0 if it exceeds
/// the bound and must be dropped.
fn order(scene: &mut Scene, peer: PeerId, line: &mut Line, sessions: &mut i64) {
    let Ok(flag) = scene.find("Flag") else { return };
    let (session, last) = match scene.multiplayer().is_kept(peer) {
        false => &mut line.orders,
        true => line.queued.get_or_insert_with(|| {
            *sessions += 1;
            (*sessions, 0)
        }),
    };
    let is_dropped = scene.multiplayer().is_kept(peer) && *last >= QUEUED_CALLS as i64;
    let number = if is_dropped { 0 } else { *last + 1 };
    if scene.rpc_id(peer, flag, "order", (*session, number)).is_ok() && !is_dropped {
        *last = number;
    }
}
