//! One game, twice in one process: as the server under one root path and as its client under another.
//!
//!     cargo run -p mp-examples --bin two-roots
//!
//! prints
//!
//!     /root/Server is peer 1, /root/Client is peer 7
//!     /root/Client/Lobby/Door belongs to /root/Client
//!     /root/Server hears from 7: Ann is here
//!     /root/Client hears from 1: you are guest number 1
//!     /root/Server: closed, /root/Client: disconnected: closed by the remote peer

use mp_actor::prelude::*;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The node `Lobby/Door`. Paths on the wire are relative to each root: `/root/Server/Lobby/Door` and
/// `/root/Client/Lobby/Door` are the same node to the two that talk.
struct Door {
    guests: i64,
    /// What it hears goes to the program, which may be on another thread.
    heard: Sender<String>,
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
    /// A client calls this at the server.
    fn knock(&mut self, cx: &mut RpcContext<'_>, (name,): (String,)) {
        self.guests += 1;
        self.hear(cx, &format!("{name} is here"));
        let (guest, door) = (cx.remote_sender(), cx.node());
        // A guest that has left meanwhile needs no answer.
        cx.rpc_id(guest, door, "let_in", (self.guests,)).ok();
    }

    /// The server calls this at a client.
    fn let_in(&mut self, cx: &mut RpcContext<'_>, (number,): (i64,)) {
        self.hear(cx, &format!("you are guest number {number}"));
    }

    fn hear(&self, cx: &RpcContext<'_>, what: &str) {
        let (root, from) = (cx.tree().root_path(), cx.remote_sender());
        // Nobody listens any more once the program ends.
        self.heard.try_send(format!("{root} hears from {from}: {what}")).ok();
    }
}

/// The same for both.
fn game(root: &str, heard: Sender<String>) -> Result<Branch, TreeError> {
    Branch::builder(root)
        .setup(|scene| {
            scene.add("Lobby", Group)?;
            scene.add("Lobby/Door", Door { guests: 0, heard }).map(drop)
        })
        .build()
}

#[actix_rt::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = SceneTree::new();
    let (heard, mut hears) = channel(16);
    let (at_server, at_client) = mp_core::memory::pair(PeerId::new(7).ok_or("7 is an id")?);

    let told = heard.clone();
    let server = mp_actor::branch(move || game("/root/Server", told))
        .in_tree(&tree)
        .serve(move || Ok::<_, StartError>(at_server))
        .await?;
    let client = mp_actor::branch(move || game("/root/Client", heard))
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
    println!("{}", next(&mut hears).await?);
    println!("{}", next(&mut hears).await?);

    let (server_ended, client_ended) = (server.close().await, client.closed().await);
    println!("/root/Server: {server_ended}, /root/Client: {client_ended}");
    Ok(())
}

async fn id(branch: &BranchRef) -> Result<PeerId, mp_actor::CallError> {
    branch.with(|scene| scene.unique_id()).await
}

async fn next(hears: &mut Receiver<String>) -> Result<String, &'static str> {
    hears.recv().await.ok_or("both branches have ended")
}
