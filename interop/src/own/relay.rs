//! Clients call and send bytes to each other through the server, with every kind of target.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::pattern;
use crate::report::Report;
use crate::tap::TapLog;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let loose = Loose::default();
    let relay = world.add("Relay", Relay::new(world, &loose))?;
    let packets = record_packets(world, &loose);
    let desk = Desk::open(world)?;

    desk.wait_for_all(world, "said")?;
    let received = std::mem::take(&mut world.get(relay).received);
    report.check("calls of `say` in all", received.len(), 4);
    for &id in &desk.ids {
        let sent = of(&received, id);
        let expected = [("all", vec![]), ("not you", vec![])].map(|(tag, data)| (tag.into(), data));
        report.check(&format!("calls of {id} on the server"), sent, expected.into());
    }
    desk.next(world, "said")?;

    desk.wait_for_all(world, "sent")?;
    let received = packets.take();
    report.check("packets in all", received.len(), 4);
    for (index, &id) in (0..).zip(&desk.ids) {
        let sent = of(&received, id);
        report.check(&format!("the bytes of {id}"), sent, vec![vec![1, index], vec![2, index]]);
    }
    world.send_bytes(&[6], Target::All)?;
    world.send_bytes(&[7], Target::AllExcept(desk.ids[0]))?;
    world.send_bytes(&[8], desk.ids[0])?;
    desk.next(world, "sent")?;

    desk.wait_for_all(world, "loose")?;
    report.check("unreliable packets at the server", loose.take(), BTreeSet::new());
    world.check_relay();
    desk.next(world, "loose")?;

    desk.close(world)?;
    report.check("calls after `said`", world.get(relay).received.len(), 0);
    report.check("bytes after `sent`", packets.take(), vec![]);
    report.check("unreliable packets in the end", loose.take(), BTreeSet::new());
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let loose = Loose::default();
    let relay = world.add("Relay", Relay::new(world, &loose))?;
    let packets = record_packets(world, &loose);
    let desk = ClientDesk::enter(world)?;
    let (other, server) = (desk.other(world), PeerId::SERVER);
    let (mine, others) = if world.options.index == 0 { (0u8, 1u8) } else { (1, 0) };

    world.until("the other client", |world| world.peers().contains(&other))?;
    let nothing: Vec<u8> = Vec::new();
    world.rpc_id(other, relay, "say", ("one", vec![1u8, 2, 3]))?;
    let seed = |peer: PeerId| (peer.get() & 255) as usize;
    let me = world.me();
    world.rpc_id(other, relay, "say", ("big", pattern(BIG, seed(me))))?;
    world.rpc(relay, "say", ("all", nothing.clone()))?;
    world.rpc_id(Target::AllExcept(other), relay, "say", ("not you", nothing.clone()))?;
    world.rpc_id(Target::AllExcept(server), relay, "say", ("not server", nothing.clone()))?;
    world.until("calls of the other", |world| world.get(relay).received.len() >= 4)?;
    desk.step(world, "said")?;
    let expected = [
        ("one", vec![1, 2, 3]),
        ("big", pattern(BIG, seed(other))),
        ("all", nothing.clone()),
        ("not server", nothing),
    ];
    let expected = expected.map(|(tag, data)| (other, (tag.to_owned(), data)));
    let received = std::mem::take(&mut world.get(relay).received);
    report.check("calls of the other", received, expected.into());

    send_on_two(world, [1, mine], Target::All)?;
    send_on_two(world, [2, mine], Target::AllExcept(other))?;
    send_on_two(world, [3, mine], Target::AllExcept(server))?;
    send_on_two(world, [4, mine], Target::Peer(other))?;
    world.until("the bytes of the other", |_| packets.borrow().len() >= 3)?;
    desk.step(world, "sent")?;
    let received = packets.take();
    let expected = [1, 3, 4].map(|kind| vec![kind, others]);
    report.check("the bytes of the other", of(&received, other), expected.into());
    let expected = if mine == 0 { [[6], [8]] } else { [[6], [7]] };
    report.check("the bytes of the server", of(&received, server), expected.map(Vec::from).into());
    report.check("packets in all", received.len(), 5);

    let speak = |world: &mut World| {
        world.rpc_id(other, relay, "say_u", ("u",))?;
        world.rpc_id(other, relay, "say_o", ("o",))?;
        for mode in [TransferMode::Unreliable, TransferMode::UnreliableOrdered] {
            world.scene().send_bytes(&[5, mode.to_raw()], other, mode, Channel(3))?;
        }
        Ok(())
    };
    world.repeat_until("the other's unreliable packets", |_| loose.borrow().len() == 4, speak)?;
    desk.done(world, "loose")?;
    // The other client may still wait for packets of this one.
    world.repeat_until("next loose", |world| desk.has_next(world, "loose"), speak)?;
    for (who, what) in loose.borrow().iter() {
        report.check(&format!("sender of {what}"), *who, other);
    }

    desk.close(world)?;
    report.check("calls after `said`", world.get(relay).received.len(), 0);
    report.check("bytes after `sent`", packets.take(), vec![]);
    Ok(())
}

