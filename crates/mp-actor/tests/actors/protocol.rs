//! Branches with a protocol of their own.

use mp_actor::prelude::*;
use mp_core::{DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, ToEndpoint};
use mp_scene::api::{ApiEvent, Configuration, MultiplayerApi, RpcOutcome};
use mp_scene::tree::NodeTree;
use mp_scene::{RpcError, SceneMultiplayer, SendBytesError, SpawnError, TreeError};

use crate::common::*;

#[test]
fn protocol_that_does_not_use_its_scene_multiplayer_runs() {
    run(async {
        let build = || Branch::builder("/root").protocol(Own::new).build();
        let (server, address) = serve(here(build)).await;
        let client = address.connect(peer(2));
        let other = empty_branch("/root").start().await.unwrap();
        other.add_endpoint(|| made(client)).await.unwrap();
        until(|| server.peer(peer(2)).is_some()).await;

        let actor = server.peer(peer(2)).unwrap();
        assert_eq!(actor.stats().await.unwrap().connection, None);
        let raw = |scene: &mut Scene| {
            scene.send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0))
        };
        assert_eq!(server.with(raw).await, Ok(Err(SendBytesError::Unsupported)));
        assert_eq!(server.ended(), None);
    });
}

/// A protocol that only reports connected peers.
#[derive(Debug)]
struct Own {
    base: SceneMultiplayer,
    signals: Vec<Signal>,
}

impl Own {
    fn new(base: SceneMultiplayer) -> Self {
        Self { base, signals: Vec::new() }
    }
}

impl MultiplayerApi for Own {
    fn handle_replaced(&mut self, _endpoint: EndpointId) {}

    fn handle_opened(&mut self, _: EndpointId, _: EndpointInfo) {}
    fn handle_event(&mut self, _: Instant, _: &mut dyn NodeTree, _: EndpointId, event: PeerEvent) {
        if let PeerEvent::Connected { claimed_id: Some(peer), .. } = event {
            self.signals.push(Signal::PeerConnected(peer));
        }
    }
    fn handle_closed(&mut self, _: EndpointId, _: DisconnectReason) {}
    fn handle_changes(&mut self, _: Instant, _: &mut dyn NodeTree) {}
    fn handle_leave(&mut self, _: &ToEndpoint) {}
    fn process(&mut self, _: Instant, _: &mut dyn NodeTree) {}
    fn rpc(
        &mut self,
        _: &mut dyn NodeTree,
        _: Target,
        _: NodeId,
        _: &str,
        _: Vec<Variant>,
    ) -> Result<RpcOutcome, RpcError> {
        Err(RpcError::NotConnected)
    }
    fn send_bytes(
        &mut self,
        _: &[u8],
        _: Target,
        _: TransferMode,
        _: Channel,
    ) -> Result<(), SendBytesError> {
        Err(SendBytesError::Unsupported)
    }
    fn spawn(&mut self, _: &mut dyn NodeTree, _: NodeId, _: Variant) -> Result<NodeId, SpawnError> {
        Err(SpawnError::Unsupported)
    }
    fn object_configuration_add(
        &mut self,
        _: &mut dyn NodeTree,
        _: &Configuration,
    ) -> Result<(), TreeError> {
        Err(TreeError::NotInTree)
    }
    fn object_configuration_remove(
        &mut self,
        _: &mut dyn NodeTree,
        _: &Configuration,
    ) -> Result<(), TreeError> {
        Err(TreeError::NotInTree)
    }
    fn next_event(&mut self) -> Option<ApiEvent> {
        self.signals.pop().map(ApiEvent::Signal)
    }
    fn deliver(&mut self, _: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>) {}
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn unique_id(&self) -> PeerId {
        PeerId::SERVER
    }
    fn peer_ids(&self) -> Vec<PeerId> {
        Vec::new()
    }
    fn scene_multiplayer(&self) -> &SceneMultiplayer {
        &self.base
    }
    fn scene_multiplayer_mut(&mut self) -> &mut SceneMultiplayer {
        &mut self.base
    }
}
