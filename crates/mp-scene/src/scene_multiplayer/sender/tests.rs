//! Impossible states of the sender in release builds: they close connections instead of losing
//! messages silently.

use mp_core::Variant;
use mp_core::bug::{OnBug, count, with_policy};

use super::*;
use crate::message::{CallNode, RemoteCall};

const ENDPOINT: EndpointId = EndpointId(1);

fn connection(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

fn peer(id: i32) -> PeerId {
    PeerId::new(id).unwrap()
}

/// Returns a message that the codec refuses: a call with 256 arguments.
fn unencodable() -> SceneMessage {
    let node = CallNode::Id { id: 1, wide: false };
    let args = vec![Variant::Nil; 256];
    SceneMessage::RemoteCall(RemoteCall { node, method: 0, args, complete: true })
}

/// Returns the connections that are closed because of a bug.
fn failed(sender: &mut Sender) -> Vec<ConnectionId> {
    let mut failed = Vec::new();
    sender.deliver(&mut |_, message| {
        match message {
            ToEndpoint::Disconnect {
                connection, reason: DisconnectReason::InternalError, ..
            } => failed.push(connection),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    failed
}

#[test]
fn a_message_that_cannot_be_encoded_closes_the_connections_that_it_is_for() {
    let mut sender = Sender::new(Codec::default());
    sender.add_endpoint(ENDPOINT, false);
    for id in 2..5 {
        let route = Route::Direct(ENDPOINT, connection(id));
        sender.routes_mut().insert(peer(id as i32), route);
    }
    let before = count();
    with_policy(OnBug::Count, || sender.send_to_all(&[peer(2), peer(4)], &unencodable()));
    assert!(count() > before);
    assert_eq!(failed(&mut sender), [connection(2), connection(4)]);
}

#[test]
fn a_message_for_a_relayed_peer_that_cannot_be_encoded_closes_the_connection_to_the_server() {
    let mut sender = Sender::new(Codec::default());
    sender.add_endpoint(ENDPOINT, false);
    sender.routes_mut().insert(PeerId::SERVER, Route::Direct(ENDPOINT, connection(0)));
    sender.routes_mut().insert(peer(2), Route::Relayed);
    with_policy(OnBug::Count, || sender.send_message(&unencodable(), peer(2)));
    assert_eq!(failed(&mut sender), [connection(0)]);
}

#[test]
fn a_packet_for_an_endpoint_without_an_outbox_is_counted() {
    let mut sender = Sender::new(Codec::default());
    sender.routes_mut().insert(peer(2), Route::Direct(ENDPOINT, connection(0)));
    with_policy(OnBug::Count, || sender.send_message(&SceneMessage::AddPeer(peer(3)), peer(2)));
    assert_eq!(sender.unroutable(), 1);
}

#[test]
#[should_panic = "impossible state"]
fn a_message_that_cannot_be_encoded_panics_in_simulations() {
    let mut sender = Sender::new(Codec::default());
    with_policy(OnBug::Panic, || sender.send_message(&unencodable(), peer(2)));
}
