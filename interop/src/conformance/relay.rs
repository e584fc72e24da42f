//! Clients call each other through the server.

use mp_core::Target;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl, LONG};
use crate::report::Report;
use crate::tap::TapLog;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let talk = world.add("Talk", Talk::new(world))?;
    let ctl = Ctl::open(world)?;
    world.until_within(LONG, "note talked", |world| ctl.has_notes(world, "talked", &ctl.ids))?;
    check_received(world, talk, &ctl.ids);
    world.check_relay();
    ctl.go(world, "done")?;

    let ids = ctl.ids.clone();
    ctl.close(world)?;
    check_received(world, talk, &ids);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let talk = world.add("Talk", Talk::new(world))?;
    let ctl = ClientCtl::enter(world)?;
    let others = ctl.others(world);
    ctl.settle(world)?;
    for &other in &others {
        world.rpc_id(other, talk, "say", ("small", vec![1u8, 2, 3]))?;
        world.rpc_id(other, talk, "say3", ("medium", vec![7u8; MEDIUM]))?;
        for n in 0..COUNT as i64 {
            world.rpc_id(other, talk, "seq", (n,))?;
        }
    }
    world.rpc_id(Target::AllExcept(PeerId::SERVER), talk, "say", ("all but server", vec![7u8]))?;
    world.rpc(talk, "say", ("everybody", vec![8u8]))?;

    let whisper = |world: &mut World| {
        others.iter().try_for_each(|&other| {
            world.rpc_id(other, talk, "whisper", ("w", vec![1u8, 2]))?;
            world.rpc_id(other, talk, "mumble", ("m", vec![1u8, 2]))
        })
    };
    let has_all = |world: &mut World| {
        let talk = world.get(talk);
        others.iter().all(|&other| talk.of(other).len() == sent().len())
    };
    world.repeat_until("all calls of the others", has_all, whisper)?;
    ctl.note(world, "talked")?;
    // The others may still wait for calls of this client.
    world.repeat_until("go done", |world| ctl.has_go(world, "done"), whisper)?;

    ctl.close(world)?;
    for &other in &others {
        let received = world.get(talk).of(other);
        report.check(&format!("calls of {other}"), received, sent());
    }
    let from_unknown_peers =
        world.get(talk).received.iter().filter(|received| !others.contains(&received.0)).count();
    report.check("calls of unknown peers", from_unknown_peers, 0);
    Ok(())
}

/// Returns the calls that a client receives from another one: reliable ones in order of their
/// channels, each unreliable one once.
fn sent() -> Vec<SentCall> {
    let seq = (0..COUNT).map(|n| ("seq", n.to_string(), 0));
    let channel_3 = ("say3", "medium".to_owned(), MEDIUM);
    let last = [("all but server", 1), ("everybody", 1)];
    let last = last.map(|(label, size)| ("say", label.to_owned(), size));
    let unreliable = [("mumble", "m"), ("whisper", "w")];
    let unreliable = unreliable.map(|(method, label)| (method, label.to_owned(), 2));
    let mut sent = vec![("say", "small".to_owned(), 3)];
    sent.extend(seq.chain(last).chain([channel_3]).chain(unreliable));
    sent
}

/// Number of `seq` calls.
const COUNT: usize = 200;
/// Size of the payload of `say3` in bytes.
const MEDIUM: usize = 50_000;

fn check_received(world: &mut World, talk: NodeRef<Talk>, ids: &[PeerId]) {
    let report = world.report.clone();
    let mut received = world.get(talk).received.clone();
    received.sort();
    let mut expected: Vec<_> = ids.iter().map(|&id| (id, "say", "everybody".into(), 1)).collect();
    expected.sort();
    report.check("calls executed by the server", received, expected);
}

/// Method, label and size of the payload.
type SentCall = (&'static str, String, usize);

/// Sender, method, label and size of the payload.
type Received = (PeerId, &'static str, String, usize);

#[derive(Default)]
pub(super) struct Talk {
    report: Report,
    tap: TapLog,
    received: Vec<Received>,
}

impl Talk {
    fn new(world: &World) -> Self {
        Self { report: world.report.clone(), tap: world.tap(), received: Vec::new() }
    }

    /// Returns the calls of one peer: channel 0 in order, then channel 3, then the unreliable ones
    /// without duplicates.
    fn of(&self, peer: PeerId) -> Vec<SentCall> {
        let of_peer = self.received.iter().filter(|(sender, ..)| *sender == peer);
        let of_peer = of_peer.map(|(_, method, label, size)| (*method, label.clone(), *size));
        let (mut sent, others): (Vec<_>, Vec<_>) =
            of_peer.partition(|(method, ..)| ["say", "seq"].contains(method));
        let (say3, mut unreliable): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(method, ..)| *method == "say3");
        unreliable.sort();
        unreliable.dedup();
        sent.extend(say3.into_iter().chain(unreliable));
        sent
    }

    fn record(&mut self, cx: &RpcContext<'_>, received: SentCall, arrival: (TransferMode, u8)) {
        let (method, label, size) = received;
        let expected = self.tap.as_arriving(arrival.0, arrival.1);
        self.report.check(&format!("mode and channel of {method}"), self.tap.arrival(), expected);
        self.received.push((cx.remote_sender(), method, label, size));
    }
}

impl Node for Talk {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let record = |method: &'static str, mode: TransferMode, channel: u8| {
            move |talk: &mut Self, cx: &mut RpcContext<'_>, sent: (String, Vec<u8>)| {
                let (label, payload) = sent;
                talk.record(cx, (method, label, payload.len()), (mode, channel));
            }
        };
        let (mumble, whisper) = (any_peer.unreliable_ordered(), any_peer.unreliable());
        let reliable = TransferMode::Reliable;
        RpcTable::new()
            .method("mumble", mumble, record("mumble", TransferMode::UnreliableOrdered, 0))
            .method("say", any_peer, record("say", reliable, 0))
            .method("say3", any_peer.channel(3), record("say3", reliable, 3))
            .method("seq", any_peer, move |talk: &mut Self, cx, (n,): (usize,)| {
                talk.record(cx, ("seq", n.to_string(), 0), (reliable, 0));
            })
            .method("whisper", whisper.channel(1), record("whisper", TransferMode::Unreliable, 1))
    }
}
