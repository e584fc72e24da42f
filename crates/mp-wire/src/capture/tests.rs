//! Captures of datagrams and messages.

use std::fs;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mp_core::{Channel, ConnectionOrigin, Instant, PeerId, TransferMode, Variant};
use mp_scene::codec::Objects;
use mp_scene::rpc::{RpcConfig, RpcIds};
use mp_scene::{CallNode, Codec, RemoteCall, SceneMessage};
use mp_transport_enet::proto::command::{Body, Command, FLAG_ACKNOWLEDGE, Fragment};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{CompressionMode, Compressor};

use super::*;
use crate::{WireCloseReason, WirePacket};

const CLIENT: &str = "127.0.0.1:50000";
const SERVER: &str = "127.0.0.1:7777";
const AT: Duration = Duration::from_secs(1);
/// Part of all secrets.
const SECRET: &[u8] = b"hunter2";
const SIZE: u64 = 1 << 20;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Names of a project with `login(user, token)`.
fn names() -> Option<Rc<ProjectNames>> {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "extends Node\n@rpc(\"any_peer\")\nfunc login(user: String, token: String): pass\n";
    fs::write(folder.path().join("project.godot"), "config_version=5\n").unwrap();
    fs::write(folder.path().join("login.gd"), script).unwrap();
    Some(Rc::new(ProjectNames::load(folder.path()).unwrap()))
}

fn encoded(message: &SceneMessage) -> Bytes {
    let mut bytes = BytesMut::new();
    Codec::default().encode(message, Objects::Ids, &mut bytes).unwrap();
    bytes.freeze()
}

fn announcement() -> Bytes {
    let checksum = *RpcIds::of_methods([("login", RpcConfig::any_peer())]).checksum();
    encoded(&SceneMessage::SimplifyPath { id: 1, checksum, path: "Login".to_owned() })
}

fn login(token: &str) -> Bytes {
    let args = vec![Variant::from("ann"), Variant::from(token)];
    let node = CallNode::Id { id: 1, wide: false };
    encoded(&SceneMessage::RemoteCall(RemoteCall { node, method: 0, args, complete: true }))
}

fn auth() -> Bytes {
    encoded(&SceneMessage::Auth(Bytes::from_static(b"token=hunter2")))
}

