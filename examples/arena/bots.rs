//! Bots: players without Godot that collect coins. Each is a client with its own branch; one thread
//! runs all of them.
//!
//!     cargo run -p mp-examples --bin arena -- bots --count 20 --seconds 3
//!
//! With a server on the same machine it prints
//!
//! ```text
//!     20 bots connect to 127.0.0.1:7780
//!     all bots have entered
//!     20 bots leave with … coins
//! ```
//!
//! and exits with 0; with 2 if the server is not running or refuses a bot.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use mp::core::host::SystemClock;
use mp::core::{CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer};
use mp::enet::ClientOptions;
use mp::prelude::*;

use crate::arena::{PLAYERS, TICK_RATE, add_nodes, coins};
use crate::player::{Input, Player};

#[derive(Args)]
pub(crate) struct BotArgs {
    /// Address of the server
    #[arg(default_value = "127.0.0.1:7780")]
    address: SocketAddr,
    /// Number of bots
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,
    /// Time in seconds after which the bots leave; without it they stay until Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
}

/// Node `Main/Arena` of a bot.
#[derive(Node)]
#[node(process = Bot::process)]
struct Bot {
    number: u16,
    /// The server's answer to `enter`.
    answer: Option<Result<String, String>>,
}

#[rpc_methods(gd = "arena/godot/arena.gd")]
impl Bot {
    /// Asks the server for a player.
    #[rpc(any_peer)]
    fn enter(name: String);

    /// A method of the server that bots do not call. Both sides have the same methods.
    #[rpc(any_peer, unreliable)]
    fn ping(sent: i64);

    #[rpc]
    fn welcome(&mut self, _cx: &mut RpcContext<'_>, text: String) {
        self.answer = Some(Ok(text));
    }

    #[rpc]
    fn refuse(&mut self, _cx: &mut RpcContext<'_>, why: String) {
        self.answer = Some(Err(why));
    }

    #[rpc(unreliable)]
    fn pong(&mut self, _cx: &mut RpcContext<'_>, _sent: i64) {}
}

impl Bot {
    /// Walks to a coin. Bots with different numbers choose different coins.
    fn process(&mut self, cx: &mut NodeContext<'_>, _delta: Duration) {
        let Some(player) = own_player(cx) else { return };
        let coins = coins(cx);
        let coin = coins.get(usize::from(self.number) % coins.len().max(1));
        let goal = coin.and_then(|&coin| cx.get(coin).ok()).map(|coin| coin.position);
        let Ok(place) = cx.get(player).map(|player| player.position) else { return };
        let direction = goal.map_or(Vector2::ZERO, |goal| place.direction_to(goal));
        let input = cx.child::<Input>(player, "Input");
        if let Ok(input) = input.and_then(|input| cx.get_mut(input)) {
            input.direction = direction;
        }
    }
}

/// Returns the own player of a client; `None` before the server has spawned it.
fn own_player(scene: &Scene) -> Option<NodeRef<Player>> {
    scene.node(&format!("{PLAYERS}/{}", scene.unique_id())).ok()
}

/// Returns the server's last answer to a bot.
pub(crate) fn answer(scene: &Scene) -> Option<Result<String, String>> {
    let bot = scene.node::<Bot>("Main/Arena").and_then(|bot| scene.get(bot));
    bot.ok()?.answer.clone()
}

/// Builds the branch of bot `number`, which enters the arena when it is connected.
pub(crate) fn branch(number: u16) -> BranchBuilder {
    Branch::builder("/root")
        .setup(move |scene| Ok(add_nodes(scene, Bot { number, answer: None })?))
        .on_signal(move |scene, signal| {
            if *signal == Signal::ConnectedToServer
                && let Ok(bot) = scene.node::<Bot>("Main/Arena")
            {
                // Fails if the server has just left.
                bot.rpcs().enter(format!("Bot {number}")).call_id(scene, PeerId::SERVER).ok();
            }
        })
        .tick_rate(TICK_RATE)
}

/// A connected bot.
struct Client {
    branch: Branch,
    peer: EnetMultiplayerPeer,
}

impl Client {
    fn poll(&mut self, now: Instant) -> Result<(), String> {
        self.branch.poll(&mut self.peer, now);
        while let Some(signal) = self.branch.next_signal() {
            match signal {
                Signal::ConnectionFailed => return Err("no server answers".to_owned()),
                Signal::ServerDisconnected => return Err("the server has left".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns whether the server has admitted the bot.
    fn has_entered(&mut self) -> Result<bool, String> {
        match answer(self.branch.scene()) {
            Some(Err(why)) => Err(format!("a bot is refused: {why}")),
            Some(Ok(_)) => Ok(true),
            None => Ok(false),
        }
    }

    /// Returns the number of coins that the bot has collected.
    fn score(&mut self) -> i64 {
        let scene = self.branch.scene();
        let player = own_player(scene).and_then(|player| scene.get(player).ok());
        player.map_or(0, |player| *player.score)
    }
}

/// Connects the bots, and runs them until Ctrl-C or the end of their time.
pub(crate) async fn run(args: &BotArgs) -> Result<(), Box<dyn Error>> {
    println!("{} bots connect to {}", args.count, args.address);
    let mut clients = Vec::new();
    for number in 1..=args.count {
        let peer = EnetMultiplayerPeer::create_client(args.address, ClientOptions::default())?;
        clients.push(Client { branch: branch(number).build()?, peer });
    }
    let clock = SystemClock::new();
    tokio::select! {
        done = walk(&mut clients, &clock) => done?,
        _ = tokio::signal::ctrl_c() => {}
        () = end(args.seconds) => {}
    }
    for client in &mut clients {
        if !client.has_entered()? {
            return Err(format!("no answer from {}; is the server running?", args.address).into());
        }
    }
    let coins: i64 = clients.iter_mut().map(Client::score).sum();
    println!("{} bots leave with {coins} coins", clients.len());
    leave(clients, &clock).await;
    Ok(())
}

/// Runs the bots until a connection ends.
async fn walk(clients: &mut [Client], clock: &SystemClock) -> Result<(), String> {
    let mut are_inside = false;
    loop {
        for client in &mut *clients {
            client.poll(clock.now())?;
        }
        if !are_inside {
            let entered: Result<Vec<_>, _> = clients.iter_mut().map(Client::has_entered).collect();
            are_inside = entered?.into_iter().all(|it| it);
            if are_inside {
                println!("all bots have entered");
            }
        }
        tokio::time::sleep(FRAME).await;
    }
}

/// Disconnects the bots. What they have sent is delivered, within a time limit.
async fn leave(mut clients: Vec<Client>, clock: &SystemClock) {
    for client in &mut clients {
        client.branch.close(DisconnectReason::Closed, CloseMode::Drain);
    }
    let limit = clock.now() + LEAVE_TIMEOUT;
    while clock.now() < limit && !clients.is_empty() {
        clients.retain_mut(|client| {
            client.branch.poll(&mut client.peer, clock.now());
            client.peer.connection_status() != ConnectionStatus::Disconnected
        });
        tokio::time::sleep(FRAME).await;
    }
}

/// Waits for `seconds`; forever without them.
async fn end(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

const FRAME: Duration = Duration::from_millis(10);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
