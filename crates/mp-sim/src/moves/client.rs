//! A client as a game without a line for moves, and a witness of the packets that it receives.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{
    BranchId, Channel, CloseMode, ConnectionStatus, DisconnectReason, Endpoint, EndpointId,
    Instant, MultiplayerPeer, PeerEvent, PeerId, Rng, StateMachine, ToBranch, TransferMode,
};
use mp_scene::codec::{Codec, Limits};
use mp_scene::{Branch, SceneMessage};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use super::Seen;
use super::game::{self, Seat, SharedLog};
use crate::net::SimulatedNetwork;
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A client of the server.
pub(super) struct Client {
    endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>, BranchId>,
    branch: Branch,
    id: PeerId,
    ids: Ids,
    pub(super) log: SharedLog,
    /// Time at which it leaves.
    leaves: Instant,
    /// Time at which it is dropped although it has not finished leaving.
    ends: Option<Instant>,
}

/// The ids of nodes that the server has announced during the connection.
#[derive(Debug, Default)]
struct Ids {
    paths: BTreeMap<u32, String>,
    nodes: BTreeMap<u32, String>,
}

impl Ids {
    /// Handles a message of the server. The error is a violation: an id is used again.
    fn handle(&mut self, message: &SceneMessage) -> Result<(), String> {
        let (ids, id, node) = match message {
            SceneMessage::SimplifyPath { id, path, .. } => (&mut self.paths, *id, path),
            SceneMessage::Spawn(spawn) => (&mut self.nodes, spawn.net_id, &spawn.name),
            _ => return Ok(()),
        };
        match ids.insert(id, node.clone()) {
            Some(earlier) if earlier != *node => {
                Err(format!("id {id} of {earlier} is used again for {node}"))
            }
            _ => Ok(()),
        }
    }
}

impl Client {
    pub(super) fn new(socket: SimSocket, now: Instant, rng: &mut Rng) -> Self {
        let options = ClientOptions::default().seed(rng.next_seed());
        let server = SimulatedNetwork::server_address(0);
        let peer = EnetMultiplayerPeer::client(socket, server, options).expect("valid options");
        let id = peer.unique_id();
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
        let mut endpoint = Endpoint::new(EndpointId(0), peer, BRANCH);
        endpoint.serve(BRANCH);
        let stays = rng.duration(Duration::from_secs(1), Duration::from_secs(25));
        let branch = branch.build().expect("a valid branch");
        let (ids, ends) = (Ids::default(), None);
        Self { endpoint, branch, id, ids, log, leaves: now + stays, ends }
    }

    pub(super) fn id(&self) -> PeerId {
        self.id
    }

    pub(super) fn is_connected(&mut self) -> bool {
        self.branch.scene().peers().contains(&PeerId::SERVER)
    }

    /// Runs a turn. Returns whether the client has ended; the error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        rng: &mut Rng,
    ) -> Result<bool, String> {
        self.endpoint.receive(now);
        self.deliver(now)?;
        self.branch.scene().set_now(now);
        if self.is_connected() && self.ends.is_none() {
            self.play(is_active, rng);
        }
        if is_active && now >= self.leaves && self.ends.is_none() {
            self.ends = Some(now + Duration::from_secs(4));
            self.branch.close(DisconnectReason::Closed, CloseMode::Drain);
        }
        self.branch.end_turn(now);
        let endpoint = &mut self.endpoint;
        self.branch.deliver(&mut |_, message| {
            endpoint.handle_input(now, (BRANCH, message));
            Ok(())
        });
        self.endpoint.finish_turn(now);
        self.deliver(now)?;
        self.check()?;
        let status = self.endpoint.peer().connection_status();
        Ok(status == ConnectionStatus::Disconnected || self.ends.is_some_and(|end| now >= end))
    }

    /// Passes the events of the endpoint to the branch, and checks the ids of announcements.
    fn deliver(&mut self, now: Instant) -> Result<(), String> {
        let Self { endpoint, branch, ids, .. } = self;
        let mut checked = Ok(());
        endpoint.deliver(&mut |_, message: ToBranch| {
            if let ToBranch::Events(_, events) = &message {
                for event in events {
                    let PeerEvent::Packet(packet) = event else { continue };
                    let message = Codec::default().decode(&packet.payload, &Limits::default());
                    if let (Ok(()), Ok(message)) = (&checked, message) {
                        checked = ids.handle(&message);
                    }
                }
            }
            branch.handle_input(now, message);
            Ok(())
        });
        checked
    }

    /// Calls and sends for the room whose marker the client has.
    fn play(&mut self, is_active: bool, rng: &mut Rng) {
        let Some(room) = self.log.borrow().room else { return };
        let (id, scene) = (self.id, self.branch.scene());
        if let Ok(seat) = scene.node::<Seat>(&format!("Seats/{id}"))
            && let Ok(seat) = scene.get_mut(seat)
        {
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
            return Err(format!("{}: {wrong}", self.id));
        }
        let scene = self.branch.scene();
        let mut nodes = game::nodes(scene, "Units");
        nodes.extend(game::nodes(scene, "Items"));
        let rooms: Vec<_> = nodes.iter().map(|(name, _)| &name[..2]).collect();
        if rooms.iter().any(|room| *room != rooms[0]) {
            return Err(format!("{} has nodes of two rooms: {nodes:?}", self.id));
        }
        let stats = scene.stats();
        if stats.malformed_packets + stats.refused_announcements > 0 {
            return Err(format!("{} has refused packets: {stats:?}", self.id));
        }
        Ok(())
    }

    /// Returns what the client has.
    pub(super) fn seen(&mut self) -> Seen {
        Seen::of(self.branch.scene())
    }
}

const BRANCH: BranchId = BranchId(0);
