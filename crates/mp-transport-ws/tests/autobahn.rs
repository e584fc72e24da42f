//! The cases of the public conformance suite (autobahntestsuite 0.8.2) by number, as frames with
//! the expected result. The suite itself needs a server that echoes text as text and does not send
//! first, unlike Godot's protocol.

mod common;

use common::*;
use mp_core::MultiplayerPeer;
use mp_transport_ws::ServerOptions;
use mp_transport_ws::testing::StreamConditions;

/// The expected result of a case.
#[derive(Debug)]
enum Outcome {
    /// These packets; the connection stays open.
    Packets(Vec<Vec<u8>>),
    /// These packets and pongs; the connection stays open.
    Pongs(Vec<Vec<u8>>, Vec<Vec<u8>>),
    /// These packets, then a close frame with one of these codes; 0 is one without a code.
    Closed(Vec<Vec<u8>>, &'static [u16]),
}
use Outcome::{Closed, Packets, Pongs};

/// Sends `said` to a server, at once and then byte by byte.
fn case(number: &str, said: &[Vec<u8>], expected: &Outcome) {
    let all = said.concat();
    for chunk in [all.len().max(1), 1] {
        if all.len() > 5_000 && chunk == 1 {
            continue;
        }
        let options = ServerOptions::default().buffer_sizes(1 << 20);
        let mut world =
            World::new(StreamConditions { capacity: 4 << 20, ..StreamConditions::default() });
        let mut server = world.server(options);
        let (mut raw_peer, id) = world.joined(&mut server);
        let mut events = Vec::new();
        for piece in all.chunks(chunk) {
            let mut piece = piece;
            while !piece.is_empty() {
                let taken = raw_peer.try_send(piece);
                piece = &piece[taken..];
                events.extend(world.turn(&mut server));
                if taken == 0 && server.connection_stats(id).is_none() {
                    break;
                }
            }
        }
        for _ in 0..20 {
            events.extend(world.turn(&mut server));
        }
        let received = frames(&mut raw_peer.take());
        let pongs: Vec<_> =
            received.iter().filter(|f| f.first == 0x8A).map(|f| f.payload.clone()).collect();
        let close = received
            .iter()
            .find(|frame| frame.first == 0x88)
            .map(|frame| frame.payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)));
        let got = packets(&events);
        match expected {
            Packets(expected) => {
                assert_eq!((&got, close), (expected, None), "{number}");
            }
            Pongs(expected, expected_pongs) => {
                assert_eq!((&got, close), (expected, None), "{number}");
                // Of several pings, only the last needs a pong (RFC 6455, 5.5.3).
                assert_eq!(pongs.last(), expected_pongs.last(), "{number}");
                assert!(pongs.iter().all(|pong| expected_pongs.contains(pong)), "{number}");
            }
            Closed(expected, codes) => {
                assert_eq!(&got, expected, "{number}");
                assert!(close.is_some_and(|code| codes.contains(&code)), "{number}: {close:?}");
            }
        }
    }
}

fn text(payload: &[u8]) -> Vec<u8> {
    masked(0x81, payload)
}

fn close(payload: &[u8]) -> Vec<u8> {
    masked(0x88, payload)
}

fn one(payload: &[u8]) -> Outcome {
    Packets(vec![payload.to_vec()])
}

const PROTOCOL: &[u16] = &[1002];
const INVALID: &[u16] = &[1007];

#[test]
fn framing_of_every_size() {
    for (first, group) in [(0x81, "1.1"), (0x82, "1.2")] {
        for size in [0, 125, 126, 127, 128, 65_535, 65_536] {
            let payload = vec![b'*'; size];
            case(&format!("{group}, {size}"), &[masked(first, &payload)], &one(&payload));
        }
    }
    for size in [64 << 10, 256 << 10, 1 << 20] {
        let payload = vec![b'*'; size];
        case("9.1 and 9.2", &[masked(0x82, &payload)], &one(&payload));
        let mut pieces: Vec<_> = payload
            .chunks(4_096)
            .enumerate()
            .map(|(n, p)| masked(if n == 0 { 2 } else { 0 }, p))
            .collect();
        pieces.push(masked(0x80, b""));
        case("9.3 and 9.4", &pieces, &one(&payload));
    }
}

#[test]
fn pings_and_pongs() {
    for (number, payload) in [
        ("2.1", vec![]),
        ("2.2", b"Hello".to_vec()),
        ("2.3", vec![0, 255, 254, 9]),
        ("2.4", vec![0xFE; 125]),
    ] {
        case(number, &[masked(0x89, &payload)], &Pongs(vec![], vec![payload.clone()]));
    }
    case("2.5", &[masked(0x89, &[0xFE; 126])], &Closed(vec![], PROTOCOL));
    case("2.7", &[masked(0x8A, b"")], &Packets(vec![]));
    case("2.8", &[masked(0x8A, b"unsolicited")], &Packets(vec![]));
    let pings: Vec<_> = (0..10u8).map(|n| masked(0x89, &[n])).collect();
    case("2.10", &pings, &Pongs(vec![], (0..10u8).map(|n| vec![n]).collect()));
}

#[test]
fn reserved_bits_and_opcodes() {
    for (number, first) in [
        ("3.1", 0xC1),
        ("3.2", 0xA1),
        ("3.3", 0xB1),
        ("3.4", 0x91),
        ("3.5", 0xD2),
        ("3.6", 0xE9),
        ("3.7", 0xF8),
    ] {
        case(
            number,
            &[text(b"before"), masked(first, b"x")],
            &Closed(vec![b"before".to_vec()], PROTOCOL),
        );
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let said = [text(b"before"), masked(0x80 | opcode, b""), masked(0x89, b"")];
        case("4.1 and 4.2", &said, &Closed(vec![b"before".to_vec()], PROTOCOL));
    }
}

