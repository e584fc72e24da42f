//! Server with many nodes, each with a synchronizer and one Vector3, run by actors.

use std::error::Error;
use std::net::Ipv4Addr;

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_core::variant::Vector3;
use mp_scene::BuildError;
use mp_scene::prelude::*;
use mp_transport_enet::{CreateError, EnetMultiplayerPeer, ServerOptions};
use serde_json::json;

mp_bench_common::count_allocations!();

#[derive(Clone, Copy, Debug, Parser)]
struct Args {
    /// Number of nodes
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Change this many nodes per tick, and send changes only [default: change and send all]
    #[arg(long)]
    changes: Option<usize>,
}

#[derive(Default)]
struct Mover {
    position: Replicated<Vector3>,
}

impl Node for Mover {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("position", |mover: &mut Self| &mut mover.position)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    actix::System::new().block_on(async move {
        let world = mp_actor::branch(move || world(args)).serve(|| {
            let options = ServerOptions::default().max_clients(512);
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let server = EnetMultiplayerPeer::create_async_server(address, options)?;
            answer_marks(|| json!({ "allocations": allocations() }));
            ready(server.local_addr().map_or(0, |address| address.port()));
            Ok::<_, CreateError>(server)
        });
        let world = world.await?;
        Err(world.closed().await.to_string().into())
    })
}

fn world(args: Args) -> Result<Branch, BuildError> {
    let mut movers = Vec::new();
    let (mut tick, mut next) = (0, 0);
    Branch::builder("/root")
        .server_relay(false)
        .setup(move |scene| {
            for number in 0..args.nodes {
                let config = ReplicationConfig::new();
                let config = match args.changes {
                    Some(_) => config.on_change(".:position"),
                    None => config.always(".:position"),
                };
                let position = Vector3 { x: number as f32, y: 0.0, z: 7.0 }.into();
                scene.add(&format!("N{number}"), Mover { position })?;
                let sync = MultiplayerSynchronizer::new(config);
                scene.add(&format!("N{number}/Sync"), sync)?;
            }
            Ok(())
        })
        .on_process(move |scene, _| {
            if movers.is_empty() {
                let all = (0..args.nodes).map(|number| scene.node::<Mover>(&format!("N{number}")));
                movers.extend(all.map(|mover| mover.expect("the node was added")));
            }
            tick += 1;
            for _ in 0..args.changes.unwrap_or(args.nodes) {
                let mover = scene.get_mut(movers[next]).expect("nodes are not removed");
                mover.position.y = tick as f32;
                next = (next + 1) % movers.len();
            }
        })
        .tick_rate(60)
        .build()
}
