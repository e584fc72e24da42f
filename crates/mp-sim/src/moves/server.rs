//! The server: an endpoint, and the branches of the rooms between which players move.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::{
    BranchId, Channel, Endpoint, EndpointId, Instant, PeerId, Rng, ToBranch, ToEndpoint,
    TransferMode,
};
use mp_host::{BranchHost, EndpointHost, LocalMailbox};
use mp_scene::{Branch, IdBlocks, Scene, SceneStats};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

use super::game::{self, SharedLog, Unit};
use super::{ROOMS, Seen};
use crate::game::{seat, seat_of, sync};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A server with rooms.
pub(super) struct Server {
    endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>, BranchId>,
    host: EndpointHost<LocalMailbox<ToBranch>>,
    rooms: Vec<Room>,
    /// Moves that rooms have accepted.
    pub(super) moves: u64,
}

struct Room {
    id: BranchId,
    branch: Branch,
    host: BranchHost<LocalMailbox<ToEndpoint>>,
    mail: LocalMailbox<ToBranch>,
    out: LocalMailbox<ToEndpoint>,
    log: SharedLog,
    /// Numbers of the admissions of all players, to any room.
    visits: Visits,
    /// Nodes added so far.
    added: i64,
}

type Visits = Rc<RefCell<BTreeMap<PeerId, i64>>>;

impl Server {
    pub(super) fn new(socket: SimSocket, rng: &mut Rng) -> Self {
        let options = ServerOptions::default().seed(rng.next_seed());
        let peer = EnetMultiplayerPeer::server(socket, options).expect("valid options");
        let (ids, visits) = (IdBlocks::new(), Visits::default());
        let mut server = Self {
            endpoint: Endpoint::new(ENDPOINT, peer, BranchId(0)).shared(),
            host: EndpointHost::new(),
            rooms: (0..ROOMS).map(|number| Room::new(number, &ids, &visits)).collect(),
            moves: 0,
        };
        for room in &mut server.rooms {
            room.host.attach(ENDPOINT, room.out.clone());
            server.host.serve(&mut server.endpoint, room.id, room.mail.clone());
        }
        server
    }

    /// Runs a turn of the endpoint and of the rooms. While the world is active, each of them may
    /// miss its turn.
    pub(super) fn step(&mut self, now: Instant, is_active: bool, rng: &mut Rng) {
        if !is_active || rng.chance(800) {
            for room in &self.rooms {
                while let Some(message) = room.out.pop() {
                    self.host.handle_input(&mut self.endpoint, now, room.id, message);
                }
            }
            let _ = self.host.turn(&mut self.endpoint, now);
        }
        for room in &mut self.rooms {
            if !is_active || rng.chance(800) {
                room.step(now, is_active, rng);
            }
        }
        if is_active && rng.chance(15) {
            self.move_any(now, rng);
        }
        self.host.record_call();
    }

    /// Moves a player, unless it is moving already.
    fn move_any(&mut self, now: Instant, rng: &mut Rng) {
        let (from, to) = (rng.below(ROOMS) as usize, rng.below(ROOMS) as usize);
        let players = self.rooms[from].branch.scene().peers();
        let (Some(&player), true) = (rng.pick(&players), from != to) else { return };
        let id = self.rooms[to].id;
        if self.rooms[to].at(now).expect_peer(player).is_err() {
            return;
        }
        match self.rooms[from].at(now).move_peer(player, id) {
            Ok(()) => self.moves += 1,
            Err(_) => self.rooms[to].at(now).cancel_expected(player),
        }
    }

    /// Checks what the rooms have received. The error is a violation.
    pub(super) fn check(&self) -> Result<(), String> {
        for room in &self.rooms {
            if let Some(wrong) = room.log.borrow().wrong.first() {
                return Err(format!("room {}: {wrong}", room.number()));
            }
        }
        Ok(())
    }

