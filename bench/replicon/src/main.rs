//! bevy_replicon's server in memory: messages to clients are counted and dropped. Without transport
//! and acknowledgements, it does less work than in a game.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy_replicon::prelude::*;
use clap::Parser;
use mp_bench_common::MemoryCounters;
use serde::{Deserialize, Serialize};

#[derive(Parser)]
struct Args {
    /// Number of entities, each with one Vec3 that changes in every tick
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Number of clients
    #[arg(long)]
    clients: usize,
}

#[derive(Component, Serialize, Deserialize)]
struct Position(Vec3);

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut app = App::new();
    let server = ServerPlugin {
        mutations_timeout: Duration::from_secs(1),
        ..ServerPlugin::new(PostUpdate) // one tick per update
    };
    let shared = RepliconSharedPlugin { auth_method: AuthMethod::None };
    app.add_plugins((MinimalPlugins, StatesPlugin, RepliconPlugins.set(server).set(shared)))
        .replicate::<Position>()
        .add_systems(Update, change)
        .finish();
    app.world_mut().resource_mut::<NextState<ServerState>>().set(ServerState::Running);
    app.update();
    for _ in 0..args.clients {
        app.world_mut().spawn(ConnectedClient { max_size: 1_200 });
    }
    for number in 0..args.nodes {
        app.world_mut().spawn((Replicated, Position(Vec3::new(number as f32, 0.0, 7.0))));
    }

    let counters = MemoryCounters::start();
    let mut due = Instant::now();
    loop {
        app.update();
        let mut messages = app.world_mut().resource_mut::<ServerMessages>();
        let bytes: usize = messages.drain_sent().map(|(_, _, message)| message.len()).sum();
        if bytes > 0 {
            counters.add(args.nodes * args.clients, bytes);
        }
        counters.add_tick();
        due += TICK;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn change(mut positions: Query<'_, '_, &mut Position>) {
    for mut position in &mut positions {
        position.0.y += 1.0;
    }
}

const TICK: Duration = Duration::from_nanos(1_000_000_000 / 60);