fn send_on_two(world: &mut World, data: [u8; 2], target: Target) -> ScenarioResult {
    Ok(world.scene().send_bytes(&data, target, TransferMode::Reliable, Channel(2))?)
}

/// Size of `big` in bytes.
const BIG: usize = 60_000;

/// Received values with their senders.
type Received<T> = Vec<(PeerId, T)>;

/// Kinds of received unreliable packets with their senders.
type Loose = Rc<RefCell<BTreeSet<(PeerId, String)>>>;

struct Relay {
    report: Report,
    tap: TapLog,
    received: Received<(String, Vec<u8>)>,
    loose: Loose,
}

impl Relay {
    fn new(world: &World, loose: &Loose) -> Self {
        let (report, tap) = (world.report.clone(), world.tap());
        Self { report, tap, received: Vec::new(), loose: Rc::clone(loose) }
    }
}

impl Node for Relay {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let loose = |mode: TransferMode, channel: u8| {
            move |relay: &mut Self, cx: &mut RpcContext<'_>, (tag,): (String,)| {
                let arrival = relay.tap.arrival();
                let expected = relay.tap.as_arriving(mode, channel);
                relay.report.check(&format!("mode and channel of {tag}"), arrival, expected);
                relay.loose.borrow_mut().insert((cx.remote_sender(), tag));
            }
        };
        let (say_o, say_u) = (any_peer.unreliable_ordered(), any_peer.unreliable());
        RpcTable::new()
            .method("say", any_peer, |relay: &mut Self, cx, sent: (String, Vec<u8>)| {
                let arrival = relay.tap.arrival();
                relay.report.check("mode and channel of say", arrival, (TransferMode::Reliable, 0));
                relay.received.push((cx.remote_sender(), sent));
            })
            .method("say_o", say_o.channel(2), loose(TransferMode::UnreliableOrdered, 2))
            .method("say_u", say_u.channel(1), loose(TransferMode::Unreliable, 1))
    }
}

/// Records packets; unreliable ones, which begin with 5 and their mode, go to `loose`.
fn record_packets(world: &mut World, loose: &Loose) -> Rc<RefCell<Received<Vec<u8>>>> {
    let received = Rc::new(RefCell::new(Vec::new()));
    let (sink, loose) = (Rc::clone(&received), Rc::clone(loose));
    let (report, tap) = (world.report.clone(), world.tap());
    world.on_peer_packet(move |_scene, from, data| {
        let arrival = tap.arrival();
        if let &[5, raw_mode] = data {
            let expected = TransferMode::from_raw(raw_mode).map(|mode| tap.as_arriving(mode, 3));
            report.check("mode and channel of unreliable bytes", Some(arrival), expected);
            loose.borrow_mut().insert((from, format!("bytes, mode {raw_mode}")));
            return;
        }
        let channel = if from.is_server() { 0 } else { 2 };
        let expected = tap.as_arriving(TransferMode::Reliable, channel);
        report.check("mode and channel of bytes", arrival, expected);
        sink.borrow_mut().push((from, data.to_vec()));
    });
    received
}

fn of<T: Clone>(received: &Received<T>, peer: PeerId) -> Vec<T> {
    received.iter().filter(|(from, _)| *from == peer).map(|(_, what)| what.clone()).collect()
}
