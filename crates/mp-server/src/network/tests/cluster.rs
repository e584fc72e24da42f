//! Three servers of a cluster in one process, with a bus and a directory in memory. Their players
//! join over ENet and WebSocket.

mod adoption;
mod checks;
mod failures;
mod limits;
mod matchmaking;
mod moves;
mod players;
mod refusals;
mod shared;
mod tickets;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mp_actor::BranchRef;
use mp_actor::prelude::*;
use mp_cluster::bus::MemoryCluster;
use mp_cluster::{ClusterId, ClusterNodeId};
use mp_core::host::SystemClock;
use mp_rooms::{RoomInfo, RoomsSettings, Template};
use mp_transport_enet::{EnetMultiplayerPeer, EnetShards};
use mp_transport_ws::WebSocketMultiplayerPeer;

use super::*;
use crate::cluster::{ClusterNode, ClusterStats, RunningNode, WithoutSnapshot};
use crate::rooms::RoomType;

/// Time in which a condition must hold, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The servers of a cluster.
struct World {
    cluster: MemoryCluster,
    clock: SystemClock,
    nodes: Vec<Server>,
    calls: Calls,
}

/// A server, and the addresses of its endpoints.
struct Server {
    network: Network,
    node: RunningNode,
    id: ClusterNodeId,
    enet: SocketAddr,
    ws: SocketAddr,
}

/// Calls that rooms and players have received: receiver, sender, number.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<Mutex<Vec<(PeerId, PeerId, i64)>>>);

/// A node that records its calls.
struct Log(Calls);

impl Node for Log {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "note",
            RpcConfig::any_peer(),
            |log: &mut Self, cx, (number,): (i64,)| {
                let (to, from) = (cx.unique_id(), cx.remote_sender());
                log.0.0.lock().unwrap().push((to, from, number));
            },
        )
    }
}

fn game(calls: &Calls) -> Result<Branch, BuildError> {
    let calls = calls.clone();
    Branch::builder("/root").setup(|scene| scene.add("Log", Log(calls))).build()
}

/// Returns the type of rooms that record their calls.
fn game_type(calls: &Calls) -> RoomType {
    let calls = calls.clone();
    Arc::new(move |_: &RoomContext| game(&calls))
}

/// Returns a node that stores snapshots of its rooms.
fn cluster_node(cluster: &MemoryCluster, clock: SystemClock, id: ClusterNodeId) -> ClusterNode {
    let of = ClusterNode::new(ClusterId::named("test"), id, cluster.bus(id), cluster.directory(id));
    let of = of.clock(clock).snapshots(cluster.snapshots());
    of.snapshot_interval(Duration::from_millis(200))
}

impl World {
    /// Starts three servers, and waits until they know each other.
    async fn start() -> Self {
        Self::start_with(Template::new(name("arena"))).await
    }

    async fn start_with(template: Template) -> Self {
        Self::start_as(template, "").await
    }

    /// Starts servers with a part of the configuration: that of identities, and the limits of
    /// players.
    async fn start_as(template: Template, config: &str) -> Self {
        let calls = Calls::default();
        let room_type = game_type(&calls);
        Self::start_all(template, config, room_type, calls, WithoutSnapshot::Empty).await
    }

    /// Starts servers with rooms of another type.
    async fn start_type(
        template: Template,
        room_type: RoomType,
        calls: Calls,
        without: WithoutSnapshot,
    ) -> Self {
        Self::start_all(template, "", room_type, calls, without).await
    }

