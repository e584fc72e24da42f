//! mp's ENet peer with its own sockets in a tokio task, without branch and actor.

use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_enet::{Args, Forward};
use mp_core::host::SystemClock;
use mp_core::{ConnectionId, Connections, MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

mp_bench_common::count_allocations!();

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Waking a spawned task needs no system call; waking the future in `block_on` does.
    match runtime.block_on(runtime.spawn(serve(args)))? {
        Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn serve(args: Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = ServerOptions::default().max_clients(args.peers).channel_limit(args.channels);
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let mut peer = EnetMultiplayerPeer::create_async_server(address, options)?;
    answer_marks(|| json!({ "allocations": allocations() }));
    ready(peer.local_addr()?.port());

    let mut targets = Targets::new(args.pass);
    let (clock, epoch) = (SystemClock::new(), Instant::now());
    let origin = clock.now();
    let mut sleep = pin!(sleep_until(epoch));
    loop {
        peer.poll(clock.now());
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => targets.add(connection),
                PeerEvent::Packet(packet) => peer.send(OutgoingPacket {
                    to: targets.of(packet.from),
                    mode: packet.mode,
                    channel: packet.channel,
                    prefix: Prefix::EMPTY,
                    payload: packet.payload,
                })?,
                _ => {}
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

/// Receivers of each client's packets. Clients do not leave during a benchmark.
struct Targets {
    pass: Forward,
    clients: Vec<ConnectionId>,
    of: HashMap<ConnectionId, Connections>,
}

impl Targets {
    fn new(pass: Forward) -> Self {
        Self { pass, clients: Vec::new(), of: HashMap::new() }
    }

    fn add(&mut self, client: ConnectionId) {
        self.clients.push(client);
        self.of.clear();
    }

    fn of(&mut self, from: ConnectionId) -> Connections {
        if self.pass == Forward::Echo {
            return from.into();
        }
        let targets = self.of.entry(from).or_insert_with(|| {
            let index = self.clients.iter().position(|&client| client == from).expect("connected");
            let targets = self.pass.targets(index, self.clients.len());
            Connections::Many(targets.map(|index| self.clients[index]).collect::<Arc<[_]>>())
        });
        targets.clone()
    }
}
