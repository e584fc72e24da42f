//! Clients talk to each other through the server, in all the ways to address somebody.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::Target;
use mp_scene::prelude::*;

use super::desk::Desk;
use crate::report::Report;
use crate::tap::TapLog;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let relay = Relay { report: report.clone(), tap: world.tap(), heard: Vec::new() };
    let relay = world.add("Relay", relay)?;
    let packets = hear_packets(world);
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
    world.check_relay();
    desk.next(world, "loose")?;

    desk.close(world)?;
    report.check("calls after `said`", world.get(relay).heard.len(), 0);
    report.check("bytes after `sent`", packets.take(), vec![]);
    Ok(())
}

/// What came, and of whom.
type Heard<T> = Vec<(PeerId, T)>;

struct Relay {
    report: Report,
    tap: TapLog,
    heard: Heard<(String, Vec<u8>)>,
}

impl Node for Relay {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let never = |method: &'static str| {
            move |relay: &mut Self, cx: &mut RpcContext<'_>, _: Vec<Variant>| {
                relay.report.fail(format!("{method} of {} is for others", cx.remote_sender()));
            }
        };
        RpcTable::new()
            .method("say", any_peer, |relay: &mut Self, cx, said: (String, Vec<u8>)| {
                let arrival = relay.tap.arrival();
                relay.report.check("mode and channel of say", arrival, (TransferMode::Reliable, 0));
                relay.heard.push((cx.remote_sender(), said));
            })
            .method("say_o", any_peer.unreliable_ordered().channel(2), never("say_o"))
            .method("say_u", any_peer.unreliable().channel(1), never("say_u"))
    }
}

fn hear_packets(world: &mut World) -> Rc<RefCell<Heard<Vec<u8>>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (sink, report, tap) = (Rc::clone(&heard), world.report.clone(), world.tap());
    world.on_peer_packet(move |_scene, from, data| {
        report.check("mode and channel of bytes", tap.arrival(), (TransferMode::Reliable, 2));
        sink.borrow_mut().push((from, data.to_vec()));
    });
    heard
}

fn of<T: Clone>(heard: &Heard<T>, peer: PeerId) -> Vec<T> {
    heard.iter().filter(|(from, _)| *from == peer).map(|(_, what)| what.clone()).collect()
}
