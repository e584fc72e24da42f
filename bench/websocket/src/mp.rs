//! mp's WebSocket peer in a tokio task, without branch and actor.

use std::net::Ipv4Addr;

use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::{Failure, Forward, forward, run};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};
use serde_json::json;

mp_bench_common::count_allocations!();

fn main() -> Result<(), Failure> {
    run(async {
        let options = ServerOptions::default().max_clients(16_384);
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let peer = WebSocketMultiplayerPeer::create_async_server(address, options)?;
        answer_marks(|| json!({ "allocations": allocations() }));
        ready(peer.local_addr()?.port());
        forward(peer, Forward::Echo).await
    })
}
