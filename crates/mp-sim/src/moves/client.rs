//! A client as a game without a line for moves, and a witness of the packets that it receives.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Channel, Instant, Packet, PeerId, Rng, TransferMode};
use mp_scene::SceneMessage;
use mp_scene::codec::{Codec, Limits};
use mp_transport_enet::ClientOptions;

use super::Seen;
use super::game::{self, SharedLog};
use crate::game::seat_of;
use crate::machine::ClientMachine;
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A client of the server.
pub(super) struct Client {
    machine: ClientMachine,
    ids: Ids,
    pub(super) log: SharedLog,
    /// Time at which it leaves.
    leaves: Instant,
}

/// The ids of nodes that the server has announced during the connection.
#[derive(Debug, Default)]
struct Ids {
    paths: BTreeMap<u32, String>,
    nodes: BTreeMap<u32, String>,
}

impl Ids {
    /// Returns a witness of packets, which sets `checked` to the first violation.
    fn witness(&mut self, checked: &mut Result<(), String>) -> impl FnMut(&Packet) {
        |packet| {
            if checked.is_ok() {
                *checked = self.handle(packet);
            }
        }
    }

    /// Handles a packet of the server. The error is a violation: an id is used again.
    fn handle(&mut self, packet: &Packet) -> Result<(), String> {
        let (ids, id, node) = match Codec::default().decode(&packet.payload, &Limits::default()) {
            Ok(SceneMessage::SimplifyPath { id, path, .. }) => (&mut self.paths, id, path),
            Ok(SceneMessage::Spawn(spawn)) => (&mut self.nodes, spawn.net_id, spawn.name),
            _ => return Ok(()),
        };
        match ids.insert(id, node.clone()) {
            Some(earlier) if earlier != node => {
                Err(format!("id {id} of {earlier} is used again for {node}"))
            }
            _ => Ok(()),
        }
    }
}

impl Client {
    pub(super) fn new(socket: SimSocket, now: Instant, rng: &mut Rng) -> Self {
        let options = ClientOptions::default().seed(rng.next_seed());
        let log = SharedLog::default();
        let reported = SharedLog::clone(&log);
        let met = SharedLog::clone(&log);
        let branch =
            game::branch(0, &log).seed(rng.next_seed()).on_peer_packet(move |_, from, data| {
                let text = String::from_utf8_lossy(data);
                let mut numbers = text.split(' ').map(|it| it.parse().unwrap_or_default());
                let (room, visit) = (numbers.next(), numbers.next());
                match (room, visit, from.is_server()) {
                    (Some(room), Some(visit), true) => reported.borrow_mut().reported(room, visit),
                    (Some(room), _, false) => met.borrow_mut().asked(room),
                    _ => reported.borrow_mut().wrong.push(format!("{from} sent {text:?}")),
                }
            });
        let stays = rng.duration(Duration::from_secs(1), Duration::from_secs(25));
        let branch = branch.build().expect("a valid branch");
        let machine = ClientMachine::new(socket, options, branch);
        Self { machine, ids: Ids::default(), log, leaves: now + stays }
    }

    pub(super) fn id(&self) -> PeerId {
        self.machine.id()
    }

    pub(super) fn is_connected(&mut self) -> bool {
        self.machine.scene().peers().contains(&PeerId::SERVER)
    }

    /// Runs a turn. Returns whether the client has ended; the error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
    ) -> Result<bool, String> {
        let mut checked = Ok(());
        self.machine.receive(now, &mut self.ids.witness(&mut checked));
        if self.machine.is_playing() {
            self.play(is_active, rng);
        }
        if is_active && now >= self.leaves {
            self.machine.leave(now);
        }
        self.machine.send(now, &mut self.ids.witness(&mut checked));
        checked?;
        self.check()?;
        Ok(self.machine.has_ended(now))
    }

    /// Calls and sends for the room whose marker the client has.
    fn play(&mut self, is_active: bool, rng: &mut Rng) {
        let Some(room) = self.log.borrow().room else { return };
        let (id, scene) = (self.machine.id(), self.machine.scene());
        if let Some(seat) = seat_of(scene, id) {
            seat.input = room;
        }
        let Ok(hall) = scene.find("Hall") else { return };
        let method = match rng.below(if is_active { 40 } else { 0 }.max(1)) {
            _ if !is_active => return,
            0..=2 => "ask",
            3 | 4 => "ask_fast",
            5 | 6 => "ask_beside",
            7 => {
                let others: Vec<_> =
                    scene.peers().into_iter().filter(|it| !it.is_server()).collect();
                if let Some(&other) = rng.pick(&others) {
                    let (mode, channel) = (TransferMode::Reliable, Channel(0));
                    let _ = scene.send_bytes(room.to_string().as_bytes(), other, mode, channel);
                }
                return;
            }
            8 => {
                let units = game::nodes(scene, "Units");
                if let Some((name, _)) = rng.pick(&units)
                    && let Ok(unit) = scene.find(&format!("Units/{name}"))
                {
                    let _ = scene.rpc_id(PeerId::SERVER, unit, "hit", (room,));
                }
                return;
            }
            _ => return,
        };
        let _ = scene.rpc_id(PeerId::SERVER, hall, method, (room,));
    }

    /// Checks what the client has received and has. The error is a violation.
    fn check(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.log.borrow().wrong.first() {
            return Err(format!("{}: {wrong}", self.id()));
        }
        let scene = self.machine.scene();
        let mut nodes = game::nodes(scene, "Units");
        nodes.extend(game::nodes(scene, "Items"));
        let rooms: Vec<_> = nodes.iter().map(|(name, _)| &name[..2]).collect();
        if rooms.iter().any(|room| *room != rooms[0]) {
            return Err(format!("{} has nodes of two rooms: {nodes:?}", self.id()));
        }
        let stats = scene.stats();
        if stats.malformed_packets + stats.refused_announcements > 0 {
            return Err(format!("{} has refused packets: {stats:?}", self.id()));
        }
        Ok(())
    }

    /// Returns what the client has.
    pub(super) fn seen(&mut self) -> Seen {
        Seen::of(self.machine.scene())
    }
}
