//! A server that asks its clients for more than waits anywhere, and then is busy while it comes: its endpoint has to hold its links.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::limits::{BATCH_BYTES_MAX, PENDING_BATCHES_MAX};
use mp_core::{Channel, PeerId, Target, TransferMode};
use mp_scene::BranchBuilder;
use mp_scene::prelude::{Node, RpcConfig, RpcContext, RpcTable};

use super::{Act, Audience, Lane, Message, Workload};
use crate::dice::Dice;
use crate::journal::{Ear, Run, What};

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Loads;

/// The node by which a client is asked.
struct Store {
    ear: Ear,
    /// How many messages each server was sent.
    sent: BTreeMap<Run, u32>,
}

impl Store {
    fn fetch(&mut self, cx: &mut RpcContext<'_>, (server, count): (u32, u32)) {
        let to = Audience::One(Run(server));
        let lane = Lane { to, mode: TransferMode::Reliable, channel: CHANNEL };
        let sent = self.sent.entry(Run(server)).or_default();
        for _ in 0..count {
            let (from, number) = (self.ear.run, *sent + 1);
            let message = Message { from, lane, number, len: BATCH_BYTES_MAX as u32 };
            let server = Target::Peer(PeerId::SERVER);
            if cx.send_bytes(&message.encode(), server, lane.mode, lane.channel).is_ok() {
                *sent = number;
                self.ear.note(What::Says(message));
            }
        }
    }
}

impl Workload for Loads {
    fn equip(&mut self, builder: BranchBuilder, ear: &Ear) -> BranchBuilder {
        let ear = ear.clone();
        builder.setup(move |scene| {
            scene.add(STORE, Store { ear: ear.clone(), sent: BTreeMap::new() }).map(drop)
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.ear.is_server() || !act.rng.chance(ASKS_PERMILLE) {
            return;
        }
        let scene = act.branch.scene();
        let peers = scene.peers().len() as u32;
        let Ok(store) = scene.find(STORE) else { return };
        if peers > 0 && scene.rpc(store, FETCH, (act.ear.run.0, BATCHES.div_ceil(peers))).is_ok() {
            act.busy = act.rng.duration(Duration::from_secs(1), Duration::from_secs(4));
            act.ear.note(What::IsBusy(act.busy));
        }
    }
}

impl Node for Store {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(FETCH, RpcConfig::authority(), Self::fetch)
    }
}

const STORE: &str = "Store";
const FETCH: &str = "fetch";
/// Nothing else is said on it.
const CHANNEL: Channel = Channel(3);
/// How many acts of a server ask for loads, in thousandths.
const ASKS_PERMILLE: u32 = 400;
/// Messages that are asked for, each of which fills a batch. Not all of them come in time.
const BATCHES: u32 = PENDING_BATCHES_MAX as u32 * 3 / 2;
