//! mp's WebRTC peer in a tokio task, without branch and actor.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::{Args, Failure, forward, run};
use mp_bench_webrtc::{UNRELIABLE_LIFETIME, answer_offers};
use mp_core::PeerId;
use mp_transport_webrtc::{SdpKind, Signal, Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
use serde_json::json;

mp_bench_common::count_allocations!();

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    run(async move {
        let options = WebRtcOptions::default().ice_lite(true).max_peers(args.peers);
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let mut peer = WebRtcMultiplayerPeer::create_async_server(address, options)?;
        let signaling = peer.signaling();
        let mut id = PeerId::SERVER.get();
        let port = answer_offers(move |offer| {
            id += 1;
            answer(&signaling, PeerId::new(id)?, offer)
        })?;
        answer_marks(|| json!({ "allocations": allocations() }));
        ready(port);
        forward(peer, args.pass).await
    })
}

/// Adds a peer with its offer, and waits for the answer.
fn answer(signaling: &Signaling, peer: PeerId, offer: String) -> Option<String> {
    signaling.add_peer(peer, UNRELIABLE_LIFETIME).ok()?;
    signaling.set_remote_description(peer, SdpKind::Offer, offer).ok()?;
    loop {
        match signaling.next_signal() {
            Some(Signal::SessionDescriptionCreated { sdp, .. }) => return Some(sdp),
            Some(Signal::Failed { .. }) => return None,
            Some(_) => {}
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
}
