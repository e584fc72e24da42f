//! A world of nodes: rooms on one node serve players on others, over a bus that loses, delays,
//! repeats and reorders frames. Nodes crash, stand still, are cut off from the bus or the
//! directory, and have clocks of different speeds; the directory is away for a while. Rooms move
//! from node to node while players join them.
//!
//! A reliable packet is received once and in order, or its connection ends on both nodes. No two
//! nodes speak for a room in the same epoch, and none after a later owner has. Queues and credit
//! keep their bounds. A link of a node to itself ends only with its socket or its room, and no link
//! ends in a world without faults. In a settled world each room has one owner, all nodes reach it,
//! and each connection has received everything.

mod bus;
mod ledger;
mod moves;
mod node;
mod room;
mod socket;

use std::time::Duration;

use mp_cluster::{ClaimStats, ClusterId, ClusterNodeId, GatewayStats};
use mp_core::{Instant, Rng};
use mp_rooms::RoomName;

use self::bus::{Bus, Mail};
use self::ledger::Ledger;
use self::moves::Store;
use self::node::Node;
use crate::checker::Violation;
use crate::rng_ext::RngExt;

/// Counters of a world.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterStats {
    /// Connections to rooms of another node.
    pub connections: u64,
    /// Connections that are open in the settled world.
    pub live: u64,
    /// Packets received.
    pub delivered: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Counters of all gateways of the nodes that are left.
    pub gateways: GatewayStats,
    /// Counters of the claims of the nodes that are left.
    pub claims: ClaimStats,
}

/// Simulates a world of nodes from `seed`, for `active_time` and until it has settled.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<ClusterStats, Violation> {
    let mut world = World::new(seed);
    let end = world.now + active_time;
    while world.now < end {
        world.inject_faults();
        world.step(true)?;
    }
    world.settle()
}

/// Number of nodes.
const NODES: usize = 3;
/// Number of rooms.
const ROOMS: usize = 2;
/// Time between two turns.
const STEP: Duration = Duration::from_millis(10);
/// Time in which a world settles: leases, links and adoptions.
const SETTLING: Duration = Duration::from_secs(10);
/// Time in which nothing new is sent, at the end.
const QUIET: Duration = Duration::from_secs(2);

