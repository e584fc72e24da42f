//! mp's WebSocket peer in a tokio task, without branch and actor.

use std::error::Error;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mp_bench_common::{answer_marks, ready};
use mp_core::host::SystemClock;
use mp_core::{MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

mp_bench_common::count_allocations!();

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let options = ServerOptions::default().max_clients(16_384);
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let mut peer = WebSocketMultiplayerPeer::create_async_server(address, options)?;
    answer_marks(|| json!({ "allocations": allocations() }));
    ready(peer.local_addr()?.port());

    let (clock, epoch) = (SystemClock::new(), Instant::now());
    let origin = clock.now();
    let mut sleep = pin!(sleep_until(epoch));
    loop {
        peer.poll(clock.now());
        while let Some(event) = peer.next_event() {
            if let PeerEvent::Packet(packet) = event {
                peer.send(OutgoingPacket {
                    to: packet.from.into(),
                    mode: packet.mode,
                    channel: packet.channel,
                    prefix: Prefix::EMPTY,
                    payload: packet.payload,
                })?;
            }
        }
        peer.flush(clock.now());
        // Without a timer the task sleeps until it is woken.
        let due = peer.poll_timeout().map_or(FAR, |due| due - origin);
        if sleep.deadline() != epoch + due {
            sleep.as_mut().reset(epoch + due);
        }
        poll_fn(|cx| match peer.poll_ready(cx) {
            Poll::Pending => sleep.as_mut().poll(cx),
            ready => ready,
        })
        .await;
    }
}

/// Longer than any benchmark.
const FAR: Duration = Duration::from_secs(86_400);
