//! A server endpoint that hangs while many packets are sent over it. The branch must serve its
//! other endpoint, and finally abandon this one.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Channel, PeerId, TransferMode};
use mp_scene::BranchBuilder;

use super::{Act, Audience, ProgramMessage, Stream, Workload};
use crate::journal::{FactKind, Recorder, RunId};
use crate::rng_ext::RngExt;

/// Workload that floods a hanging endpoint.
#[derive(Debug, Default)]
pub struct Floods {
    /// Number of messages by server and client.
    sent: BTreeMap<(RunId, RunId), u32>,
    /// Program of each peer id.
    runs_by_id: BTreeMap<PeerId, RunId>,
}

impl Workload for Floods {
    fn configure(&mut self, builder: BranchBuilder, _ear: &Recorder) -> BranchBuilder {
        builder
    }

    fn program_started(&mut self, id: PeerId, run: RunId) {
        self.runs_by_id.insert(id, run);
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.recorder.is_server() || act.branch.queued_packets() > 0 {
            return;
        }
        let peers = act.branch.scene().peers();
        let Some(&peer) = act.rng.pick(&peers) else { return };
        let link = act.branch.scene().multiplayer().connection(peer);
        let (Some((endpoint, _)), Some(&run)) = (link, self.runs_by_id.get(&peer)) else { return };
        let time = act.rng.duration(Duration::from_millis(200), Duration::from_secs(6));
        act.hang = Some((endpoint, time));
        act.recorder.record(FactKind::EndpointHangs(endpoint, time));

        let from = act.recorder.run;
        let stream =
            Stream { to: Audience::One(run), mode: TransferMode::Reliable, channel: CHANNEL };
        let sent = self.sent.entry((from, run)).or_default();
        for _ in 0..act.rng.pick(FLOODS).copied().unwrap_or_default() {
            let message =
                ProgramMessage { from, stream, number: *sent + 1, len: ProgramMessage::LEN_MIN };
            let bytes = message.encode();
            if act.branch.scene().send_bytes(&bytes, peer, stream.mode, stream.channel).is_ok() {
                *sent += 1;
                act.recorder.record(FactKind::Sent(message));
            }
        }
    }
}

/// Channel that no other workload uses.
const CHANNEL: Channel = Channel(4);
/// Messages of a flood: enough to stall the branch, or to exceed its queue for an endpoint.
const FLOODS: &[u32] = &[3_000, FLOOD_MAX];
/// Messages of the largest flood. Mailboxes accept a part of them.
pub const FLOOD_MAX: u32 = 10_000;
