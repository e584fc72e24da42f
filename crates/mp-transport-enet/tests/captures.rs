//! Every captured datagram is decoded as an independent decoder did, and encoded again byte for byte.

mod common;

use common::{
    Captured, capture, capture_names, datagram, decoded_command, decoded_header, hex, parse, shown,
    unhex,
};
use mp_transport_enet::proto::command::Command;
use mp_transport_enet::proto::header::Header;

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

/// Without a compressor their blocks stay opaque; the header and the bytes behind it survive. What they expand to is
/// checked where the capture has all of it.
#[test]
fn headers_of_compressed_datagrams_are_decoded_and_encoded_again() {
    let (mut checked, mut expanded) = (0, 0);
    for captured in all().filter(is_compressed) {
        let place = place(&captured);
        assert!(captured.is_whole(), "{place}");
        let (header, block) = Header::parse(&captured.bytes).unwrap();
        assert_eq!(header, decoded_header(&captured.decoded), "{place}");
        assert_eq!(
            block.len() as u64,
            captured.decoded["compressed_len"].as_u64().unwrap(),
            "{place}"
        );
        let mut bytes = datagram(header, &[]);
        bytes.extend_from_slice(block);
        assert_eq!(hex(&bytes), hex(&captured.bytes), "{place}");
        checked += 1;

        let Some(text) = captured.decoded["expanded_hex"].as_str() else { continue };
        if text.ends_with('…') {
            continue;
        }
        // FastLZ pads short blocks with zeros, at which the commands end.
        let block = unhex(text);
        let mut rest = &block[..];
        let mut again = Vec::new();
        for listed in captured.decoded["commands"].as_array().unwrap() {
            let (command, after) = Command::parse(rest).unwrap();
            assert_eq!(command, decoded_command(listed, command.body.payload()), "{place}");
            let mut out = vec![0; command.encoded_len()];
            command.emit(&mut out);
            again.extend(out);
            rest = after;
        }
        assert_eq!(again, block[..again.len()], "{place}");
        assert!(rest.iter().all(|&byte| byte == 0), "{place}");
        expanded += 1;
    }
    assert_eq!((checked, expanded), (32, 13));
}

fn all() -> impl Iterator<Item = Captured> {
    capture_names().into_iter().flat_map(|name| capture(&name))
}

fn is_compressed(captured: &Captured) -> bool {
    captured.decoded["compressed"].as_bool().unwrap()
}

fn place(captured: &Captured) -> String {
    format!("{} datagram {}", captured.name, captured.index)
}
