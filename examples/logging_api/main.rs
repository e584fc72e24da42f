//! A protocol of one's own around SceneMultiplayer, which logs what passes: Godot's documentation has the same as an example of
//! MultiplayerAPIExtension.
//!
//!     cargo run -p mp-examples --bin logging-api
//!
//! prints
//!
//!     PeerConnected(PeerId(2))
//!     rpc of "greet" to Peer(PeerId(2))
//!     2 is greeted: hello
//!     1 call went out

use std::cell::Cell;

use mp_core::{
    DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target, ToEndpoint,
};
use mp_scene::api::{ApiEvent, Called, MultiplayerApi, register_interface, set_default_interface};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::tree::NodeTree;
use mp_scene::{RpcError, SceneMultiplayer};

/// Passes everything on, and says what interests it.
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
    ) -> Result<Called, RpcError> {
        if self.is_server() {
            println!("rpc of {method:?} to {target:?}");
            self.calls.set(self.calls.get() + 1);
        }
        self.base.rpc(tree, target, node, method, args)
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

    // The rest is as it was.

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
    fn scene_multiplayer(&self) -> Option<&SceneMultiplayer> {
        Some(&self.base)
    }
    fn scene_multiplayer_mut(&mut self) -> Option<&mut SceneMultiplayer> {
        Some(&mut self.base)
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
            println!("{} call went out", self.calls.get());
        }
    }
}

struct Greeter;

impl Node for Greeter {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("greet", RpcConfig::authority(), |_, cx, (text,): (String,)| {
            println!("{} is greeted: {text}", cx.unique_id());
        })
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| scene.add("Greeter", Greeter).map(drop))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    register_interface("Logging", |base| Box::new(Logging { base, calls: Cell::new(0) }));
    set_default_interface("Logging")?;

    let mut lan = Lan::new(game())?;
    let client = lan.join(game())?;
    lan.settle();
    let greeter = lan.scene(PeerId::SERVER).find("Greeter")?;
    lan.scene(PeerId::SERVER).rpc_id(client, greeter, "greet", ("hello",))?;
    lan.settle();
    Ok(())
}
