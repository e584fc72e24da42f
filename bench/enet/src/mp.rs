//! mp's ENet peer through its own sockets, in a tokio task: no branch, no actor.

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
use mp_bench_enet::{Args, Pass};
use mp_core::host::SystemClock;
use mp_core::{ConnectionId, Connections, MultiplayerPeer, Outgoing, PeerEvent, Prefix};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

mp_bench_common::count_allocations!();

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // What wakes a task of its own costs no system call, as it would if it woke what the runtime blocks on.
    match runtime.block_on(runtime.spawn(serve(args)))? {
        Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn serve(args: Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut options = ServerOptions::with_max_clients(args.peers);
    options.host.channel_limit = args.channels;
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
                PeerEvent::Packet(packet) => peer.send(Outgoing {
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
        // Where nothing is due it sleeps until it is woken.
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

/// Where the packets of each client go. Nobody leaves during a benchmark.
struct Targets {
    pass: Pass,
    clients: Vec<ConnectionId>,
    of: HashMap<ConnectionId, Connections>,
}

impl Targets {
    fn new(pass: Pass) -> Self {
        Self { pass, clients: Vec::new(), of: HashMap::new() }
    }

    fn add(&mut self, client: ConnectionId) {
        self.clients.push(client);
        self.of.clear();
    }

    fn of(&mut self, from: ConnectionId) -> Connections {
        if self.pass == Pass::Echo {
            return from.into();
        }
        let targets = self.of.entry(from).or_insert_with(|| {
            let place = self.clients.iter().position(|&client| client == from).expect("connected");
            let targets = self.pass.targets(place, self.clients.len());
            Connections::Many(targets.map(|place| self.clients[place]).collect::<Arc<[_]>>())
        });
        targets.clone()
    }
}
