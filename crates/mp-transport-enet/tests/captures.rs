//! Captured datagrams are decoded as by an independent decoder, and encoded to the same bytes.

mod common;

use common::{
    Captured, capture, capture_names, datagram, decoded_command, decoded_header, hex, parse, shown,
    unhex,
};
use mp_transport_enet::proto::command::Command;
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{CompressionMode, Compressor};

#[test]
fn whole_datagrams_are_decoded_and_encoded_again() {
    let mut checked = 0;
    for captured in all().filter(|captured| captured.is_whole() && !is_compressed(captured)) {
        let place = place(&captured);
        let (header, commands) = parse(&captured.bytes);
        assert_eq!(header, decoded_header(&captured.decoded), "{place}");
        let listed = captured.decoded["commands"].as_array().unwrap();
        assert_eq!(commands.len(), listed.len(), "{place}");
        for (command, listed) in commands.iter().zip(listed) {
            let payload = command.body.payload();
            assert_eq!(*command, decoded_command(listed, payload), "{place}");
            assert!(hex(payload).starts_with(shown(listed)), "{place}");
        }
        assert_eq!(hex(&datagram(header, &commands)), hex(&captured.bytes), "{place}");
        checked += 1;
    }
    assert_eq!(checked, 377);
}

#[test]
fn datagrams_shown_in_part_are_encoded_to_what_is_shown() {
    let mut checked = 0;
    for captured in all().filter(|captured| !captured.is_whole()) {
        let place = place(&captured);
        let bytes = captured.rebuilt();
        assert_eq!(bytes.len(), captured.len, "{place}");
        assert_eq!(hex(&bytes[..captured.bytes.len()]), hex(&captured.bytes), "{place}");
        let (header, commands) = parse(&bytes);
        assert_eq!(datagram(header, &commands), bytes, "{place}");
        checked += 1;
    }
    assert_eq!(checked, 57);
}

#[test]
fn compressed_datagrams_are_expanded_and_compressed_again() {
    let mut checked = [0; 5];
    for captured in all().filter(is_compressed) {
        let place = place(&captured);
        assert!(captured.is_whole(), "{place}");
        let (header, block) = Header::parse(&captured.bytes).unwrap();
        assert_eq!(header, decoded_header(&captured.decoded), "{place}");
        let mode = compression(&captured.name);
        let mut compressor = Compressor::new(mode);
        let mut expanded = [0; 4_096];
        let len = compressor.expand(block, &mut expanded).unwrap_or_else(|| panic!("{place}"));
        let expanded = &expanded[..len];
        assert_eq!(len as u64, captured.decoded["expanded_len"].as_u64().unwrap(), "{place}");
        let shown = captured.decoded["expanded_hex"].as_str().unwrap().trim_end_matches('…');
        assert!(hex(expanded).starts_with(shown), "{place}");

        // FastLZ pads short blocks with zeros, which end the commands.
        let mut rest = expanded;
        let mut again = Vec::new();
        for listed in captured.decoded["commands"].as_array().unwrap() {
            let (command, after) = Command::parse(rest).unwrap();
            assert_eq!(command, decoded_command(listed, command.body.payload()), "{place}");
            let mut out = vec![0; command.encoded_len()];
            command.emit(&mut out);
            again.extend(out);
            rest = after;
        }
        assert_eq!(again, expanded[..again.len()], "{place}");
        assert!(rest.iter().all(|&byte| byte == 0), "{place}");

        let mut out = [0; 4_096];
        let len = compressor.compress(&again, &mut out).unwrap();
        assert_eq!(hex(&out[..len]), hex(block), "{place}");
        checked[mode as usize] += 1;
    }
    assert_eq!(checked, [0, 15, 6, 6, 5]);
}

/// Blocks of all kinds, compressed by Godot, beyond those in the captures.
#[test]
fn blocks_of_godot_are_expanded_and_compressed_again() {
    let text = include_str!("../../../testdata/godot4/compressed.json");
    let blocks: serde_json::Value = serde_json::from_str(text).unwrap();
    let blocks = blocks["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 30);
    let modes = [
        ("fastlz", CompressionMode::FastLz),
        ("zlib", CompressionMode::Zlib),
        ("zstd", CompressionMode::Zstd),
    ];
    for (name, mode) in modes {
        let mut compressor = Compressor::new(mode);
        for (index, block) in blocks.iter().enumerate() {
            let [plain, packed] = ["in", name].map(|key| unhex(block[key].as_str().unwrap()));
            let mut out = [0; 4_096];
            let len = compressor.expand(&packed, &mut out).unwrap();
            assert_eq!(hex(&out[..plain.len()]), hex(&plain), "{name} {index}");
            assert!(out[plain.len()..len].iter().all(|&byte| byte == 0), "{name} {index}");
            let len = compressor.compress(&plain, &mut out).unwrap();
            assert_eq!(hex(&out[..len]), hex(&packed), "{name} {index}");
        }
    }
}

fn all() -> impl Iterator<Item = Captured> {
    capture_names().into_iter().flat_map(|name| capture(&name))
}

/// Returns the compression mode of a capture.
fn compression(name: &str) -> CompressionMode {
    let named = |part: &str| name.starts_with(&format!("enet_compress_{part}"));
    let modes = ["none", "range", "fastlz", "zlib", "zstd"]
        .into_iter()
        .zip(CompressionMode::ALL.iter().copied());
    modes
        .into_iter()
        .find(|(part, _)| named(part))
        .expect("a capture named by its compression mode")
        .1
}

fn is_compressed(captured: &Captured) -> bool {
    captured.decoded["compressed"].as_bool().unwrap()
}

fn place(captured: &Captured) -> String {
    format!("{} datagram {}", captured.name, captured.index)
}
