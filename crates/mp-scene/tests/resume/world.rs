//! A server with one branch and clients whose connections can be cut and resumed, under virtual
//! time.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use mp_core::{
    BranchId, ConnectionRouter, Endpoint, EndpointId, Instant, MemoryMultiplayerPeer,
    MultiplayerPeer, NewConnection, OutgoingPacket, PeerId, Route, StateMachine,
};
use mp_scene::prelude::*;
use mp_scene::{Keep, PeerDrop, SceneStats};

pub const SERVER: PeerId = PeerId::SERVER;
const BRANCH: BranchId = BranchId(0);
const STEP: Duration = Duration::from_millis(5);
/// Time for which the game keeps dropped peers.
pub const KEEP: Duration = Duration::from_secs(10);

pub fn peer(id: i32) -> PeerId {
    PeerId::new(id).unwrap()
}

/// A node with calls and a property.
#[derive(Default)]
pub struct Unit {
    pub hp: i64,
    pub called: Vec<i64>,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        let (reliable, unreliable) = (RpcConfig::any_peer(), RpcConfig::any_peer().unreliable());
        RpcTable::new()
            .method("poke", reliable, |unit: &mut Self, _, (number,): (i64,)| {
                unit.called.push(number)
            })
            .method("nudge", unreliable, |unit: &mut Self, _, (number,): (i64,)| {
                unit.called.push(number)
            })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("hp", |unit: &mut Self| &mut unit.hp)
    }
}

pub fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let config = ReplicationConfig::new().on_change(".:hp");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", sync))
    })
}

/// Returns a game: a spawner of units, one of the clients' own, and a unit of the scene.
pub fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Units", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
        scene.add("Own", Group)?;
        scene.add("OwnSpawner", MultiplayerSpawner::new("../Own").with_scene(&unit()))?;
        scene.add("Shared", Unit::default())
    })
}

/// Returns the game of a server that keeps dropped peers.
pub fn keeping(keep: Keep) -> BranchBuilder {
    game().on_peer_dropped(move |_, _, _| keep.into())
}

/// The calls of the hooks of the server's game.
pub type Log = Rc<RefCell<Vec<String>>>;

/// Adds hooks that record in `log`.
pub fn logged(builder: BranchBuilder, log: &Log) -> BranchBuilder {
    let (connected, disconnected) = (Rc::clone(log), Rc::clone(log));
    let (dropped, resumed) = (Rc::clone(log), Rc::clone(log));
    builder
        .on_peer_connected(move |_, peer| connected.borrow_mut().push(format!("connected {peer}")))
        .on_peer_disconnected(move |_, peer| {
            disconnected.borrow_mut().push(format!("disconnected {peer}"));
        })
        .on_peer_dropped(move |_, peer, _| {
            dropped.borrow_mut().push(format!("dropped {peer}"));
            PeerDrop::Leave
        })
        .on_peer_resumed(move |_, old, new| {
            resumed.borrow_mut().push(format!("resumed {old} by {new}"));
        })
}

/// Routes each new connection as a queued decision says.
#[derive(Clone, Default)]
struct Decisions(Rc<RefCell<VecDeque<PeerId>>>);

impl ConnectionRouter for Decisions {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        match self.0.borrow_mut().pop_front() {
            Some(of) => Route::Resume(BRANCH, of),
            None => Route::Branch(BRANCH),
        }
    }
}

pub struct Client {
    pub branch: Branch,
    transport: MemoryMultiplayerPeer,
    is_cut: bool,
}

pub struct World {
    endpoint: Endpoint<MemoryMultiplayerPeer, Decisions>,
    decisions: Decisions,
    pub server: Branch,
    clients: BTreeMap<PeerId, Client>,
    pub now: Instant,
    seed: u8,
}

impl World {
    pub fn new(server: BranchBuilder) -> Self {
        let (decisions, transport) = (Decisions::default(), MemoryMultiplayerPeer::server());
        let mut endpoint = Endpoint::new(EndpointId(1), transport, decisions.clone());
        endpoint.serve(BRANCH);
        let server = server.seed([1; 32]).build().unwrap();
        let (clients, now) = (BTreeMap::new(), Instant::from_millis(1_000));
        let mut world = Self { endpoint, decisions, server, clients, now, seed: 2 };
        world.settle();
        world
    }

    /// Connects a client.
    pub fn join(&mut self, id: i32) -> PeerId {
        self.join_with(id, game())
    }

    pub fn join_with(&mut self, id: i32, builder: BranchBuilder) -> PeerId {
        let id = peer(id);
        self.seed = self.seed.wrapping_add(1);
        let branch = builder.seed([self.seed; 32]).build().unwrap();
        let transport = self.endpoint.peer().address().connect(id);
        self.clients.insert(id, Client { branch, transport, is_cut: false });
        self.settle();
        id
    }

