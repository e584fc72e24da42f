//! The fuzz target of this crate, run on its seed inputs and mutations of them.

use mp_core::fuzz::{Seeds, check};
use mp_signaling::{Message, MessageKind, fuzz};

#[test]
fn servers_survive_any_messages() {
    let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n";
    let candidate = "\n0\n0\ncandidate:1 1 UDP 1 192.0.2.1 9 typ host";
    let messages = [
        (0, MessageKind::Join, 0, ""),
        (1, MessageKind::Join, 1, "room"),
        (1, MessageKind::Offer, 1, sdp),
        (0, MessageKind::Answer, 2, sdp),
        (1, MessageKind::Candidate, 1, candidate),
        (0, MessageKind::Candidate, 1, "\n0\n0\n"),
        (0, MessageKind::Seal, 0, ""),
        (2, MessageKind::Join, 0, "none"),
        (6, MessageKind::PeerConnect, 3, ""),
    ];
    let piece = |(socket, kind, id, data): (u8, MessageKind, i32, &str)| {
        [&[socket][..], Message::new(kind, id, data).to_text().as_bytes()].concat()
    };
    check("signaling_message", Seeds::pieces(&messages.map(piece)), 5_000, fuzz::signaling_message);
}
