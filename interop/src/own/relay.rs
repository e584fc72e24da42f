//! Clients talk to each other through the server, in all the ways to address somebody.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::pattern;
use crate::report::Report;
use crate::tap::TapLog;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let loose = Loose::default();
    let relay = world.add("Relay", Relay::new(world, &loose))?;
    let packets = hear_packets(world, &loose);
    let desk = Desk::open(world)?;

    desk.everyone(world, "said")?;
    let heard = std::mem::take(&mut world.get(relay).heard);
    report.check("calls of `say` in all", heard.len(), 4);
    for &id in &desk.ids {
        let said = of(&heard, id);
        let expected = [("all", vec![]), ("not you", vec![])].map(|(tag, data)| (tag.into(), data));
        report.check(&format!("what {id} has said to the server"), said, expected.into());
    }
    desk.next(world, "said")?;

    desk.everyone(world, "sent")?;
    let heard = packets.take();
    report.check("packets in all", heard.len(), 4);
    for (index, &id) in (0..).zip(&desk.ids) {
        let sent = of(&heard, id);
        report.check(&format!("the bytes of {id}"), sent, vec![vec![1, index], vec![2, index]]);
    }
    world.send_bytes(&[6], Target::All)?;
    world.send_bytes(&[7], Target::AllExcept(desk.ids[0]))?;
    world.send_bytes(&[8], desk.ids[0])?;
    desk.next(world, "sent")?;

    desk.everyone(world, "loose")?;
    report.check("unreliable ones at the server", loose.take(), BTreeSet::new());
    world.check_relay();
    desk.next(world, "loose")?;

    desk.close(world)?;
    report.check("calls after `said`", world.get(relay).heard.len(), 0);
    report.check("bytes after `sent`", packets.take(), vec![]);
    report.check("unreliable ones in the end", loose.take(), BTreeSet::new());
    Ok(())
}

pub(super) fn play(world: &mut World) -> Played {
    let report = world.report.clone();
    let loose = Loose::default();
    let relay = world.add("Relay", Relay::new(world, &loose))?;
    let packets = hear_packets(world, &loose);
    let desk = ClientDesk::enter(world)?;
    let (other, server) = (desk.other(world), PeerId::SERVER);
    let (mine, others) = if world.options.index == 0 { (0u8, 1u8) } else { (1, 0) };

    world.until("the other client", |world| world.peers().contains(&other))?;
    let nothing: Vec<u8> = Vec::new();
    world.rpc_id(other, relay, "say", ("one", vec![1u8, 2, 3]))?;
    world.rpc_id(other, relay, "say", ("big", pattern(BIG, mine.into())))?;
    world.rpc(relay, "say", ("all", nothing.clone()))?;
    world.rpc_id(Target::AllExcept(other), relay, "say", ("not you", nothing.clone()))?;
    world.rpc_id(Target::AllExcept(server), relay, "say", ("not server", nothing.clone()))?;
    world.until("what the other says", |world| world.get(relay).heard.len() >= 4)?;
    desk.step(world, "said")?;
    let expected = [
        ("one", vec![1, 2, 3]),
        ("big", pattern(BIG, others.into())),
        ("all", nothing.clone()),
        ("not server", nothing),
    ];
    let expected = expected.map(|(tag, data)| (other, (tag.to_owned(), data)));
    let heard = std::mem::take(&mut world.get(relay).heard);
    report.check("what the other says", heard, expected.into());

    send_on_two(world, [1, mine], Target::All)?;
    send_on_two(world, [2, mine], Target::AllExcept(other))?;
    send_on_two(world, [3, mine], Target::AllExcept(server))?;
    send_on_two(world, [4, mine], Target::Peer(other))?;
    world.until("the bytes of the other", |_| packets.borrow().len() >= 3)?;
    desk.step(world, "sent")?;
    let heard = packets.take();
    let expected = [1, 3, 4].map(|kind| vec![kind, others]);
    report.check("the bytes of the other", of(&heard, other), expected.into());
    let expected = if mine == 0 { [[6], [8]] } else { [[6], [7]] };
    report.check("the bytes of the server", of(&heard, server), expected.map(Vec::from).into());
    report.check("packets in all", heard.len(), 5);

    let speak = |world: &mut World| {
        world.rpc_id(other, relay, "say_u", ("u",))?;
        world.rpc_id(other, relay, "say_o", ("o",))?;
        for mode in [TransferMode::Unreliable, TransferMode::UnreliableOrdered] {
            world.scene().send_bytes(&[5, mode.to_raw()], other, mode, Channel(3))?;
        }
        Ok(())
    };
    world.repeat_until("the other's unreliable ones", |_| loose.borrow().len() == 4, speak)?;
    desk.done(world, "loose")?;
    // The other may still be waiting for mine.
    world.repeat_until("next loose", |world| desk.is_told(world, "loose"), speak)?;
    for (who, what) in loose.borrow().iter() {
        report.check(&format!("who sends {what}"), *who, other);
    }

    desk.close(world)?;
    report.check("calls after `said`", world.get(relay).heard.len(), 0);
    report.check("bytes after `sent`", packets.take(), vec![]);
    Ok(())
}