    /// Returns what a player should have; `None` if it is in no room. The error is a violation: it
    /// is in two rooms.
    pub(super) fn expected(&mut self, player: PeerId) -> Result<Option<Seen>, String> {
        let rooms = self.rooms.iter_mut();
        let with = rooms.filter_map(|room| {
            let is_in = room.branch.scene().peers().contains(&player);
            is_in.then(|| room.seen_by(player))
        });
        match &mut with.collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [seen] => Ok(Some(std::mem::take(seen))),
            _ => Err(format!("{player} is in two rooms")),
        }
    }

    /// Returns the number of players of all rooms.
    pub(super) fn players(&mut self) -> usize {
        self.rooms.iter_mut().map(|room| room.branch.scene().peers().len()).sum()
    }

    /// Returns the statistics of all rooms.
    pub(super) fn stats(&mut self) -> SceneStats {
        let mut sum = SceneStats::default();
        for room in &mut self.rooms {
            sum.add_all(&room.branch.scene().stats());
        }
        sum
    }

    /// Returns the numbers of reliable packets on channel 0, and of late other packets.
    pub(super) fn received(&self) -> (u64, u64) {
        let logs = self.rooms.iter().map(|room| room.log.borrow());
        logs.fold((0, 0), |(received, late), log| (received + log.received, late + log.late))
    }
}

impl Room {
    fn new(index: u64, ids: &IdBlocks, visits: &Visits) -> Self {
        let (id, number) = (BranchId(index as u32), index as i64 + 1);
        let (log, admitted) = (SharedLog::default(), Visits::clone(visits));
        let builder = game::branch(number, &log).seed([1; 32]).moves(ids);
        let branch = builder
            .on_peer_connected(move |scene, peer| {
                let visit = {
                    let mut visits = admitted.borrow_mut();
                    let visit = visits.entry(peer).or_default();
                    *visit += 1;
                    *visit
                };
                let _ = scene.add_instance("Seats", seat(peer));
                report(scene, peer, "report", (number, visit));
            })
            .on_peer_disconnected(|scene, peer| {
                if let Ok(seat) = scene.find(&format!("Seats/{peer}")) {
                    let _ = scene.queue_free(seat);
                }
            })
            .build()
            .expect("a valid branch");
        let (mail, out) = (LocalMailbox::unbounded(), LocalMailbox::unbounded());
        let (host, visits) = (BranchHost::new(), Visits::clone(visits));
        Self { id, branch, host, mail, out, log, visits, added: 0 }
    }

    fn number(&self) -> i64 {
        i64::from(self.id.0) + 1
    }

    fn at(&mut self, now: Instant) -> &mut Branch {
        self.branch.scene().set_now(now);
        &mut self.branch
    }

    fn step(&mut self, now: Instant, is_active: bool, rng: &mut Rng) {
        while let Some(message) = self.mail.pop() {
            self.host.handle_input(&mut self.branch, now, message);
        }
        if is_active {
            self.act(now, rng);
        }
        let _ = self.host.turn(&mut self.branch, now);
        self.check_inputs();
    }

    fn act(&mut self, now: Instant, rng: &mut Rng) {
        let number = self.number();
        let players = self.at(now).scene().peers();
        if let Some(&player) = rng.pick(&players) {
            let visit = self.visits.borrow().get(&player).copied().unwrap_or_default();
            let scene = self.branch.scene();
            match rng.below(30) {
                0 | 1 => report(scene, player, "report", (number, visit)),
                2 | 3 => report(scene, player, "report_fast", (number, visit)),
                4 => {
                    let text = format!("{number} {visit}");
                    let (mode, channel) = (TransferMode::Reliable, Channel(0));
                    // A player who leaves cannot be sent packets.
                    let _ = scene.send_bytes(text.as_bytes(), player, mode, channel);
                }
                _ => {}
            }
        }
        match rng.below(60) {
            0 => self.add_unit(rng),
            1 => self.remove("Units", rng),
            2 => self.change_unit(rng),
            3 => self.show_or_hide(&players, rng),
            4 => self.add_part(rng),
            5 => self.remove_part(rng),
            6 => {
                self.added += 1;
                game::spawn_item(self.branch.scene(), number, self.added);
            }
            7 => self.remove("Items", rng),
            _ => {}
        }
    }

