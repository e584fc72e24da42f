//! A custom API around SceneMultiplayer that logs calls, as in the MultiplayerAPIExtension example
//! of Godot's documentation.
//!
//!     cargo run -p mp-examples --bin logging-api
//!
//! prints
//!
//!     multiplayer root path "/root"
//!     PeerConnected(PeerId(2))
//!     rpc of "greet" to Peer(PeerId(2))
//!     peer 2 is greeted: hello
//!     5 bytes to Peer(PeerId(2))
//!     spawn with data "red"
//!     the client has "red"
//!     rpcs sent: 1

use std::cell::Cell;

use mp::core::{
    DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target, ToEndpoint,
};
use mp::prelude::*;
use mp::scene::api::{ApiEvent, Configuration, MultiplayerApi, RpcOutcome};
use mp::scene::testing::Lan;
use mp::scene::tree::NodeTree;
use mp::scene::{RpcError, SceneMultiplayer, SendBytesError, SpawnError, TreeError};

/// Forwards to SceneMultiplayer, and logs signals and calls.
#[derive(Debug)]
struct Logging {
    base: SceneMultiplayer,
    calls: Cell<u32>,
}

impl MultiplayerApi for Logging {
    fn rpc(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<RpcOutcome, RpcError> {
        if self.is_server() {
            println!("rpc of {method:?} to {target:?}");
            self.calls.set(self.calls.get() + 1);
        }
        self.base.rpc(tree, target, node, method, args)
    }

    fn send_bytes(
        &mut self,
        data: &[u8],
        target: Target,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        println!("{} bytes to {target:?}", data.len());
        self.base.send_bytes(data, target, mode, channel)
    }

    fn spawn(
        &mut self,
        tree: &mut dyn NodeTree,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError> {
        println!("spawn with data {data:?}");
        self.base.spawn(tree, spawner, data)
    }

    fn object_configuration_add(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        if let Configuration::RootPath(path) = configuration {
            println!("multiplayer root path {path:?}");
        }
        self.base.object_configuration_add(tree, configuration)
    }

    fn next_event(&mut self) -> Option<ApiEvent> {
        let event = self.base.next_event();
        if let Some(ApiEvent::Signal(signal)) = &event
            && self.is_server()
        {
            println!("{signal:?}");
        }
        event
    }

    // All other methods only forward.

    fn object_configuration_remove(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        self.base.object_configuration_remove(tree, configuration)
    }
    fn handle_opened(&mut self, endpoint: EndpointId, info: EndpointInfo) {
        self.base.handle_opened(endpoint, info);
    }
    fn handle_event(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        on: EndpointId,
        event: PeerEvent,
    ) {
        self.base.handle_event(now, tree, on, event);
    }
    fn handle_closed(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        self.base.handle_closed(endpoint, reason);
    }
    fn handle_replaced(&mut self, endpoint: EndpointId) {
        self.base.handle_replaced(endpoint);
    }
    fn handle_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.base.handle_changes(now, tree);
    }
    fn handle_leave(&mut self, leave: &ToEndpoint) {
        self.base.handle_leave(leave);
    }
    fn process(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.base.process(now, tree);
    }
    fn tick(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.base.tick(now, tree);
    }
    fn wants_ticks(&self) -> bool {
        self.base.wants_ticks()
    }
    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        self.base.deliver(accept);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.base.poll_timeout()
    }
    fn unique_id(&self) -> PeerId {
        self.base.unique_id()
    }
    fn peer_ids(&self) -> Vec<PeerId> {
        self.base.peer_ids()
    }
    fn scene_multiplayer(&self) -> &SceneMultiplayer {
        &self.base
    }
    fn scene_multiplayer_mut(&mut self) -> &mut SceneMultiplayer {
        &mut self.base
    }
}

impl Logging {
    fn is_server(&self) -> bool {
        self.base.is_server()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        if self.is_server() {
            println!("rpcs sent: {}", self.calls.get());
        }
    }
}

struct Greeter;

impl Node for Greeter {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("greet", RpcConfig::authority(), |_, cx, (text,): (String,)| {
            println!("peer {} is greeted: {text}", cx.unique_id());
        })
    }
}

fn game() -> BranchBuilder {
    let spawner = MultiplayerSpawner::new("../Flags").with_spawn_function(|data| match data {
        Variant::String(color) => Some(Instance::new(color, Group)),
        _ => None,
    });
    Branch::builder("/root/Game")
        .protocol(|base| Logging { base, calls: Cell::new(0) })
        .setup(|scene| scene.add("Greeter", Greeter))
        .setup(|scene| scene.add("Flags", Group))
        .setup(|scene| scene.add("Spawner", spawner))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lan = Lan::new(game())?;
    let root = Configuration::RootPath("/root".to_owned());
    lan.scene(PeerId::SERVER).object_configuration_add(&root)?;
    let client = lan.join(game())?;
    lan.scene(client).tree_mut().set_root_path("/root")?;
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    let greeter = scene.find("Game/Greeter")?;
    scene.rpc_id(client, greeter, "greet", ("hello",))?;
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    scene.send_bytes(b"hello", client, TransferMode::Reliable, Channel(0))?;
    let spawner = scene.find("Game/Spawner")?;
    scene.spawn(spawner, "red")?;
    lan.settle();
    let scene = lan.scene(client);
    let flag = scene.find("Game/Flags/red")?;
    println!("the client has {:?}", scene.tree().name(flag).unwrap_or_default());
    Ok(())
}
