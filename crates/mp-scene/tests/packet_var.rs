//! Values as packets.
#![allow(missing_docs, reason = "a test")]

use mp_core::godot3::NetworkedMultiplayerPeer;
use mp_core::variant::{Array, FullObject, Object};
use mp_core::{Instant, MemoryMultiplayerPeer, PacketPeer, PeerId, Variant, memory};
use mp_scene::codec::{Limits, Objects};
use mp_scene::{PacketVar, PacketVarError};

const NOW: Instant = Instant::ZERO;

type Peer = PacketPeer<MemoryMultiplayerPeer>;

/// A client and its server.
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
fn a_value_arrives_as_it_was_put() {
    let (mut client, mut server) = connected();
    let value = Variant::from(Array::from_iter([Variant::from(7_i64), Variant::from("seven")]));
    client.put_var(&value).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.packet_peer(), PeerId::new(2));
    assert_eq!(server.next_var().unwrap(), value);
}

#[test]
fn its_bytes_are_those_of_var_to_bytes() {
    let (mut client, mut server) = connected();
    client.put_var(&Variant::from(7_i64)).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.next_packet().unwrap(), &[2, 0, 0, 0, 7, 0, 0, 0][..]);
}

#[test]
fn bytes_behind_a_value_are_ignored() {
    let (mut client, mut server) = connected();
    client.put_packet(vec![2, 0, 0, 0, 7, 0, 0, 0, 255, 255]).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.next_var().unwrap(), Variant::from(7_i64));
}

#[test]
fn a_value_longer_than_the_encode_buffer_is_not_sent() {
    let (mut client, mut server) = connected();
    client.set_encode_buffer_max_size(1_024).unwrap();
    // 4 bytes of header and 4 of length.
    let text = |len: usize| Variant::from("x".repeat(len).as_str());
    client.put_var(&text(1_016)).unwrap();
    let error = client.put_var(&text(1_020)).unwrap_err();
    assert_eq!(error, PacketVarError::TooLarge { len: 1_028, max: 1_024 });
    assert_eq!(error.godot_code(), 6);
    deliver(&mut client, &mut server);
    assert_eq!(server.available_packet_count(), 1);
}

#[test]
fn a_packet_that_is_no_value_is_an_error_and_taken() {
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
fn full_objects_need_both_sides_to_allow_them() {
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
fn without_a_session_nothing_is_put() {
    let (mut client, _server) = connected();
    client.close();
    assert_eq!(client.put_var(&Variant::from(1_i64)).unwrap_err().godot_code(), 3);
}

#[test]
fn values_travel_over_the_peer_of_godot_3_too() {
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
