//! Programs that speak with each other: bytes and calls, to one or to all, in every mode, on several channels, through the relay.

use std::collections::BTreeMap;

use mp_core::{Channel, PeerId, Rng, Target, TransferMode, Variant};
use mp_scene::prelude::{Group, Node, RpcConfig, RpcTable};
use mp_scene::{BranchBuilder, Signal};

use super::{Act, Audience, Lane, Message, Workload};
use crate::dice::Dice;
use crate::journal::{Ear, Run, What};

/// See the head of this file.
#[derive(Debug)]
pub struct Chatter {
    style: Style,
    /// How many messages were sent by each program on each lane.
    sent: BTreeMap<(Run, Lane), u32>,
    /// Who speaks under which id.
    names: BTreeMap<PeerId, Run>,
}

/// What a world's programs are fond of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How many acts are bursts of many messages, in thousandths.
    pub bursts_permille: u32,
    /// How many messages are of several datagrams, in thousandths.
    pub large_permille: u32,
    /// Whether clients speak with clients.
    pub relays: bool,
}

/// The node whose methods programs call.
struct Desk(Ear);

impl Chatter {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, sent: BTreeMap::new(), names: BTreeMap::new() }
    }

    fn whom(&self, act: &mut Act<'_>) -> Option<(Target, Option<Run>)> {
        let mut peers = act.branch.scene().peers();
        if !self.style.relays && !act.ear.is_server() {
            peers.retain(|peer| peer.is_server());
        } else if act.rng.chance(200) {
            return Some((Target::All, None));
        }
        let &peer = act.rng.pick(&peers)?;
        // One that claims an id of nobody's: damaged datagrams can do that.
        let &run = self.names.get(&peer)?;
        Some((Target::Peer(peer), Some(run)))
    }

    fn say(&mut self, act: &mut Act<'_>, target: Target, to: Audience, words: &Words) {
        let Words { mode, channel, is_call, len } = *words;
        let lane = Lane { to, mode, channel };
        let number = self.sent.get(&(act.ear.run, lane)).map_or(1, |number| number + 1);
        let message = Message { from: act.ear.run, lane, number, len };
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
            self.sent.insert((act.ear.run, lane), number);
            act.ear.note(What::Says(message));
        }
    }
}

/// How something is said.
#[derive(Clone, Copy)]
struct Words {
    mode: TransferMode,
    channel: Channel,
    is_call: bool,
    len: u32,
}

impl Words {
    fn draw(style: Style, rng: &mut Rng) -> Self {
        let mode = match rng.below(10) {
            0..5 => TransferMode::Reliable,
            5..8 => TransferMode::UnreliableOrdered,
            _ => TransferMode::Unreliable,
        };
        let channel = rng.pick(CHANNELS).copied().unwrap_or_default();
        let len = if rng.chance(style.large_permille) {
            rng.between(1_000, 20_000)
        } else {
            rng.between(Message::LEN_MIN.into(), 120)
        };
        Self { mode, channel, is_call: rng.chance(500), len: len as u32 }
    }
}

impl Workload for Chatter {
    fn equip(&mut self, builder: BranchBuilder, ear: &Ear) -> BranchBuilder {
        let (ear, desks) = (ear.clone(), ear.clone());
        builder
            .setup(move |scene| {
                scene.add("Main", Group)?;
                for path in DESKS {
                    scene.add(path, Desk(desks.clone()))?;
                }
                Ok(())
            })
            .on_signal(move |_, signal| match signal {
                Signal::PeerPacket { from, data } => ear.hears(*from, data),
                Signal::PeerAuth { .. } => {}
                told => ear.note(What::Told(told.clone())),
            })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        let Some((target, run)) = self.whom(act) else { return };
        let mut words = Words::draw(self.style, act.rng);
        let is_burst = act.rng.chance(self.style.bursts_permille);
        let count = if is_burst { act.rng.between(20, 150) } else { act.rng.between(1, 3) };
        for _ in 0..count {
            let to = match run {
                Some(run) => Audience::One(run),
                None if words.is_call => Audience::Known,
                None => Audience::Everybody,
            };
            self.say(act, target, to, &words);
            if act.rng.chance(300) {
                words.is_call = !words.is_call;
            }
        }
        if !act.ear.is_server() && act.rng.chance(20) {
            // Nobody may: it is the server's to give orders.
            let scene = act.branch.scene();
            if let Ok(node) = scene.find(DESKS[0]) {
                let _ = scene.rpc_id(Target::All, node, ORDER, ());
            }
        }
    }

    fn introduce(&mut self, id: PeerId, run: Run) {
        self.names.insert(id, run);
    }
}

impl Node for Desk {
    fn rpc_table() -> RpcTable<Self> {
        let ordered = |desk: &mut Self, cx: &mut mp_scene::RpcContext<'_>, (): ()| {
            let by = cx.remote_sender();
            desk.0.note(What::IsOrdered { by });
        };
        let mut table = RpcTable::new().method(ORDER, RpcConfig::authority(), ordered);
        for mode in TransferMode::EVERY {
            for &channel in CHANNELS {
                let config = RpcConfig { transfer_mode: mode, channel, ..RpcConfig::any_peer() };
                table = table.method(
                    &method(mode, channel),
                    config,
                    |desk: &mut Self, cx, (bytes,): (Vec<u8>,)| {
                        desk.0.hears(cx.remote_sender(), &bytes);
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