struct World {
    now: Instant,
    rng: Rng,
    bus: Bus,
    nodes: Vec<Node>,
    rooms: Vec<RoomName>,
    ledger: Ledger,
    store: Store,
    next_node: u64,
    /// Faults of this world, in thousandths of the usual rate.
    fault_rate: u32,
    stats: ClusterStats,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed ^ 0x636c_7573_7465_7200);
        let bus = Bus::new(cluster(), rng.fork());
        let name = |number| RoomName::new(&format!("room-{number}")).expect("a name");
        let fault_rate = *rng.pick(&[0, 300, 1_000]).unwrap_or(&0);
        let mut world = Self {
            now: Instant::from_millis(1_000),
            rng,
            bus,
            nodes: Vec::new(),
            rooms: (0..ROOMS).map(name).collect(),
            ledger: Ledger::default(),
            store: Store::new(),
            next_node: 1,
            fault_rate,
            stats: ClusterStats::default(),
        };
        world.ledger.is_faultless = fault_rate == 0 && world.bus.is_faultless();
        (0..NODES).for_each(|_| world.start_node());
        world
    }

    /// Starts a process, which is a new node.
    fn start_node(&mut self) {
        let id = ClusterNodeId::new(self.next_node);
        self.next_node += 1;
        self.nodes.push(Node::new(id, cluster(), &mut self.rng));
    }

    fn inject_faults(&mut self) {
        let (rng, now) = (&mut self.rng, self.now);
        if !rng.chance(self.fault_rate) || !rng.chance(10) {
            return;
        }
        let until = now + rng.duration(Duration::from_millis(50), Duration::from_secs(6));
        let index = rng.below(NODES as u64) as usize;
        match rng.below(6) {
            0 => {
                self.stats.crashes += 1;
                self.nodes.swap_remove(index).crash(&mut self.ledger);
                self.start_node();
            }
            1 => self.nodes[index].paused_until = until,
            2 => self.nodes[index].cut_off_until = until,
            3 => self.nodes[index].without_directory_until = until,
            4 => {
                self.nodes[index].cut_off_until = until;
                self.nodes[index].without_directory_until = until;
            }
            _ => self.bus.directory_away_until = until,
        }
    }

    /// Runs a turn of all nodes. While the world is active, players and rooms act.
    fn step(&mut self, is_active: bool) -> Result<(), Violation> {
        self.now += STEP;
        let now = self.now;
        while let Some(mail) = self.bus.receive(now) {
            let (Mail::Frame(to, _) | Mail::Request(to, ..) | Mail::Result(to, ..)) = &mail;
            // A process that stands still receives later, a crashed one nothing.
            if let Some(node) = self.nodes.iter_mut().find(|node| node.id == *to) {
                if now < node.paused_until {
                    self.bus.send(node.paused_until, &mail);
                } else {
                    node.handle(now, mail);
                }
            }
        }
        for node in &mut self.nodes {
            if now < node.paused_until {
                continue;
            }
            let mut sent = Vec::new();
            let acts = is_active.then_some(&mut self.rng);
            let shared = (&mut self.ledger, &mut self.store);
            node.step(now, &self.rooms, acts, shared, &mut |mail| sent.push(mail));
            for mail in sent {
                if let Mail::Frame(_, bytes) = &mail {
                    let spoken = self.bus.check(node.id, bytes);
                    spoken.map_err(|what| Violation { at: now, name: "cluster", what })?;
                }
                self.bus.send(now, &mail);
            }
        }
        let checked = self.check_speakers().and_then(|()| self.ledger.check());
        checked.map_err(|what| self.violation(what))
    }

    /// Ends all faults, and checks owners and connections.
    fn settle(&mut self) -> Result<ClusterStats, Violation> {
        self.bus.heal();
        self.nodes.iter_mut().for_each(Node::heal);
        let quiet = self.now + SETTLING;
        while self.now < quiet {
            self.step(true)?;
        }
        let end = self.now + QUIET;
        self.nodes.iter_mut().for_each(Node::heal);
        while self.now < end {
            self.step(false)?;
        }
        self.check_owners().map_err(|what| self.violation(what))?;
        let live = self.ledger.check_settled().map_err(|what| self.violation(what))?;
        self.stats.live = live;
        self.stats.connections = self.ledger.connections();
        self.stats.delivered = self.ledger.delivered;
        for node in &self.nodes {
            let (gateways, claims) = node.stats();
            self.stats.gateways.add(&gateways.gateways);
            self.stats.claims.add(&claims);
        }
        Ok(self.stats)
    }

    /// Checks that at most one running node may speak for each room.
    fn check_speakers(&self) -> Result<(), String> {
        for room in &self.rooms {
            let speaks = |node: &&Node| node.speaks(self.now, room);
            let mut speakers = self.nodes.iter().filter(speaks).map(|node| node.id);
            if let (Some(one), Some(other)) = (speakers.next(), speakers.next()) {
                return Err(format!("{one} and {other} may speak for {room}"));
            }
        }
        Ok(())
    }

    fn check_owners(&self) -> Result<(), String> {
        for room in &self.rooms {
            let owns = |node: &&Node| node.claims.epoch_of(room).is_some();
            let owners: Vec<_> = self.nodes.iter().filter(owns).map(|node| node.id).collect();
            if owners.len() > 1 {
                return Err(format!("{room} has several owners: {owners:?}"));
            }
            let is_cut = |node: &&Node| !node.has(room);
            if let (Some(node), false) = (self.nodes.iter().find(is_cut), owners.is_empty()) {
                return Err(format!("{} does not reach {room} of {owners:?}", node.id));
            }
        }
        Ok(())
    }

    fn violation(&self, what: String) -> Violation {
        Violation { at: self.now, name: "cluster", what }
    }
}

fn cluster() -> ClusterId {
    ClusterId::named("simulation")
}
