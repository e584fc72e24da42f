//! Programs that exchange messages: raw packets and calls, to one or all peers, in every mode, on
//! several channels, through the relay.

use std::collections::BTreeMap;

use mp_core::{Channel, PeerId, Rng, Target, TransferMode, Variant};
use mp_scene::prelude::{Group, Node, RpcConfig, RpcTable};
use mp_scene::{BranchBuilder, Signal};

use super::{Act, Audience, ProgramMessage, Stream, Workload};
use crate::journal::{FactKind, Recorder, RunId};
use crate::rng_ext::RngExt;

/// Workload that sends messages.
#[derive(Debug)]
pub struct Messaging {
    style: MessagingStyle,
    /// Number of messages by sender and stream.
    sent: BTreeMap<(RunId, Stream), u32>,
    /// Program of each peer id.
    runs_by_id: BTreeMap<PeerId, RunId>,
}

/// Message sizes and bursts of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagingStyle {
    /// Share of actions that send a burst of messages, in thousandths.
    pub bursts_permille: u32,
    /// Share of messages that need several datagrams, in thousandths.
    pub large_permille: u32,
    /// True if clients send to clients.
    pub relays: bool,
}

/// Node whose methods programs call.
struct Desk(Recorder);

impl Messaging {
    pub(crate) fn new(style: MessagingStyle) -> Self {
        Self { style, sent: BTreeMap::new(), runs_by_id: BTreeMap::new() }
    }

    fn choose_target(&self, act: &mut Act<'_>) -> Option<(Target, Option<RunId>)> {
        let mut peers = act.branch.scene().peers();
        if !self.style.relays && !act.recorder.is_server() {
            peers.retain(|peer| peer.is_server());
        } else if act.rng.chance(200) {
            return Some((Target::All, None));
        }
        let &peer = act.rng.pick(&peers)?;
        // An id without a program: corrupted datagrams can claim one.
        let &run = self.runs_by_id.get(&peer)?;
        Some((Target::Peer(peer), Some(run)))
    }

    fn send(&mut self, act: &mut Act<'_>, target: Target, to: Audience, params: &SendParams) {
        let SendParams { mode, channel, is_call, len } = *params;
        let stream = Stream { to, mode, channel };
        let number = self.sent.get(&(act.recorder.run, stream)).map_or(1, |number| number + 1);
        let message = ProgramMessage { from: act.recorder.run, stream, number, len };
        let bytes = message.encode();
        let is_accepted = if is_call {
            let scene = act.branch.scene();
            let node = scene.find(DESKS[number as usize % DESKS.len()]);
            let args = (Variant::from(&bytes[..]),);
            let name = method(mode, channel);
            node.is_ok_and(|node| scene.rpc_id(target, node, &name, args).is_ok())
        } else {
            act.branch.scene().send_bytes(&bytes, target, mode, channel).is_ok()
        };
        if is_accepted {
            self.sent.insert((act.recorder.run, stream), number);
            act.recorder.record(FactKind::Sent(message));
        }
    }
}

/// Parameters of a message.
#[derive(Clone, Copy)]
struct SendParams {
    mode: TransferMode,
    channel: Channel,
    is_call: bool,
    len: u32,
}

impl SendParams {
    fn draw(style: MessagingStyle, rng: &mut Rng) -> Self {
        let mode = match rng.below(10) {
            0..5 => TransferMode::Reliable,
            5..8 => TransferMode::UnreliableOrdered,
            _ => TransferMode::Unreliable,
        };
        let channel = rng.pick(CHANNELS).copied().unwrap_or_default();
        let len = if rng.chance(style.large_permille) {
            rng.between(1_000, 20_000)
        } else {
            rng.between(ProgramMessage::LEN_MIN.into(), 120)
        };
        Self { mode, channel, is_call: rng.chance(500), len: len as u32 }
    }
}

impl Workload for Messaging {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let (recorder, desks) = (recorder.clone(), recorder.clone());
        builder
            .setup(move |scene| {
                scene.add("Main", Group)?;
                for path in DESKS {
                    scene.add(path, Desk(desks.clone()))?;
                }
                Ok(())
            })
            .on_signal(move |_, signal| match signal {
                Signal::PeerPacket { from, data } => recorder.record_received(*from, data),
                Signal::PeerAuth { .. } => {}
                signal => recorder.record(FactKind::Signal(signal.clone())),
            })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        let Some((target, run)) = self.choose_target(act) else { return };
        let mut params = SendParams::draw(self.style, act.rng);
        let is_burst = act.rng.chance(self.style.bursts_permille);
        let count = if is_burst { act.rng.between(20, 150) } else { act.rng.between(1, 3) };
        for _ in 0..count {
            let to = match run {
                Some(run) => Audience::One(run),
                None if params.is_call => Audience::Known,
                None => Audience::EveryPeer,
            };
            self.send(act, target, to, &params);
            if act.rng.chance(300) {
                params.is_call = !params.is_call;
            }
        }
        if !act.recorder.is_server() && act.rng.chance(20) {
            // Calls an authority method without authority: it must not run.
            let scene = act.branch.scene();
            if let Ok(node) = scene.find(DESKS[0]) {
                let _ = scene.rpc_id(Target::All, node, ORDER, ());
            }
        }
    }

    fn program_started(&mut self, id: PeerId, run: RunId) {
        self.runs_by_id.insert(id, run);
    }
}

impl Node for Desk {
    fn rpc_table() -> RpcTable<Self> {
        let ordered = |desk: &mut Self, cx: &mut mp_scene::RpcContext<'_>, (): ()| {
            let by = cx.remote_sender();
            desk.0.record(FactKind::AuthorityMethodCalled { by });
        };
        let mut table = RpcTable::new().method(ORDER, RpcConfig::authority(), ordered);
        for mode in TransferMode::ALL {
            for &channel in CHANNELS {
                let config = RpcConfig { transfer_mode: mode, channel, ..RpcConfig::any_peer() };
                table = table.method(
                    &method(mode, channel),
                    config,
                    |desk: &mut Self, cx, (bytes,): (Vec<u8>,)| {
                        desk.0.record_received(cx.remote_sender(), &bytes);
                    },
                );
            }
        }
        table
    }
}

fn method(mode: TransferMode, channel: Channel) -> String {
    format!("say_{}_{channel}", mode.to_raw())
}

const CHANNELS: &[Channel] = &[Channel(0), Channel(1), Channel(2), Channel(200)];
const DESKS: [&str; 3] = ["Main/Desk", "Main/Other", "Main/Desk/Drawer"];
const ORDER: &str = "order";
