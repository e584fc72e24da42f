//! Relay room without actors: the branch polls its transport in one tokio task.

use std::error::Error;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mp_bench_common::{answer_marks, ready};
use mp_core::host::SystemClock;
use mp_core::{MultiplayerPeer, StateMachine};
use mp_scene::Branch;
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

mp_bench_common::count_allocations!();

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let options = ServerOptions::default().max_clients(512);
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let mut server = EnetMultiplayerPeer::create_async_server(address, options)?;
    let mut room = Branch::builder("/root").build()?;
    answer_marks(|| json!({ "allocations": allocations() }));
    ready(server.local_addr()?.port());

    let (clock, epoch) = (SystemClock::new(), Instant::now());
    let origin = clock.now();
    let mut sleep = pin!(sleep_until(epoch));
    loop {
        room.poll(&mut server, clock.now());
        let due = [room.poll_timeout(), server.poll_timeout()].into_iter().flatten().min();
        // Without a timer the task sleeps until it is woken.
        let due = epoch + due.map_or(FAR, |due| due - origin);
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        poll_fn(|cx| match server.poll_ready(cx) {
            Poll::Pending => sleep.as_mut().poll(cx),
            ready => ready,
        })
        .await;
    }
}

/// Longer than any benchmark.
const FAR: Duration = Duration::from_secs(86_400);
