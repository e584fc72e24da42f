//! A server with two branches behind one endpoint, under virtual time.

use std::time::Duration;

use bytes::BytesMut;
use mp_core::{
    BranchId, ConnectionId, Endpoint, EndpointId, Instant, MemoryMultiplayerPeer, MultiplayerPeer,
    OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, StateMachine, ToBranch, TransferMode,
};
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::{ConfirmedNode, IdBlocks, SceneMessage};

pub const LOBBY: BranchId = BranchId(0);
pub const ARENA: BranchId = BranchId(1);
pub const SERVER: PeerId = PeerId::SERVER;
const STEP: Duration = Duration::from_millis(5);

pub fn peer(id: i32) -> PeerId {
    PeerId::new(id).unwrap()
}

/// A node with a call and a property.
#[derive(Default)]
pub struct Unit {
    pub hp: i64,
    pub called: Vec<i64>,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "poke",
            RpcConfig::any_peer(),
            |unit: &mut Self, _, (number,): (i64,)| unit.called.push(number),
        )
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

/// Returns a game: a spawner of units, one of the clients' own, and a unit of the scene whose
/// property is always sent.
pub fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Units", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
        scene.add("Own", Group)?;
        scene.add("OwnSpawner", MultiplayerSpawner::new("../Own").with_scene(&unit()))?;
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:hp"));
        let shared = Instance::new("Shared", Unit::default()).child(Instance::new("Sync", sync));
        scene.add_instance(".", shared)
    })
}

pub struct World {
    pub endpoint: Endpoint<MemoryMultiplayerPeer, BranchId>,
    branches: [Branch; 2],
    clients: Vec<(Branch, MemoryMultiplayerPeer)>,
    now: Instant,
}

impl World {
    pub fn new() -> Self {
        let ids = IdBlocks::new();
        Self::of([game().moves(&ids), game().moves(&ids)])
    }

    pub fn of(branches: [BranchBuilder; 2]) -> Self {
        let transport = MemoryMultiplayerPeer::server();
        let mut endpoint = Endpoint::new(EndpointId(1), transport, LOBBY);
        endpoint.serve(LOBBY);
        endpoint.serve(ARENA);
        let branches = branches.map(|builder| builder.seed([1; 32]).build().unwrap());
        let mut world =
            Self { endpoint, branches, clients: Vec::new(), now: Instant::from_millis(1_000) };
        world.settle();
        world
    }

    /// Adds a client, which joins the lobby. Ids count up from 2.
    pub fn join(&mut self) -> PeerId {
        self.join_with(game())
    }

    /// Adds a client with this branch, which joins the lobby.
    pub fn join_with(&mut self, builder: BranchBuilder) -> PeerId {
        let id = peer(self.clients.len() as i32 + 2);
        let transport = self.endpoint.peer().address().connect(id);
        self.clients.push((builder.seed([2; 32]).build().unwrap(), transport));
        self.settle();
        id
    }

    /// Runs a turn of one client.
    pub fn client_turn(&mut self, id: PeerId) {
        let (branch, transport) = &mut self.clients[id.get() as usize - 2];
        branch.poll(transport, self.now);
    }

    /// Adds a client without a branch, which joins the lobby.
    pub fn connect_raw(&mut self, id: i32) -> RawClient {
        let transport = self.endpoint.peer().address().connect(peer(id));
        let mut client = RawClient { transport, log: Vec::new(), server: None };
        self.settle_with(&mut client);
        client
    }

    /// Runs a turn of the server.
    pub fn server_turn(&mut self) {
        self.now += STEP;
        let now = self.now;
        let Self { endpoint, branches, .. } = self;
        endpoint.receive(now);
        deliver(endpoint, branches, now);
        for (branch, id) in branches.iter_mut().zip([LOBBY, ARENA]) {
            branch.end_turn(now);
            branch.deliver(&mut |_, message| {
                endpoint.handle_input(now, (id, message));
                Ok(())
            });
        }
        endpoint.finish_turn(now);
        deliver(endpoint, branches, now);
    }

