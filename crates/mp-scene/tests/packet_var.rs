//! Packets that contain values.
#![allow(missing_docs, reason = "a test")]

use mp_core::godot3::NetworkedMultiplayerPeer;
use mp_core::variant::{Array, FullObject, Object};
use mp_core::{Instant, MemoryMultiplayerPeer, PacketPeer, PeerId, Variant, memory};
use mp_scene::codec::{Limits, Objects};
use mp_scene::{PacketVar, PacketVarError};

const NOW: Instant = Instant::ZERO;

type Peer = PacketPeer<MemoryMultiplayerPeer>;

/// Returns a connected client and its server.
fn connected() -> (Peer, Peer) {
    let (server, client) = memory::pair(PeerId::new(2).expect("positive"));
    let (mut server, mut client) = (PacketPeer::new(server), PacketPeer::new(client));
    server.poll(NOW);
    client.poll(NOW);
    (client, server)
}

fn deliver(client: &mut Peer, server: &mut Peer) {
    client.flush(NOW);
    server.poll(NOW);
}

#[test]
fn a_value_is_received_as_sent() {
    let (mut client, mut server) = connected();
    let value = Variant::from(Array::from_iter([Variant::from(7_i64), Variant::from("seven")]));
    client.put_var(&value).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.packet_peer(), PeerId::new(2));
    assert_eq!(server.next_var().unwrap(), value);
}

#[test]
fn packets_contain_the_bytes_of_var_to_bytes() {
    let (mut client, mut server) = connected();
    client.put_var(&Variant::from(7_i64)).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.next_packet().unwrap(), &[2, 0, 0, 0, 7, 0, 0, 0][..]);
}

#[test]
fn bytes_after_a_value_are_ignored() {
    let (mut client, mut server) = connected();
    client.put_packet(vec![2, 0, 0, 0, 7, 0, 0, 0, 255, 255]).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.next_var().unwrap(), Variant::from(7_i64));
}

#[test]
fn a_value_longer_than_the_encode_buffer_is_not_sent() {
    let (mut client, mut server) = connected();
    client.set_encode_buffer_max_size(1_024).unwrap();
    // The value takes 4 bytes of header and 4 of length.
    let text = |len: usize| Variant::from("x".repeat(len).as_str());
    client.put_var(&text(1_016)).unwrap();
    let error = client.put_var(&text(1_020)).unwrap_err();
    assert_eq!(error, PacketVarError::TooLarge { len: 1_028, max: 1_024 });
    assert_eq!(error.godot_code(), 6);
    deliver(&mut client, &mut server);
    assert_eq!(server.available_packet_count(), 1);
}

#[test]
fn an_invalid_packet_is_removed_with_an_error() {
    let (mut client, mut server) = connected();
    client.put_packet("no value").unwrap();
    client.put_packet(vec![2, 0, 0, 0, 7]).unwrap();
    deliver(&mut client, &mut server);
    for _ in 0..2 {
        let error = server.next_var().unwrap_err();
        assert!(matches!(error, PacketVarError::Variant(_)), "{error}");
        assert_eq!(error.godot_code(), 30);
    }
    let error = server.next_var().unwrap_err();
    assert_eq!(error.godot_code(), 2, "{error}");
}

#[test]
fn full_objects_must_be_allowed_by_both_peers() {
    let (mut client, mut server) = connected();
    let object = Variant::from(Object::Full(
        FullObject { class: "Node".into(), properties: Vec::new() }.into(),
    ));
    assert_eq!(client.put_var(&object).unwrap_err().godot_code(), 4);
    for _ in 0..2 {
        client.put_var_with(&object, Objects::Full).unwrap();
    }
    deliver(&mut client, &mut server);
    assert_eq!(server.next_var().unwrap_err().godot_code(), 4);
    let limits = Limits { full_objects: Some(|class| class == "Node"), ..Limits::default() };
    assert_eq!(server.next_var_with(&limits).unwrap(), object);
}

#[test]
fn a_value_cannot_be_sent_without_a_session() {
    let (mut client, _server) = connected();
    client.close();
    assert_eq!(client.put_var(&Variant::from(1_i64)).unwrap_err().godot_code(), 3);
}

#[test]
fn values_are_sent_over_the_peer_of_godot_3() {
    let (server, client) = memory::pair(PeerId::new(2).expect("positive"));
    let mut server = NetworkedMultiplayerPeer::with_enet_defaults(server);
    let mut client = NetworkedMultiplayerPeer::with_enet_defaults(client);
    server.poll(NOW);
    client.poll(NOW);
    client.put_var(&Variant::from(true)).unwrap();
    client.flush(NOW);
    server.poll(NOW);
    assert_eq!(server.next_var().unwrap(), Variant::from(true));
}
