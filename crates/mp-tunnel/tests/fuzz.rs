//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_tunnel::fuzz;

#[test]
fn any_frames_are_handled_within_bounds() {
    let frames: [&[u8]; 6] = [
        b"\x03\x00\x00\x00\x00\x63\x00\x00\x00",
        b"\x04\x00\x00\x00\x00\x02\x00\x00\x00hello",
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00part",
        b"\x04\x00\x00\x00\x00\x01\x02\x05\x00unreliable",
        b"\x05\x00\x00\x00\x00\x00",
        b"\x06\x00\x00\x00\x00\x00\x00\x00\x00",
    ];
    let seeds = Seeds::pieces(&frames.map(<[u8]>::to_vec));
    check("tunnel_frames", seeds, 20_000, fuzz::tunnel_frames);
}