    async fn start_all(
        template: Template,
        config: &str,
        room_type: RoomType,
        calls: Calls,
        without: WithoutSnapshot,
    ) -> Self {
        let config = Config::parse(config).unwrap();
        let (cluster, clock) = (MemoryCluster::new(), SystemClock::new());
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let id = ClusterNodeId::new(number);
            let of = cluster_node(&cluster, clock, id).without_snapshot(without);
            let (template, room_type) = (template.clone(), Arc::clone(&room_type));
            nodes.push(Server::start(of, id, template, room_type, &config).await);
        }
        let world = Self { cluster, clock, nodes, calls };
        for node in 0..3 {
            world.until(node, |stats| stats.has_lease && stats.members.len() == 3).await;
        }
        world
    }

    /// Waits until the statistics of a node satisfy a condition.
    async fn until(&self, node: usize, condition: impl Fn(&ClusterStats) -> bool) {
        let stats = &self.nodes[node].node.stats;
        let what = || format!("node {node}: {:?}", stats.get());
        until(what, || stats.get().is_some_and(|stats| condition(&stats))).await;
    }

    /// Returns a room of a node.
    async fn room(&self, node: usize, room: &str) -> Option<RoomInfo> {
        self.nodes[node].network.rooms().find(&name(room)).await.unwrap()
    }

    /// Waits until a room of a node has admitted this number of players: a client over WebSocket
    /// is connected before.
    async fn until_players(&self, node: usize, room: &str, players: usize) {
        let admitted = async {
            while self.room(node, room).await.is_none_or(|room| room.players != players) {}
        };
        tokio::time::timeout(PATIENCE, admitted).await.expect("the players are admitted");
    }

    /// Returns the nodes that have a room.
    async fn owners(&self, room: &str) -> Vec<usize> {
        let mut owners = Vec::new();
        for node in 0..self.nodes.len() {
            if self.room(node, room).await.is_some() {
                owners.push(node);
            }
        }
        owners
    }

    /// Joins a room over ENet.
    async fn enet(&self, node: usize, selection: &str) -> Result<BranchRef, StartError> {
        let (address, calls) = (self.nodes[node].enet, self.calls.clone());
        let branch = mp_actor::branch(move || game(&calls));
        let selection: Arc<str> = selection.into();
        let branch = branch.on_peer_authenticating(move |request| {
            let selection = Arc::clone(&selection);
            async move {
                request.send(selection.as_bytes()).await?;
                request.complete().await
            }
        });
        let options = mp_transport_enet::ClientOptions::default();
        branch.connect(move || EnetMultiplayerPeer::create_async_client(address, options)).await
    }

    /// Joins a room over WebSocket, by the path of the URL.
    async fn ws(&self, node: usize, path: &str) -> Result<BranchRef, StartError> {
        let (url, calls) = (self.url(node, path), self.calls.clone());
        let options = mp_transport_ws::ClientOptions::default();
        let make = move || WebSocketMultiplayerPeer::create_async_client(&url, options);
        mp_actor::branch(move || game(&calls)).connect(make).await
    }

    fn url(&self, node: usize, path: &str) -> String {
        format!("ws://{}/{path}", self.nodes[node].ws)
    }

    /// Waits until no player, link or claim is left on any node.
    async fn until_empty(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let is_empty = |stats: &ClusterStats| {
                let links = stats.gateways.near + stats.gateways.far;
                stats.rooms + stats.asking + stats.guests + links == 0
            };
            self.until(number, is_empty).await;
            let rooms = node.network.rooms();
            assert_eq!(rooms.stats().await.unwrap().players, 0, "node {number}");
        }
    }
}

impl Server {
    async fn start(
        of: ClusterNode,
        id: ClusterNodeId,
        template: Template,
        arena: RoomType,
        config: &Config,
    ) -> Self {
        let types = RoomTypes::from([("relay".to_owned(), arena)]);
        let mut settings = RoomsSettings::default();
        settings.default_template = Some(name("arena"));
        settings.same_player = config.identity.same_player;
        settings.max_rooms_per_player = config.limits.max_rooms_per_owner.map(|max| max as usize);
        let rooms = Rooms::new(settings, [template]);
        let authentication = Authentication::new(&config.identity).unwrap();
        let settings = super::settings(types, rooms, authentication);
        let mut network = Network::start(settings).await.unwrap();
        let node = of.start(network.rooms(), 100).await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shards = EnetShards::bind(any, mp_transport_enet::ServerOptions::default(), 1).unwrap();
        let enet = shards.local_addr().unwrap();
        let servers = shards.into_servers();
        network.listen_shards(TransportKind::Enet, Listener::by_auth(), servers).await.unwrap();
        let (bound, address) = oneshot::channel();
        let make = move || {
            let options = mp_transport_ws::ServerOptions::default();
            let options = options.id_by_url(mp_rooms::resumed_id);
            let server = WebSocketMultiplayerPeer::create_async_server(any, options)?;
            let _ = bound.send(server.local_addr());
            Ok::<_, mp_transport_ws::CreateError>(server)
        };
        network.listen(TransportKind::WebSocket, Listener::by_url(), make).await.unwrap();
        let ws = address.await.unwrap().unwrap();
        Self { network, node, id, enet, ws }
    }
}

/// Waits until a condition holds.
async fn until(what: impl Fn() -> String, condition: impl Fn() -> bool) {
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    while !condition() {
        assert!(clock.now() < limit, "the condition does not hold: {}", what());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the id of a player.
async fn id(player: &BranchRef) -> PeerId {
    player.with(|scene| scene.unique_id()).await.unwrap()
}

/// Waits until a player knows exactly these peers.
async fn until_peers(player: &BranchRef, mut peers: Vec<PeerId>) {
    peers.sort();
    let condition = move |scene: &Scene| {
        let mut known = scene.peers();
        known.sort();
        known == peers
    };
    player.until_timeout(PATIENCE, condition).await.unwrap();
}
