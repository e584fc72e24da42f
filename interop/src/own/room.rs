//! A plain relay room: the server only forwards. Each client greets all others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;
use serde_json::json;

use super::pattern;
use crate::report::Report;
use crate::world::{Played, World};

/// Bytes of `big`.
const BIG: usize = 50_000;

/// A server without nodes, that closes when all clients are ready for it.
pub(super) fn serve(world: &mut World) -> Played {
    let ready = hear_packets(world, &[0]);
    world.listen()?;
    let count = world.options.peers();
    world.until("the clients to be ready", |_| ready.borrow().len() == count)?;
    world.leave();
    Ok(())
}

pub(super) fn play(world: &mut World) -> Played {
    let report = world.report.clone();
    let count = world.options.peers() - 1;
    let room = world.add("Room", Room { report: report.clone(), ..Room::default() })?;
    let bytes = hear_packets(world, &[42]);
    world.join()?;
    let others = |world: &mut World| {
        world.peers().into_iter().filter(|peer| !peer.is_server()).collect::<Vec<_>>()
    };
    world.until("the other clients", |world| others(world).len() == count)?;
    let first = world.signals().into_iter().take(2).collect::<Vec<_>>();
    let expected = ["connected_to_server", "peer_connected(1)"].map(str::to_owned);
    report.check("the first signals", first, expected.into());

    let (me, nothing) = (world.me(), Vec::<u8>::new());
    for id in others(world) {
        world.rpc_id(id, room, "hail", ("small", vec![1u8, 2, 3]))?;
        world.rpc_id(id, room, "hail", ("big", pattern(BIG, seed(me))))?;
    }
    world.rpc(room, "hail", ("all", nothing))?;
    world.send_bytes(&[42], Target::All)?;
    let loosely = |world: &mut World| world.rpc(room, "hail_u", ("unreliable",));
    let all_heard = |world: &mut World| {
        let others = others(world);
        let node = world.get(room);
        let has = |id: &PeerId| {
            node.hailed.get(id).is_some_and(|hailed| hailed.len() >= 3)
                && node.hailed_u.contains(id)
                && bytes.borrow().contains(id)
        };
        others.iter().all(has)
    };
    world.repeat_until("what the others say", all_heard, loosely)?;
    let expected =
        [("small", 3), ("big", BIG), ("all", 0)].map(|(tag, size)| (tag.to_owned(), size));
    for (id, said) in world.get(room).hailed.clone() {
        report.check(&format!("what {id} has said"), said, expected.to_vec());
    }
    world.rpc(room, "agreed", ())?;
    let all_agree = |world: &mut World| world.get(room).content.len() == count;
    world.repeat_until("the others to have heard all", all_agree, loosely)?;

    world.may_leave(&[PeerId::SERVER]);
    for id in others(world) {
        world.may_leave(&[id]);
    }
    world.scene().send_bytes(&[0], PeerId::SERVER, TransferMode::Reliable, Channel(0))?;
    report.say(&json!({"event": "ready_for_goodbye"}));
    world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
    report.check_that("the server says goodbye first", world.has_seen("peer_disconnected(1)"));
    Ok(())
}

/// What makes the bytes of `big` those of `peer`.
fn seed(peer: PeerId) -> usize {
    (peer.get() & 255) as usize
}

/// Who has sent `expected`.
fn hear_packets(world: &mut World, expected: &'static [u8]) -> Rc<RefCell<BTreeSet<PeerId>>> {
    let heard = Rc::new(RefCell::new(BTreeSet::new()));
    let (sink, report) = (Rc::clone(&heard), world.report.clone());
    let is_server = !expected.contains(&42);
    world.on_peer_packet(move |_scene, from, data| {
        // What clients send to all comes to the server, too.
        if is_server && data == [42] {
            return;
        }
        report.check(&format!("the bytes of {from}"), data, expected);
        sink.borrow_mut().insert(from);
    });
    heard
}

#[derive(Default)]
struct Room {
    report: Report,
    /// What the others have said, in order: tag, size.
    hailed: BTreeMap<PeerId, Vec<(String, usize)>>,
    hailed_u: BTreeSet<PeerId>,
    /// Who has got all of mine.
    content: BTreeSet<PeerId>,
}

impl Node for Room {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("agreed", any_peer, |room: &mut Self, cx, (): ()| {
                room.content.insert(cx.remote_sender());
            })
            .method("hail", any_peer, |room: &mut Self, cx, said: (String, Vec<u8>)| {
                let ((tag, data), from) = (said, cx.remote_sender());
                if tag == "big" {
                    let is_right = data == pattern(BIG, seed(from));
                    room.report.check_that("the bytes of big", is_right);
                }
                room.hailed.entry(from).or_default().push((tag, data.len()));
            })
            .method(
                "hail_u",
                any_peer.unreliable().channel(1),
                |room: &mut Self, cx, (_,): (String,)| {
                    room.hailed_u.insert(cx.remote_sender());
                },
            )
    }
}
