//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use bytes::Bytes;
use mp_core::Instant;
use mp_core::fuzz::pieces;

use crate::frame::{Frame, SessionId};
use crate::limits::GUESTS_MAX;
use crate::{HostOutput, TunnelHost};

/// Passes the [`pieces`] of the input to a host as packets of its room.
pub fn tunnel_frames(data: &[u8]) {
    let mut host = TunnelHost::new();
    host.link_connected(Instant::ZERO);
    let session = SessionId::random(&mut mp_core::Rng::seed_from_u64(1));
    let (is_resumed, received) = (false, 0);
    let grace = std::time::Duration::from_secs(1);
    host.link_packet(Frame::Welcome { session, is_resumed, received, grace }.encode());
    let mut connected = 0_usize;
    for packet in pieces(data) {
        if let Ok(frame) = Frame::decode(Bytes::copy_from_slice(packet)) {
            assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
        host.link_packet(Bytes::copy_from_slice(packet));
        while let Some(output) = host.next_output() {
            match output {
                HostOutput::Connect { guest, .. } => {
                    connected += 1;
                    if guest % 2 == 0 {
                        host.game_connected(guest);
                    }
                }
                HostOutput::Disconnect { .. } => connected -= 1,
                HostOutput::CloseLink => {
                    host.link_lost(Instant::ZERO);
                    assert_eq!(host.guests(), 0);
                }
                _ => {}
            }
        }
        assert!(connected == host.guests() && connected <= GUESTS_MAX);
    }
}
