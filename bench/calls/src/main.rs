//! Server with a node that has RPC methods, run by actors. Either it calls all clients at each
//! tick, or it counts the calls of clients. It does not count allocations, because that takes eight
//! atomic operations per received call; `instructions call` does.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mp_bench_common::{answer_marks, ready};
use mp_scene::BuildError;
use mp_scene::prelude::*;
use mp_transport_enet::{CreateError, EnetMultiplayerPeer, ServerOptions};
use serde_json::json;

#[derive(Clone, Copy, Debug, Parser)]
struct Args {
    direction: Direction,
    /// Maximum coalescing delay of ENet in ms [default: that of the crate]
    #[arg(long)]
    flush_interval: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// Call `tick` on all clients 60 times per second
    Out,
    /// Count the calls of `hit`
    In,
}

/// Counts received calls.
#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    /// Calls with wrong arguments.
    wrong: AtomicU64,
}

struct Game(Arc<Counters>);

impl Node for Game {
    fn rpc_table() -> RpcTable<Self> {
        let hit = RpcConfig::any_peer().unreliable();
        let tick = RpcConfig::authority().unreliable();
        RpcTable::new()
            .method("hit", hit, |game: &mut Self, _, args: (i64, Vector3, String)| game.hit(&args))
            .method("tick", tick, |_: &mut Self, _, _: (i64,)| {})
    }
}

impl Game {
    fn hit(&self, (_, position, tag): &(i64, Vector3, String)) {
        let is_right = position.x == 1.5 && tag == "jump";
        let counter = if is_right { &self.0.calls } else { &self.0.wrong };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { direction, flush_interval } = Args::parse();
    let counters = Arc::new(Counters::default());
    actix::System::new().block_on(async move {
        let counted = Arc::clone(&counters);
        let game = mp_actor::branch(move || game(direction, counted)).serve(move || {
            let mut options = ServerOptions::default().max_clients(4_095);
            if let Some(millis) = flush_interval {
                options = options.flush_interval(Duration::from_millis(millis));
            }
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let server = EnetMultiplayerPeer::create_async_server(address, options)?;
            answer_marks(move || counts(direction, &counters));
            ready(server.local_addr().map_or(0, |address| address.port()));
            Ok::<_, CreateError>(server)
        });
        let game = game.await?;
        Err(game.closed().await.to_string().into())
    })
}

/// Returns the counters for a `mark`. Calls of the server are counted by the load.
fn counts(direction: Direction, counters: &Counters) -> serde_json::Value {
    match direction {
        Direction::Out => json!({}),
        Direction::In => json!({
            "operations": counters.calls.load(Ordering::Relaxed),
            "wrong": counters.wrong.load(Ordering::Relaxed),
        }),
    }
}

fn game(direction: Direction, counters: Arc<Counters>) -> Result<Branch, BuildError> {
    let builder = Branch::builder("/root").server_relay(false).setup(move |scene| {
        scene.add("Game", Game(counters))?;
        Ok(())
    });
    if direction == Direction::In {
        return builder.build();
    }
    let (mut node, mut tick) = (None, 0_i64);
    let call = move |scene: &mut Scene, _| {
        let game = *node.get_or_insert_with(|| scene.node::<Game>("Game").expect("it was added"));
        tick += 1;
        scene.rpc(game, "tick", (tick,)).expect("the server is its authority");
    };
    builder.on_process(call).tick_rate(60).build()
}
