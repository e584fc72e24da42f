//! A server one of whose endpoints hangs while much is sent over it: its branch has to go on, and
//! in the end to abandon the endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Channel, PeerId, TransferMode};
use mp_scene::BranchBuilder;

use super::{Act, Audience, Lane, Message, Workload};
use crate::dice::Dice;
use crate::journal::{Ear, Run, What};

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Floods {
    /// Number of messages sent by each server to each client.
    sent: BTreeMap<(Run, Run), u32>,
    /// The program behind each id.
    names: BTreeMap<PeerId, Run>,
}

impl Workload for Floods {
    fn equip(&mut self, builder: BranchBuilder, _ear: &Ear) -> BranchBuilder {
        builder
    }

    fn introduce(&mut self, id: PeerId, run: Run) {
        self.names.insert(id, run);
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.ear.is_server() || act.branch.queued_packets() > 0 {
            return;
        }
        let peers = act.branch.scene().peers();
        let Some(&peer) = act.rng.pick(&peers) else { return };
        let link = act.branch.scene().multiplayer().link(peer);
        let (Some((endpoint, _)), Some(&run)) = (link, self.names.get(&peer)) else { return };
        let time = act.rng.duration(Duration::from_millis(200), Duration::from_secs(6));
        act.hangs = Some((endpoint, time));
        act.ear.note(What::Hangs(endpoint, time));

        let from = act.ear.run;
        let lane = Lane { to: Audience::One(run), mode: TransferMode::Reliable, channel: CHANNEL };
        let sent = self.sent.entry((from, run)).or_default();
        for _ in 0..act.rng.pick(FLOODS).copied().unwrap_or_default() {
            let message = Message { from, lane, number: *sent + 1, len: Message::LEN_MIN };
            let bytes = message.encode();
            if act.branch.scene().send_bytes(&bytes, peer, lane.mode, lane.channel).is_ok() {
                *sent += 1;
                act.ear.note(What::Says(message));
            }
        }
    }
}

/// Nothing else is said on it.
const CHANNEL: Channel = Channel(4);
/// Messages of a flood: more than makes a branch wait, and more than a branch keeps for an endpoint
/// that accepts nothing.
const FLOODS: &[u32] = &[3_000, FLOOD_MAX];
/// See `FLOODS`. Mailboxes take a part of it.
pub const FLOOD_MAX: u32 = 10_000;
