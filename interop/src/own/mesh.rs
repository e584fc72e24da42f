//! Three peers, each connected to both others over WebRTC.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::Channel;
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use crate::world::{ScenarioResult, World};

/// Calls and bytes that each peer has sent.
type Hailed = Rc<RefCell<BTreeMap<PeerId, BTreeSet<String>>>>;

/// Tags of the calls and bytes that each peer sends to each other.
const SENT: [&str; 5] = ["all", "bytes", "o", "one", "u"];

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let (node, hailed) = prepare(world)?;
    let mut desk = Desk::open(world)?;
    let mut signals = world.signals();
    signals.sort();
    let mut expected: Vec<_> = desk.ids.iter().map(|id| format!("peer_connected({id})")).collect();
    expected.sort();
    report.check("the signals", signals, expected);

    let ids = desk.ids.clone();
    meet(world, node, &hailed, &ids)?;
    desk.wait_for_all(world, "met")?;
    desk.next(world, "met")?;
    let (leaving, staying) = (ids[0], ids[1]);
    world.may_leave(&[leaving]);
    desk.next_for(world, leaving, "leave")?;
    world.until("the leaving of client 0", |world| has_left(world, leaving))?;
    report.check("the peers left", world.peers(), vec![staying]);
    desk.ids = vec![staying];
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let (node, hailed) = prepare(world)?;
    let desk = ClientDesk::enter(world)?;
    desk.settle(world)?;
    let signals = world.signals();
    let at = |name: &str| signals.iter().position(|signal| signal == name);
    report.check(
        "peer_connected(1) follows",
        at("connected_to_server").map(|at| at + 1),
        at("peer_connected(1)"),
    );
    report.check("the number of signals", signals.len(), 3);

    let (other, leaving) = (desk.other(world), desk.ids[0]);
    let others = [PeerId::SERVER, other];
    meet(world, node, &hailed, &others)?;
    if leaving != world.me() {
        world.may_leave(&[leaving]);
    }
    desk.done(world, "met")?;
    // The others may still wait for calls of this one.
    let has_next = |world: &mut World| desk.has_next(world, "met");
    let hail_on = |world: &mut World| hail_unreliably(world, node, &others);
    world.repeat_until("next met", has_next, hail_on)?;
    if leaving == world.me() {
        return desk.wait_for_next(world, "leave");
    }
    world.until("the leaving of client 0", |world| has_left(world, leaving))?;
    report.check("the peers left", world.peers(), vec![PeerId::SERVER]);
    desk.close(world)
}

/// Adds the node, and records calls and bytes.
fn prepare(world: &mut World) -> ScenarioResult<(NodeRef<Mesh>, Hailed)> {
    let hailed = Hailed::default();
    let node = world.add("Mesh", Mesh { hailed: Rc::clone(&hailed) })?;
    let (report, sink) = (world.report.clone(), Rc::clone(&hailed));
    world.on_peer_packet(move |_scene, from, data| {
        report.check("the bytes", data, &[9]);
        sink.borrow_mut().entry(from).or_default().insert("bytes".to_owned());
    });
    Ok((node, hailed))
}

/// Sends each kind of packet to `others`, until each of them has sent all to this peer.
fn meet(
    world: &mut World,
    node: NodeRef<Mesh>,
    hailed: &Hailed,
    others: &[PeerId],
) -> ScenarioResult {
    let report = world.report.clone();
    world.rpc(node, "hail", ("all",))?;
    for &id in others {
        world.rpc_id(id, node, "hail", ("one",))?;
        world.scene().send_bytes(&[9], id, TransferMode::Reliable, Channel(2))?;
    }
    let has_all = |id: &PeerId| hailed.borrow().get(id).is_some_and(|it| it.len() == SENT.len());
    world.repeat_until(
        "calls and bytes of the others",
        |_| others.iter().all(has_all),
        |world| hail_unreliably(world, node, others),
    )?;
    let mut expected: Vec<_> = others.to_vec();
    expected.sort_unstable();
    let hailed = hailed.borrow();
    report.check("the senders", hailed.keys().copied().collect::<Vec<_>>(), expected);
    for (id, tags) in hailed.iter() {
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        report.check(&format!("what {id} has sent"), tags, SENT.to_vec());
    }
    Ok(())
}

fn hail_unreliably(world: &mut World, node: NodeRef<Mesh>, others: &[PeerId]) -> ScenarioResult {
    for &id in others {
        world.rpc_id(id, node, "hail_o", ("o",))?;
        world.rpc_id(id, node, "hail_u", ("u",))?;
    }
    Ok(())
}

fn has_left(world: &World, id: PeerId) -> bool {
    world.has_seen(&format!("peer_disconnected({id})"))
}

struct Mesh {
    hailed: Hailed,
}

impl Node for Mesh {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let hail = |mesh: &mut Self, cx: &mut RpcContext<'_>, (tag,): (String,)| {
            mesh.hailed.borrow_mut().entry(cx.remote_sender()).or_default().insert(tag);
        };
        RpcTable::new()
            .method("hail", any_peer, hail)
            .method("hail_o", any_peer.unreliable_ordered(), hail)
            .method("hail_u", any_peer.unreliable(), hail)
    }
}