    /// Closes the connection of a client, and discards the client.
    pub fn cut(&mut self, id: PeerId) {
        let mut client = self.clients.remove(&id).unwrap();
        client.transport.close();
        client.transport.flush(self.now);
        self.settle();
    }

    /// Lets a client hang: it neither receives nor sends, while its connection stays.
    pub fn hang(&mut self, id: PeerId) {
        self.clients.get_mut(&id).unwrap().is_cut = true;
    }

    /// Connects a new client with the id `id`, which resumes the session of `of`.
    pub fn resume(&mut self, of: PeerId, id: i32) -> PeerId {
        self.resume_with(of, id, game())
    }

    pub fn resume_with(&mut self, of: PeerId, id: i32, builder: BranchBuilder) -> PeerId {
        self.decisions.0.borrow_mut().push_back(of);
        self.join_with(id, builder)
    }

    /// Opens a connection with the id of another client, which resumes the session of `of`.
    pub fn resume_twin(&mut self, of: PeerId, id: i32) {
        self.decisions.0.borrow_mut().push_back(of);
        let _transport = self.endpoint.peer().address().connect(peer(id));
        self.settle();
    }

    pub fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        let Self { endpoint, server, .. } = self;
        endpoint.receive(now);
        deliver(endpoint, server, now);
        server.end_turn(now);
        server.deliver(&mut |_, message| {
            endpoint.handle_input(now, (BRANCH, message));
            Ok(())
        });
        endpoint.finish_turn(now);
        deliver(endpoint, server, now);
        for client in self.clients.values_mut().filter(|client| !client.is_cut) {
            client.branch.poll(&mut client.transport, now);
        }
    }

    pub fn settle(&mut self) {
        (0..16).for_each(|_| self.step());
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub fn scene(&mut self) -> &mut Scene {
        let now = self.now;
        let scene = self.server.scene();
        scene.set_now(now);
        scene
    }

    pub fn stats(&mut self) -> SceneStats {
        self.scene().stats()
    }

    pub fn client(&mut self, id: PeerId) -> &mut Scene {
        let now = self.now;
        let scene = self.clients.get_mut(&id).unwrap().branch.scene();
        scene.set_now(now);
        scene
    }

    /// Returns the signals about peers that a client has emitted since the last call.
    pub fn signals_at(&mut self, id: PeerId) -> Vec<Signal> {
        let branch = &mut self.clients.get_mut(&id).unwrap().branch;
        let mut signals = Vec::new();
        while let Some(signal) = branch.next_signal() {
            let is_peer = |signal: &Signal| {
                matches!(signal, Signal::PeerConnected(_) | Signal::PeerDisconnected(_))
            };
            signals.extend(Some(signal).filter(is_peer));
        }
        signals
    }

    /// Returns whether a client has no peers.
    pub fn disconnected(&mut self, id: PeerId) -> bool {
        let client = self.clients.get_mut(&id).unwrap();
        client.branch.scene().multiplayer().peers().len() == 0
    }

    /// Adds a unit that the server announces.
    pub fn add_unit(&mut self, name: &str, hp: i64) -> NodeRef<Unit> {
        add_unit(self.scene(), "Units", name, hp)
    }

    /// Returns the names and `hp` of the units that a client has.
    pub fn units_at(&mut self, id: PeerId) -> Vec<(String, i64)> {
        units_in(self.client(id), "Units")
    }
}

/// Returns the names and `hp` of the units below `parent`, by name.
pub fn units_in(scene: &mut Scene, parent: &str) -> Vec<(String, i64)> {
    let units = scene.find(parent).unwrap();
    let children: Vec<_> = scene.tree().children(units).collect();
    let mut found = Vec::new();
    for unit in children {
        let name = scene.tree().name(unit).unwrap().to_owned();
        let hp = scene.get_mut::<Unit>(NodeRef::new(unit)).unwrap().hp;
        found.push((name, hp));
    }
    found.sort();
    found
}

pub fn add_unit(scene: &mut Scene, parent: &str, name: &str, hp: i64) -> NodeRef<Unit> {
    let node = scene.add_instance(parent, unit().instantiate().named(name)).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);
    scene.get_mut(node).unwrap().hp = hp;
    node
}

/// Returns the node at `path`.
pub fn unit_in<'s>(scene: &'s mut Scene, path: &str) -> &'s mut Unit {
    let node = scene.find(path).unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

fn deliver(
    endpoint: &mut Endpoint<MemoryMultiplayerPeer, Decisions>,
    server: &mut Branch,
    now: Instant,
) {
    endpoint.deliver(&mut |_, message| {
        server.handle_input(now, message);
        Ok(())
    });
}