#[test]
fn fragments() {
    let (begin, more, end) =
        (|p: &[u8]| masked(0x01, p), |p: &[u8]| masked(0x00, p), |p: &[u8]| masked(0x80, p));
    let whole = one(b"fragment1fragment2");
    case("5.1", &[masked(0x09, b"a"), masked(0x80, b"b")], &Closed(vec![], PROTOCOL));
    case("5.2", &[masked(0x0A, b"a"), masked(0x80, b"b")], &Closed(vec![], PROTOCOL));
    case("5.3 to 5.5", &[begin(b"fragment1"), end(b"fragment2")], &whole);
    let ping = masked(0x89, b"ping");
    let both = Pongs(vec![b"fragment1fragment2".to_vec()], vec![b"ping".to_vec()]);
    case("5.6 to 5.8", &[begin(b"fragment1"), ping.clone(), end(b"fragment2")], &both);
    case("5.9 to 5.12", &[end(b"non-continuation"), text(b"x")], &Closed(vec![], PROTOCOL));
    case("5.13 and 5.14", &[more(b"non-continuation"), text(b"x")], &Closed(vec![], PROTOCOL));
    let said = [begin(b"fragment1"), end(b"fragment2"), more(b"fragment3"), begin(b"fragment4")];
    case("5.15", &said, &Closed(vec![b"fragment1fragment2".to_vec()], PROTOCOL));
    case("5.16 and 5.17", &[more(b"fragment1"), begin(b"x"), end(b"y")], &Closed(vec![], PROTOCOL));
    case("5.18", &[begin(b"fragment1"), text(b"fragment2")], &Closed(vec![], PROTOCOL));
    let said = [begin(b"f1"), more(b"f2"), ping.clone(), more(b"f3"), ping, end(b"f4")];
    let both = Pongs(vec![b"f1f2f3f4".to_vec()], vec![b"ping".to_vec()]);
    case("5.19 and 5.20", &said, &both);
}

#[test]
fn text_is_utf_8() {
    let greek = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    case("6.1", &[text(b"")], &one(b""));
    case("6.2", &[text(greek)], &one(greek));
    let bytes: Vec<_> =
        greek.iter().enumerate().map(|(n, b)| masked(u8::from(n == 0), &[*b])).collect();
    case("6.2.3", &[bytes, vec![masked(0x80, b"")]].concat(), &one(greek));
    for (number, payload) in [
        ("6.3", &b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited"[..]),
        ("6.6", b"\xCE"),
        ("6.8", b"\xF8\x88\x80\x80\x80"),
        ("6.10", b"\xF7\xBF\xBF\xBF"),
        ("6.12", b"\x80"),
        ("6.14", b"\xC0\xC1\xFE\xFF"),
        ("6.16", b"\xC0 "),
        ("6.18", b"\xC0\xAF"),
        ("6.19", b"\xC1\xBF"),
        ("6.20", b"\xC0\x80"),
        ("6.21", b"\xED\xA0\x80\xED\xB0\x80"),
        ("6.21", b"\xF4\x90\x80\x80"),
    ] {
        case(number, &[text(payload)], &Closed(vec![], INVALID));
    }
    for good in ["\u{0}", "\u{7F}", "\u{7FF}", "\u{FFFF}", "\u{10FFFF}", "\u{FFFE}", "\u{1FFFE}"] {
        case("6.7, 6.9, 6.22", &[text(good.as_bytes())], &one(good.as_bytes()));
    }
}

#[test]
fn closing() {
    case("7.1.1", &[text(b"Hello"), close(&[3, 232])], &Closed(vec![b"Hello".to_vec()], &[1000]));
    case("7.1.2", &[close(&[3, 232]), close(&[3, 232])], &Closed(vec![], &[1000]));
    case("7.1.3", &[close(&[3, 232]), masked(0x89, b"x")], &Closed(vec![], &[1000]));
    case("7.1.4", &[close(&[3, 232]), text(b"never")], &Closed(vec![], &[1000]));
    case(
        "7.1.5",
        &[masked(0x01, b"a"), close(&[3, 232]), masked(0x80, b"b")],
        &Closed(vec![], &[1000]),
    );
    case("7.3.1", &[close(b"")], &Closed(vec![], &[0, 1000]));
    case("7.3.2", &[close(b"a")], &Closed(vec![], PROTOCOL));
    case("7.3.4", &[close(b"\x03\xE8Hello")], &Closed(vec![], &[1000]));
    let long = [&[3, 232][..], &[b'*'; 123]].concat();
    case("7.3.5", &[close(&long)], &Closed(vec![], &[1000]));
    case("7.3.6", &[close(&[long, b"*".to_vec()].concat())], &Closed(vec![], PROTOCOL));
    case("7.5.1", &[close(b"\x03\xE8\xCE\xBA\xED\xA0\x80")], &Closed(vec![], &[1007, 1002]));
    for code in [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let codes: &'static [u16] = Box::leak(Box::new([code]));
        case(&format!("7.7, {code}"), &[close(&code.to_be_bytes())], &Closed(vec![], codes));
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999] {
        case(&format!("7.9, {code}"), &[close(&code.to_be_bytes())], &Closed(vec![], PROTOCOL));
    }
}
