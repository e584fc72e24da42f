//! A server that requests more data than queues can store, and then is busy while it is received:
//! its endpoint must pause receiving.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::limits::{BATCH_BYTES_MAX, PENDING_BATCHES_MAX};
use mp_core::{Channel, PeerId, Target, TransferMode};
use mp_scene::BranchBuilder;
use mp_scene::prelude::{Node, RpcConfig, RpcContext, RpcTable};

use super::{Act, Audience, ProgramMessage, Stream, Workload};
use crate::journal::{FactKind, Recorder, RunId};
use crate::rng_ext::RngExt;

/// Workload with large requests.
#[derive(Debug, Default)]
pub struct Loads;

/// Node that receives the requests.
struct Store {
    recorder: Recorder,
    /// Number of messages by server.
    sent: BTreeMap<RunId, u32>,
}

impl Store {
    fn fetch(&mut self, cx: &mut RpcContext<'_>, (server, count): (u32, u32)) {
        let to = Audience::One(RunId(server));
        let stream = Stream { to, mode: TransferMode::Reliable, channel: CHANNEL };
        let sent = self.sent.entry(RunId(server)).or_default();
        for _ in 0..count {
            let (from, number) = (self.recorder.run, *sent + 1);
            let message = ProgramMessage { from, stream, number, len: BATCH_BYTES_MAX as u32 };
            let server = Target::Peer(PeerId::SERVER);
            if cx.send_bytes(&message.encode(), server, stream.mode, stream.channel).is_ok() {
                *sent = number;
                self.recorder.record(FactKind::Sent(message));
            }
        }
    }
}

impl Workload for Loads {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let recorder = recorder.clone();
        builder.setup(move |scene| {
            scene.add(STORE, Store { recorder: recorder.clone(), sent: BTreeMap::new() })
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.recorder.is_server() || !act.rng.chance(ASKS_PERMILLE) {
            return;
        }
        let scene = act.branch.scene();
        let peers = scene.peers().len() as u32;
        let Ok(store) = scene.find(STORE) else { return };
        if peers > 0
            && scene.rpc(store, FETCH, (act.recorder.run.0, BATCHES.div_ceil(peers))).is_ok()
        {
            act.busy = act.rng.duration(Duration::from_secs(1), Duration::from_secs(4));
            act.recorder.record(FactKind::Busy(act.busy));
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
/// Channel that no other workload uses.
const CHANNEL: Channel = Channel(3);
/// Share of server actions that send a request, in thousandths.
const ASKS_PERMILLE: u32 = 400;
/// Messages requested; each fills a batch. Not all are received in time.
const BATCHES: u32 = PENDING_BATCHES_MAX as u32 * 3 / 2;