fn command(sequence: u16, body: Body<'_>) -> Command<'_> {
    Command { flags: FLAG_ACKNOWLEDGE, channel: 0, sequence, body }
}

/// Returns a datagram with reliable packets.
fn datagram(packets: &[&[u8]]) -> Vec<u8> {
    let commands = packets.iter().zip(1..);
    let commands = commands.map(|(payload, at)| command(at, Body::SendReliable { payload }));
    datagram_of(&commands.collect::<Vec<_>>())
}

fn datagram_of(commands: &[Command<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 4_096];
    let header = Header { peer_id: 0, session: 0, compressed: false, sent_time: Some(7) };
    let mut len = header.emit(&mut bytes);
    for command in commands {
        len += command.emit(&mut bytes[len..]);
    }
    bytes.truncate(len);
    bytes
}

fn compressed(plain: &[u8], mode: CompressionMode) -> Vec<u8> {
    let mut bytes = vec![0; 4_096];
    let len = Compressor::new(mode).compress(&plain[4..], &mut bytes[4..]).unwrap();
    bytes[..4].copy_from_slice(&plain[..4]);
    bytes[0] |= 0x40;
    bytes.truncate(4 + len);
    bytes
}

/// Returns the file of a capture of datagrams.
fn capture(mode: CompressionMode, names: Option<Rc<ProjectNames>>, sent: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let capture = Capture::of_datagrams(&mut file, address(SERVER), mode, names, SIZE);
    let mut capture = capture.unwrap();
    for bytes in sent {
        let (client, direction) = (address(CLIENT), Direction::ToServer);
        let bytes = Bytes::copy_from_slice(bytes);
        capture.datagram(AT, &WireDatagram { client, direction, bytes });
    }
    assert_eq!(capture.stats(), CaptureStats { written: sent.len() as u64, omitted: 0 });
    file
}

fn has(file: &[u8], bytes: &[u8]) -> bool {
    file.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn authentications_are_masked_in_every_compression() {
    let raw = [&[3][..], &b"a text that goes on ".repeat(8)].concat();
    let plain = datagram(&[&auth(), &raw]);
    assert!(has(&plain, SECRET));
    for mode in CompressionMode::ALL.iter().copied() {
        let sent = match mode {
            CompressionMode::None => plain.clone(),
            mode => compressed(&plain, mode),
        };
        let file = capture(mode, None, &[sent]);
        assert!(!has(&file, SECRET), "{mode:?}");
        assert!(has(&file, b"\x07\0*************"), "{mode:?}");
        assert!(has(&file, &raw), "{mode:?}");
    }
}

#[test]
fn datagram_that_cannot_be_expanded_is_captured_without_its_content() {
    let plain = datagram(&[&auth(), &[b'a'; 200]]);
    let sent = compressed(&plain, CompressionMode::FastLz);
    assert!(has(&sent, SECRET), "FastLZ begins with literals");
    let file = capture(CompressionMode::None, None, &[sent]);
    assert!(!has(&file, SECRET));
    assert!(has(&file, &[0xc0, 0, 0, 7]));
}

#[test]
fn secret_arguments_are_masked_once_the_method_is_known() {
    let packets = [announcement(), login("hunter2")];
    let file = capture(CompressionMode::None, names(), &[datagram(&[&packets[0], &packets[1]])]);
    assert!(!has(&file, SECRET) && has(&file, b"ann"));
    // Without a project no names are known.
    let file = capture(CompressionMode::None, None, &[datagram(&[&packets[0], &packets[1]])]);
    assert!(has(&file, SECRET));
    // The announcement was lost.
    let file = capture(CompressionMode::None, names(), &[datagram(&[&packets[1]])]);
    assert!(!has(&file, SECRET) && !has(&file, b"ann"));
}

#[test]
fn fragments_of_secrets_are_masked_in_any_order_and_others_are_not() {
    let secret = login(&"hunter2 ".repeat(300));
    let text = [&[3][..], &b"plain ".repeat(300)].concat();
    let parts = |packet: &[u8], start: u16| -> Vec<Vec<u8>> {
        let parts = packet.chunks(1_000).enumerate().map(|(number, payload)| {
            let (count, offset) = (packet.len().div_ceil(1_000) as u32, number as u32 * 1_000);
            let (number, total) = (number as u32, packet.len() as u32);
            let fragment = Fragment { start, count, number, total, offset, payload };
            datagram_of(&[command(start + number as u16, Body::SendFragment(fragment))])
        });
        parts.collect()
    };
    let announced = datagram(&[&announcement()]);
    let mut sent = [vec![announced], parts(&secret, 10), parts(&text, 20)].concat();
    let file = capture(CompressionMode::None, names(), &sent);
    assert!(!has(&file, SECRET) && has(&file, b"ann"));
    // One is split.
    assert_eq!(file.windows(6).filter(|window| window == b"plain ").count(), 299);
    sent.reverse();
    assert!(!has(&capture(CompressionMode::None, names(), &sent), SECRET));
}

#[test]
fn truncated_datagrams_are_masked() {
    let whole = datagram(&[&auth()]);
    for len in 0..whole.len() {
        let file = capture(CompressionMode::None, None, &[whole[..len].to_vec()]);
        assert!(!has(&file, b"hunter"), "{len}");
    }
}

#[test]
fn messages_are_masked_and_begin_with_the_peer_id() {
    let client = ClientNumber(1);
    let packet = |payload| {
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        let (direction, at) = (Direction::ToServer, Instant::ZERO);
        WireEvent::Packet(WirePacket { client, at, direction, mode, channel, payload })
    };
    let at = Instant::ZERO;
    let origin =
        ConnectionOrigin::Url { address: address(CLIENT), url: "ws://a/?token=hunter2".into() };
    let reason = WireCloseReason::Stopped;
    let relayed = SceneMessage::Relay { peer: 3, inner: login("hunter2") };
    let mut file = Vec::new();
    let mut capture = Capture::of_messages(&mut file, address(SERVER), names(), SIZE).unwrap();
    for event in [
        WireEvent::Connected { client, at, origin },
        WireEvent::PeerId { client, at, id: PeerId::new(0x0102_0304).unwrap() },
        packet(auth()),
        packet(announcement()),
        packet(login("hunter2")),
        packet(encoded(&relayed)),
        WireEvent::Closed { client, at, reason },
    ] {
        capture.event(AT, &event);
    }
    assert_eq!(capture.stats().written, 5);
    assert!(!has(&file, SECRET) && has(&file, b"ann"));
    assert!(has(&file, b"\0\0\0\x04\x03\x02\x01"));
    for part in [&b"godot.id"[..], b"godot\0\0\0", &[127, 0, 0, 1]] {
        assert!(has(&file, part), "{part:?}");
    }
}

#[test]
fn sessions_of_addresses_are_bounded() {
    let mut file = Vec::new();
    let capture =
        Capture::of_datagrams(&mut file, address(SERVER), CompressionMode::None, None, SIZE);
    let mut capture = capture.unwrap();
    for port in 1..1_000 {
        let client = SocketAddr::new(address(CLIENT).ip(), port);
        let (direction, bytes) = (Direction::ToServer, datagram(&[&auth()]).into());
        capture.datagram(AT, &WireDatagram { client, direction, bytes });
    }
    let Content::Datagrams { sessions, .. } = &capture.content else { unreachable!() };
    assert_eq!(sessions.len(), usize::from(CLIENTS_MAX));
    assert!(sessions.contains_key(&SocketAddr::new(address(CLIENT).ip(), 999)));
}
