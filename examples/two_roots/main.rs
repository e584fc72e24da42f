//! A game that runs twice in one process: as the server under one root path, and as its client
//! under another.
//!
//!     cargo run -p mp-examples --bin two-roots
//!
//! prints
//!
//!     /root/Server is peer 1, /root/Client is peer 7
//!     /root/Client/Lobby/Door belongs to /root/Client
//!     /root/Server, called by 7: Ann is here
//!     /root/Client, called by 1: you are guest number 1
//!     /root/Server: closed, /root/Client: disconnected: closed by the remote peer

use mp::prelude::*;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Node `Lobby/Door`. Paths on the wire are relative to each root: `/root/Server/Lobby/Door` and
/// `/root/Client/Lobby/Door` are the same node to both peers.
struct Door {
    guests: i64,
    /// Sends lines to the program, which may run on another thread.
    lines: Sender<String>,
}

impl Node for Door {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("knock", RpcConfig::any_peer(), Self::knock).method(
            "let_in",
            RpcConfig::authority(),
            Self::let_in,
        )
    }
}

impl Door {
    /// RPC of a client to the server.
    fn knock(&mut self, cx: &mut RpcContext<'_>, (name,): (String,)) {
        self.guests += 1;
        self.send_line(cx, &format!("{name} is here"));
        // Fails if the guest has just left.
        cx.reply("let_in", (self.guests,)).ok();
    }

    /// RPC of the server to a client.
    fn let_in(&mut self, cx: &mut RpcContext<'_>, (number,): (i64,)) {
        self.send_line(cx, &format!("you are guest number {number}"));
    }

    fn send_line(&self, cx: &RpcContext<'_>, what: &str) {
        let (root, from) = (cx.tree().root_path(), cx.remote_sender());
        // Fails if the program is exiting.
        self.lines.try_send(format!("{root}, called by {from}: {what}")).ok();
    }
}

/// Builds the branch of either side.
fn game(root: &str, lines: Sender<String>) -> Result<Branch, BuildError> {
    Branch::builder(root)
        .setup(|scene| {
            scene.add("Lobby", Group)?;
            scene.add("Lobby/Door", Door { guests: 0, lines })
        })
        .build()
}

#[mp::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = SceneTree::new();
    let (lines, mut received_lines) = channel(16);
    let (at_server, at_client) = mp::core::memory::pair(PeerId::new(7).ok_or("7 is a valid id")?);

    let server_lines = lines.clone();
    let server = mp::actor::branch(move || game("/root/Server", server_lines))
        .in_tree(&tree)
        .serve(move || Ok::<_, StartError>(at_server))
        .await?;
    let client = mp::actor::branch(move || game("/root/Client", lines))
        .in_tree(&tree)
        .connect(move || Ok::<_, StartError>(at_client))
        .await?;
    let (one, seven) = (id(&server).await?, id(&client).await?);
    println!("{} is peer {one}, {} is peer {seven}", server.root_path(), client.root_path());

    let path = "/root/Client/Lobby/Door";
    let owner = tree.multiplayer(path).ok_or("no branch of this path")?;
    println!("{path} belongs to {}", owner.root_path());

    let knock = |scene: &mut Scene| {
        let door = scene.find("Lobby/Door").map_err(|error| error.to_string())?;
        let called = scene.rpc_id(PeerId::SERVER, door, "knock", ("Ann",));
        called.map_err(|error| error.to_string())
    };
    owner.with(knock).await??;
    println!("{}", next(&mut received_lines).await?);
    println!("{}", next(&mut received_lines).await?);

    let (server_ended, client_ended) = (server.close().await, client.closed().await);
    println!("/root/Server: {server_ended}, /root/Client: {client_ended}");
    Ok(())
}

async fn id(branch: &BranchRef) -> Result<PeerId, mp::actor::CallError> {
    branch.with(|scene| scene.unique_id()).await
}

async fn next(received_lines: &mut Receiver<String>) -> Result<String, &'static str> {
    received_lines.recv().await.ok_or("both branches have ended")
}
