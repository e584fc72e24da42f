//! Godot clients that receive replicated nodes, and only send what the protocol requires.

mod watcher;

use std::error::Error;

use clap::Parser;
use mp_bench_common::print_line;
use serde_json::{Value, json};

use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Command, Commands};
use crate::udp::client_set::{AT_ONCE, ClientSet};
use watcher::{ProtocolError, Watcher};

/// Options of clients that receive replicated nodes.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// UDP port of the server on this machine
    #[arg(long)]
    port: u16,
    /// Number of clients
    #[arg(long)]
    clients: u16,
    /// Number of nodes of the server, each with one Vector3
    #[arg(long)]
    nodes: usize,
}

/// Connects all clients, and runs until the runner stops it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let orders = Commands::listen();
    let mut audience = Audience::new(args)?;
    let mut progress = (0, clock.nanos());
    loop {
        audience.turn(clock)?;
        let known_peers = audience.watchers.iter().map(Watcher::nodes).sum::<usize>();
        if known_peers == args.nodes * usize::from(args.clients) {
            break;
        }
        if known_peers > progress.0 {
            progress = (known_peers, clock.nanos());
        }
        if clock.nanos() > progress.1 + TIMEOUT {
            return Err(format!("only {known_peers} nodes were announced").into());
        }
    }
    print_line("ready");

    let mut drained = None;
    loop {
        audience.turn(clock)?;
        match orders.next() {
            Some(Command::Start) | None => {}
            Some(Command::Mark) => print_line(&audience.mark().to_string()),
            Some(Command::Stop) => drained = Some(clock.nanos() + DRAIN),
        }
        if drained.is_some_and(|until| clock.nanos() >= until) {
            print_line(&audience.report().to_string());
            return Ok(());
        }
    }
}

struct Audience {
    clients: ClientSet,
    watchers: Vec<Watcher>,
    wrong: u64,
}

impl Audience {
    fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let clients = ClientSet::of_godot(args.port, args.clients, MILLISECOND)?;
        let watchers = clients.iter().map(|_| Watcher::new(args.nodes)).collect();
        Ok(Self { clients, watchers, wrong: 0 })
    }

    fn turn(&mut self, clock: Clock) -> Result<(), Box<dyn Error>> {
        // One at a time: each receives announcements of all nodes.
        self.clients.connect_next(1, clock.nanos())?;
        for at in 0..self.clients.wait(&AT_ONCE)? {
            let index = self.clients.ready(at);
            let (client, watcher) = (self.clients.get(index), &mut self.watchers[index]);
            client.receive(clock.nanos(), 1)?;
            while let Some(packet) = client.next_packet() {
                match watcher.take(&packet) {
                    Ok(None) => {}
                    Ok(Some(answer)) => client.send(answer, true),
                    Err(ProtocolError(why)) => {
                        if self.wrong == 0 {
                            eprintln!("client {index}: {why}: {packet:02x?}");
                        }
                        self.wrong += 1;
                    }
                }
            }
            client.flush(clock.nanos())?;
        }
        self.clients.run_timers(clock.nanos())
    }

    fn mark(&mut self) -> Value {
        self.watchers.iter_mut().for_each(Watcher::mark);
        let sum = |of: fn(&Watcher) -> u64| self.watchers.iter().map(of).sum::<u64>();
        json!({
            "operations": sum(Watcher::due),
            "received": sum(|watcher| watcher.updates),
            "bytes": sum(|watcher| watcher.bytes),
            "ticks": self.watchers[0].ticks(),
        })
    }

    fn report(&self) -> Value {
        let expected = self.watchers.iter().map(Watcher::expected).sum::<u64>();
        let delivered = self.watchers.iter().map(|watcher| watcher.delivered).sum::<u64>();
        json!({
            "expected": expected,
            "delivered": delivered,
            "duplicated": 0,
            "wrong": self.wrong,
        })
    }
}

const DRAIN: u64 = SECOND / 2;
const TIMEOUT: u64 = 20 * SECOND;
