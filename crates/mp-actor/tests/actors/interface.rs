//! Branches with a protocol of their own.

use mp_actor::CallError;
use mp_actor::prelude::*;
use mp_core::{DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, ToEndpoint};
use mp_scene::api::{ApiEvent, Called, MultiplayerApi};
use mp_scene::tree::NodeTree;
use mp_scene::{RpcError, SendBytesError};

use crate::common::*;

#[test]
fn a_protocol_without_a_scene_multiplayer_is_hosted() {
    run(async {
        let build = || Branch::builder("/root").interface(|_| Box::<Own>::default()).build();
        let (server, address) = serve(here(build)).await;
        let client = address.connect(peer(2));
        let other = empty_branch("/root").start().await.unwrap();
        other.add_endpoint(|| made(client)).await.unwrap();
        until(|| server.peer(peer(2)).is_some()).await;

        let actor = server.peer(peer(2)).unwrap();
        assert_eq!(actor.stats().await.unwrap().link, None);
        // Only a SceneMultiplayer can.
        assert_eq!(actor.disconnect().await, Err(CallError::Ended));
        let raw = |scene: &mut Scene| {
            scene.send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0))
        };
        assert_eq!(server.with(raw).await, Ok(Err(SendBytesError::NoSceneMultiplayer)));
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn authenticators_need_a_scene_multiplayer() {
    run(async {
        let build = || Branch::builder("/root").interface(|_| Box::<Own>::default()).build();
        let launch = here(build).authenticate(|request| async move { request.complete().await });
        assert!(matches!(launch.start().await, Err(StartError::Panicked)));
    });
}

/// Greets who comes, and that is all.
#[derive(Debug, Default)]
struct Own(Vec<Signal>);

impl MultiplayerApi for Own {
    fn handle_replaced(&mut self, _endpoint: EndpointId) {}

    fn handle_opened(&mut self, _: EndpointId, _: EndpointInfo) {}
    fn handle_event(&mut self, _: Instant, _: &mut dyn NodeTree, _: EndpointId, event: PeerEvent) {
        if let PeerEvent::Connected { claimed_id: Some(peer), .. } = event {
            self.0.push(Signal::PeerConnected(peer));
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
    ) -> Result<Called, RpcError> {
        Err(RpcError::NotConnected)
    }
    fn next_event(&mut self) -> Option<ApiEvent> {
        self.0.pop().map(ApiEvent::Signal)
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
}
