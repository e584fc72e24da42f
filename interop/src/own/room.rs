//! A plain relay room: the server only forwards. Each client calls all others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;
use serde_json::json;

use super::pattern;
use crate::report::Report;
use crate::world::{ScenarioResult, World};

/// Size of `big` in bytes.
const BIG: usize = 50_000;

/// Plays a server without nodes, which closes when all clients are ready.
pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let ready = record_packets(world, &[0]);
    world.listen()?;
    let count = world.options.peers();
    world.until("the clients to be ready", |_| ready.borrow().len() == count)?;
    world.leave();
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let count = world.options.peers() - 1;
    let room = world.add("Room", Room { report: report.clone(), ..Room::default() })?;
    let bytes = record_packets(world, &[42]);
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
    let all_received = |world: &mut World| {
        let others = others(world);
        let node = world.get(room);
        let has = |id: &PeerId| {
            node.hailed.get(id).is_some_and(|hailed| hailed.len() >= 3)
                && node.hailed_u.contains(id)
                && bytes.borrow().contains(id)
        };
        others.iter().all(has)
    };
    world.repeat_until("all calls of the others", all_received, loosely)?;
    let expected =
        [("small", 3), ("big", BIG), ("all", 0)].map(|(tag, size)| (tag.to_owned(), size));
    for (id, sent) in world.get(room).hailed.clone() {
        report.check(&format!("calls of {id}"), sent, expected.to_vec());
    }
    world.rpc(room, "agreed", ())?;
    let all_agree = |world: &mut World| world.get(room).content.len() == count;
    world.repeat_until("the others to have received all calls", all_agree, loosely)?;

    world.may_leave(&[PeerId::SERVER]);
    for id in others(world) {
        world.may_leave(&[id]);
    }
    world.scene().send_bytes(&[0], PeerId::SERVER, TransferMode::Reliable, Channel(0))?;
    report.say(&json!({"event": "ready_for_close"}));
    world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
    report.check_that("the server disconnects first", world.has_seen("peer_disconnected(1)"));
    Ok(())
}

/// Returns the seed of the bytes of `big` from `peer`.
fn seed(peer: PeerId) -> usize {
    (peer.get() & 255) as usize
}

/// Records the peers that have sent `expected`.
fn record_packets(world: &mut World, expected: &'static [u8]) -> Rc<RefCell<BTreeSet<PeerId>>> {
    let received = Rc::new(RefCell::new(BTreeSet::new()));
    let (sink, report) = (Rc::clone(&received), world.report.clone());
    let is_server = !expected.contains(&42);
    world.on_peer_packet(move |_scene, from, data| {
        // Bytes of clients for all also reach the server.
        if is_server && data == [42] {
            return;
        }
        report.check(&format!("the bytes of {from}"), data, expected);
        sink.borrow_mut().insert(from);
    });
    received
}

#[derive(Default)]
struct Room {
    report: Report,
    /// Received calls by sender, in order: tag, size.
    hailed: BTreeMap<PeerId, Vec<(String, usize)>>,
    hailed_u: BTreeSet<PeerId>,
    /// Peers that have received all calls of this client.
    content: BTreeSet<PeerId>,
}

impl Node for Room {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("agreed", any_peer, |room: &mut Self, cx, (): ()| {
                room.content.insert(cx.remote_sender());
            })
            .method("hail", any_peer, |room: &mut Self, cx, sent: (String, Vec<u8>)| {
                let ((tag, data), from) = (sent, cx.remote_sender());
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