    fn add_unit(&mut self, rng: &mut Rng) {
        let (number, scene) = (self.number(), self.branch.scene());
        if game::nodes(scene, "Units").len() >= UNITS_MAX {
            return;
        }
        self.added += 1;
        let name = format!("r{number}n{}", self.added);
        let added = scene.add_instance("Units", game::unit().instantiate().named(&name));
        if added.is_ok()
            && rng.chance(300)
            && let Some(sync) = sync(scene, &name)
        {
            sync.set_public_visibility(false);
        }
    }

    /// Removes any node below `parent`, except the marker of the room.
    fn remove(&mut self, parent: &str, rng: &mut Rng) {
        let marker = format!("r{}i0", self.number());
        let scene = self.branch.scene();
        let mut names = game::nodes(scene, parent);
        names.retain(|(name, _)| *name != marker);
        if let Some((name, _)) = rng.pick(&names)
            && let Ok(node) = scene.find(&format!("{parent}/{name}"))
        {
            let _ = scene.remove(node);
        }
    }

    fn any_unit(&mut self, rng: &mut Rng) -> Option<String> {
        let units = game::nodes(self.branch.scene(), "Units");
        rng.pick(&units).map(|(name, _)| name.clone())
    }

    fn change_unit(&mut self, rng: &mut Rng) {
        let Some(name) = self.any_unit(rng) else { return };
        let scene = self.branch.scene();
        if let Ok(unit) = scene.node::<Unit>(&format!("Units/{name}"))
            && let Ok(unit) = scene.get_mut(unit)
        {
            unit.hp += 1;
        }
    }

    fn show_or_hide(&mut self, players: &[PeerId], rng: &mut Rng) {
        let Some(name) = self.any_unit(rng) else { return };
        if let Some(sync) = sync(self.branch.scene(), &name)
            && let Some(&player) = rng.pick(players)
        {
            sync.set_visibility_for(player, !sync.visibility_for(player));
        }
    }

    fn add_part(&mut self, rng: &mut Rng) {
        let Some(name) = self.any_unit(rng) else { return };
        self.added += 1;
        let part = game::part_named(&format!("r{}p{}", self.number(), self.added));
        let _ = self.branch.scene().add_instance(&format!("Units/{name}/Parts"), part);
    }

    fn remove_part(&mut self, rng: &mut Rng) {
        if let Some(name) = self.any_unit(rng) {
            self.remove(&format!("Units/{name}/Parts"), rng);
        }
    }

    /// Checks that players have sent the properties of their seats for this room.
    fn check_inputs(&mut self) {
        let number = self.number();
        let scene = self.branch.scene();
        for player in scene.peers() {
            let input = seat_of(scene, player).map_or(0, |seat| seat.input);
            if input != 0 && input != number {
                let wrong = format!("the input of {player} is for room {input}");
                self.log.borrow_mut().wrong.push(wrong);
            }
        }
    }

    /// Returns what a player of the room should have.
    fn seen_by(&mut self, player: PeerId) -> Seen {
        let scene = self.branch.scene();
        let mut seen = Seen::of(scene);
        seen.units.retain(|name, _| {
            sync(scene, name)
                .is_none_or(|sync| sync.is_visibility_public() || sync.visibility_for(player))
        });
        seen.peers.retain(|other| *other != player);
        seen.peers.push(PeerId::SERVER);
        seen.peers.sort();
        seen
    }
}

fn report(scene: &mut Scene, player: PeerId, method: &str, args: (i64, i64)) {
    if let Ok(hall) = scene.find("Hall") {
        // A player who leaves cannot be called.
        let _ = scene.rpc_id(player, hall, method, args);
    }
}

const ENDPOINT: EndpointId = EndpointId(0);
/// Maximum number of units of a room.
const UNITS_MAX: usize = 6;