    pub fn step(&mut self) {
        self.server_turn();
        for (branch, transport) in &mut self.clients {
            branch.poll(transport, self.now);
        }
    }

    pub fn settle(&mut self) {
        (0..16).for_each(|_| self.step());
    }

    pub fn settle_with(&mut self, client: &mut RawClient) {
        for _ in 0..16 {
            self.step();
            client.poll(self.now);
        }
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub fn branch(&mut self, id: BranchId) -> &mut Branch {
        let now = self.now;
        let branch = &mut self.branches[id.0 as usize];
        branch.scene().set_now(now);
        branch
    }

    pub fn scene(&mut self, id: BranchId) -> &mut Scene {
        self.branch(id).scene()
    }

    pub fn client(&mut self, id: PeerId) -> &mut Scene {
        self.clients[id.get() as usize - 2].0.scene()
    }

    /// Moves a peer. It arrives in the next turn of the server.
    pub fn move_peer(&mut self, peer: PeerId, from: BranchId, to: BranchId) {
        self.branch(to).expect_peer(peer).unwrap();
        self.branch(from).move_peer(peer, to).unwrap();
    }

    pub fn add_unit(&mut self, branch: BranchId, name: &str, hp: i64) -> NodeRef<Unit> {
        add_unit(self.scene(branch), "Units", name, hp)
    }

    /// Returns the names and `hp` of a client's units.
    pub fn units_at(&mut self, id: PeerId) -> Vec<(String, i64)> {
        units_in(self.client(id))
    }
}

/// Returns the names and `hp` of the units of a scene.
pub fn units_in(scene: &mut Scene) -> Vec<(String, i64)> {
    let units = scene.find("Units").unwrap();
    let children: Vec<_> = scene.tree().children(units).collect();
    let mut found = Vec::new();
    for unit in children {
        let name = scene.tree().name(unit).unwrap().to_owned();
        let hp = scene.get_mut::<Unit>(NodeRef::new(unit)).unwrap().hp;
        found.push((name, hp));
    }
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
    endpoint: &mut Endpoint<MemoryMultiplayerPeer, BranchId>,
    branches: &mut [Branch; 2],
    now: Instant,
) {
    endpoint.deliver(&mut |branch, message: ToBranch| {
        branches[branch.0 as usize].handle_input(now, message);
        Ok(())
    });
}

/// A client that records messages and sends what a test makes it send.
pub struct RawClient {
    pub transport: MemoryMultiplayerPeer,
    pub log: Vec<SceneMessage>,
    server: Option<ConnectionId>,
}

impl RawClient {
    pub fn poll(&mut self, now: Instant) {
        self.transport.poll(now);
        while let Some(event) = self.transport.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => self.server = Some(connection),
                PeerEvent::Packet(Packet { payload, .. }) => {
                    self.log.push(Codec::default().decode(&payload, &Limits::default()).unwrap());
                }
                PeerEvent::Disconnected { .. } => self.server = None,
                other => panic!("{other:?}"),
            }
        }
        self.transport.flush(now);
    }

    pub fn send(&mut self, message: &SceneMessage) {
        let mut payload = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut payload).unwrap();
        let (to, mode, channel) = (self.server.unwrap().into(), TransferMode::Reliable, Channel(0));
        let (prefix, payload) = (Prefix::EMPTY, payload.freeze());
        self.transport.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
        self.transport.flush(Instant::ZERO);
    }

    /// Returns whether the connection is open.
    pub fn is_connected(&self) -> bool {
        self.server.is_some()
    }

    /// Confirms all announced paths.
    pub fn confirm(&mut self) {
        let ids: Vec<_> = self.announced().into_iter().map(|(id, _)| id).collect();
        for id in ids {
            let node = ConfirmedNode::Id(id);
            self.send(&SceneMessage::ConfirmPath { node, checksum_ok: true });
        }
    }

    /// Returns the announced paths and their ids.
    pub fn announced(&self) -> Vec<(u32, String)> {
        let announced = self.log.iter().filter_map(|message| match message {
            SceneMessage::SimplifyPath { id, path, .. } => Some((*id, path.clone())),
            _ => None,
        });
        announced.collect()
    }
}