fn send_on_two(world: &mut World, data: [u8; 2], target: Target) -> Played {
    Ok(world.scene().send_bytes(&data, target, TransferMode::Reliable, Channel(2))?)
}

/// Bytes of `big`.
const BIG: usize = 100_000;

/// What came, and of whom.
type Heard<T> = Vec<(PeerId, T)>;

/// The kinds of unreliable ones that came, and of whom.
type Loose = Rc<RefCell<BTreeSet<(PeerId, String)>>>;

struct Relay {
    report: Report,
    tap: TapLog,
    heard: Heard<(String, Vec<u8>)>,
    loose: Loose,
}

impl Relay {
    fn new(world: &World, loose: &Loose) -> Self {
        let (report, tap) = (world.report.clone(), world.tap());
        Self { report, tap, heard: Vec::new(), loose: Rc::clone(loose) }
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
            .method("say", any_peer, |relay: &mut Self, cx, said: (String, Vec<u8>)| {
                let arrival = relay.tap.arrival();
                relay.report.check("mode and channel of say", arrival, (TransferMode::Reliable, 0));
                relay.heard.push((cx.remote_sender(), said));
            })
            .method("say_o", say_o.channel(2), loose(TransferMode::UnreliableOrdered, 2))
            .method("say_u", say_u.channel(1), loose(TransferMode::Unreliable, 1))
    }
}

/// Unreliable ones, which begin with 5 and their mode, go to `loose`.
fn hear_packets(world: &mut World, loose: &Loose) -> Rc<RefCell<Heard<Vec<u8>>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (sink, loose) = (Rc::clone(&heard), Rc::clone(loose));
    let (report, tap) = (world.report.clone(), world.tap());
    world.on_peer_packet(move |_scene, from, data| {
        let arrival = tap.arrival();
        if let &[5, told] = data {
            let expected = TransferMode::from_raw(told).map(|mode| tap.as_arriving(mode, 3));
            report.check("mode and channel of unreliable bytes", Some(arrival), expected);
            loose.borrow_mut().insert((from, format!("bytes, mode {told}")));
            return;
        }
        let channel = if from.is_server() { 0 } else { 2 };
        let expected = tap.as_arriving(TransferMode::Reliable, channel);
        report.check("mode and channel of bytes", arrival, expected);
        sink.borrow_mut().push((from, data.to_vec()));
    });
    heard
}

fn of<T: Clone>(heard: &Heard<T>, peer: PeerId) -> Vec<T> {
    heard.iter().filter(|(from, _)| *from == peer).map(|(_, what)| what.clone()).collect()
}
