//! Impossible states of the replication in release builds: a peer that would miss properties is
//! disconnected.

use mp_core::bug::{OnBug, with_policy};
use mp_core::{ConnectionId, DisconnectReason, EndpointId, ToEndpoint};

use super::super::sender::Route;
use super::super::traffic::Traffic;
use super::step::PeerStep;
use super::*;
use crate::codec::Codec;
use crate::tree::Tree;

const ENDPOINT: EndpointId = EndpointId(1);
const PEER: PeerId = PeerId::SERVER;

/// Returns the step of a peer.
macro_rules! step {
    ($replication:ident, $info:ident) => {
        PeerStep {
            peer: PEER,
            info: &mut $info,
            synchronizers: &mut $replication.synchronizers,
            errors: &mut $replication.errors,
            sync_packet_max: SYNC_PACKET_MAX,
            delta_packet_max: DELTA_PACKET_MAX,
        }
    };
}

/// Runs `act` with a connected peer, and returns whether the peer is disconnected because of a bug.
fn is_disconnected(act: impl FnOnce(&mut Context<'_>)) -> bool {
    let mut tree = Tree::new("/root").unwrap();
    let mut sender = Sender::new(Codec::default());
    let (mut paths, mut events) = (Paths::default(), Events::default());
    let mut traffic = Traffic::default();
    let connection = ConnectionId { slot: 0, generation: 0 };
    sender.add_endpoint(ENDPOINT, false);
    sender.routes_mut().insert(PEER, Route::Direct(ENDPOINT, connection));
    let mut cx = Context {
        now: Instant::ZERO,
        own: PeerId::new(2).unwrap(),
        quirks: GodotQuirks::default(),
        tree: &mut tree,
        sender: &mut sender,
        paths: &mut paths,
        traffic: &mut traffic,
        events: &mut events,
    };
    with_policy(OnBug::Count, || act(&mut cx));
    let mut is_disconnected = false;
    sender.deliver(&mut |_, message| {
        let reason = DisconnectReason::InternalError;
        is_disconnected |=
            matches!(message, ToEndpoint::Disconnect { reason: it, .. } if it == reason);
        Ok(())
    });
    is_disconnected
}

#[test]
fn a_peer_that_is_sent_a_synchronizer_that_is_gone_is_disconnected() {
    assert!(is_disconnected(|cx| {
        let mut replication = Replication::default();
        let candidate = DeltaCandidate { position: 0, key: Key::default(), viewer: 0 };
        let mut info = PeerInfo { candidates: vec![candidate], ..PeerInfo::default() };
        let (deltas, mut step) = (&mut replication.deltas, step!(replication, info));
        deltas.send(cx, &mut step);
    }));
}

#[test]
fn a_peer_that_views_synchronizers_without_a_plan_is_disconnected() {
    assert!(is_disconnected(|cx| {
        let mut replication = Replication::default();
        let mut info = PeerInfo::default();
        info.synchronizers.insert(Key::default());
        let mut step = step!(replication, info);
        replication.syncs.send(cx, &mut step, &mut replication.deltas);
    }));
}
