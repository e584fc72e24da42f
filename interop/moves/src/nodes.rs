//! The nodes of a room. Their methods and properties are those of the Godot project.

use std::collections::BTreeMap;

use mp_core::PeerId;
use mp_scene::prelude::*;

/// The root of a room's scene.
pub(crate) struct Main {
    pub(crate) room: String,
    /// Number of ticks so far.
    pub(crate) clock: i64,
    /// Number of calls of each player.
    pub(crate) calls: BTreeMap<PeerId, u64>,
}

impl Main {
    fn receive(&mut self, peer: PeerId, room: &str) {
        *self.calls.entry(peer).or_default() += 1;
        if room != self.room && !room.is_empty() {
            println!("misrouted {peer} {} received a call for {room}", self.room);
        }
    }
}

impl Node for Main {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("arrived", RpcConfig::authority(), |_: &mut Self, _, _: (String, i64)| {})
            .method("answer", RpcConfig::authority(), |_: &mut Self, _, _: (i64, i64, i64)| {})
            .method(
                "poke",
                RpcConfig::any_peer(),
                |main: &mut Self, cx, (room, _): (String, i64)| {
                    main.receive(cx.remote_sender(), &room);
                },
            )
            .method(
                "poke_fast",
                RpcConfig::any_peer().unreliable(),
                |main: &mut Self, cx, (room, _): (String, i64)| {
                    main.receive(cx.remote_sender(), &room);
                },
            )
            .method("ask", RpcConfig::any_peer(), |main: &mut Self, cx, (room,): (String,)| {
                let peer = cx.remote_sender();
                main.receive(peer, &room);
                let owned = cx.node::<Owned>(&format!("Main/Owned/{peer}"));
                let owned = owned.ok().and_then(|owned| cx.get(owned).ok());
                let answer = owned.map(|it| (it.beats, it.mood, it.team));
                if let Some(answer) = answer {
                    // Fails if the player has just left.
                    let _ = cx.reply("answer", answer);
                }
            })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("clock", |main: &mut Self| &mut main.clock)
    }
}

/// A node that the room announces.
#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) hp: i64,
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("hp", |unit: &mut Self| &mut unit.hp)
    }
}

/// The announced node of a player, who has authority over its input.
#[derive(Default)]
pub(crate) struct Player {
    input: i64,
    /// Number of calls that followed an input.
    pub(crate) inputs: u64,
}

impl Node for Player {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "act",
            RpcConfig::any_peer().unreliable_ordered(),
            |player: &mut Self, _, _: (i64,)| {
                // The input is of the player's own synchronizer.
                player.inputs += u64::from(player.input > 0);
            },
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("input", |player: &mut Self| &mut player.input)
    }
}

/// A node that no spawner announces: room and player add it, and the player has authority over it.
#[derive(Default)]
pub(crate) struct Owned {
    /// Sent always.
    pub(crate) beats: i64,
    /// Sent on change, and set by the player in each room.
    pub(crate) mood: i64,
    /// Sent on change, and set once by the player.
    pub(crate) team: i64,
}

impl Node for Owned {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("beats", |owned: &mut Self| &mut owned.beats)
            .property("mood", |owned: &mut Self| &mut owned.mood)
            .property("team", |owned: &mut Self| &mut owned.team)
    }
}
