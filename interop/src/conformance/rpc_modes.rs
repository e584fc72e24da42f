//! Permissions of calls: every mode and channel, authority, `call_local`, targets.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::Target;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::report::Report;
use crate::tap::TapLog;
use crate::world::{ScenarioError, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let modes = Modes { report: report.clone(), tap: world.tap(), ..Modes::default() };
    let modes = world.add("Modes", modes)?;
    let owned = world.add("Owned", Owned::default())?;
    report.check("the sender outside of calls", world.scene().remote_sender_id(), None);
    let ctl = Ctl::open(world)?;
    let ids = &ctl.ids[..];
    let &[id0, id1, id2] = ids else { unreachable!("the scenario has 3 clients") };
    world.scene().tree_mut().set_multiplayer_authority(owned, id0, true)?;

    // 1. Methods of the authority.
    world.repeat_until(
        "note got_a",
        |world| ctl.has_notes(world, "got_a", ids),
        |world| {
            VARIETIES
                .iter()
                .try_for_each(|(suffix, ..)| world.rpc(modes, &format!("a_{suffix}"), (1,)))
        },
    )?;

    // 2. Methods of any peer.
    ctl.go(world, "p")?;
    world.until("p_* of every client", |world| {
        let received = &world.get(modes).p_received;
        ids.iter()
            .all(|id| received.get(id).is_some_and(|received| received.len() == VARIETIES.len()))
    })?;
    ctl.go(world, "p_done")?;
    ctl.notes(world, "p_end")?;
    let indexes = world.get(modes).indexes.clone();
    let expected: BTreeSet<_> = ids.iter().copied().zip(0..).collect();
    report.check("the arguments of p_*", indexes, expected);

    // 3. Forbidden calls.
    ctl.go(world, "forbidden")?;
    ctl.notes(world, "forbidden")?;
    check_received(world, modes, "secret", &[]);
    world.rpc(modes, "secret", ("from_server",))?;
    ctl.go(world, "secret_sent")?;
    ctl.notes(world, "secret_seen")?;

    // 4. call_local.
    world.rpc(modes, "both", ("S",))?;
    check_received(world, modes, "both", &[("S", PeerId::SERVER)]);
    ctl.go(world, "both")?;
    world.until("both of all peers", |world| world.get(modes).received("both").len() >= 4)?;
    ctl.notes(world, "both_seen")?;
    let mut both = world.get(modes).received("both");
    both.sort();
    let expected = [("C0", id0), ("C1", id1), ("C2", id2), ("S", PeerId::SERVER)];
    report.check("both", both, expected.map(|(tag, id)| (tag.to_owned(), id)).into());

    // 5. Targets of the server.
    world.rpc_id(id0, modes, "mark", ("one",))?;
    world.rpc(modes, "mark", ("all",))?;
    world.rpc_id(Target::AllExcept(id0), modes, "mark", ("not0",))?;
    ctl.go(world, "marked")?;
    ctl.notes(world, "marked")?;

    // 6. Targets of a client.
    ctl.go_for(world, id1, "ptp")?;
    ctl.notes_of(world, "ptp", &[id1])?;
    check_received(world, modes, "ptp", &[("not0", id1), ("all", id1)]);
    ctl.go_for(world, id0, "ptp_check")?;
    ctl.go_for(world, id2, "ptp_check")?;
    ctl.notes_of(world, "ptp_seen", &[id0, id2])?;

    // 7. A client as authority.
    world.rpc(owned, "own", ("bad_server",))?;
    ctl.go_for(world, id1, "own_bad")?;
    ctl.notes_of(world, "own_bad", &[id1])?;
    ctl.go_for(world, id0, "own")?;
    ctl.notes_of(world, "own", &[id0])?;
    report.check("own", world.get(owned).received.clone(), vec![("ok".to_owned(), id0)]);
    ctl.go(world, "own_check")?;
    ctl.close(world)?;

    check_received(world, modes, "secret", &[]);
    check_received(world, modes, "mark", &[]);
    check_received(world, modes, "ptp", &[("not0", id1), ("all", id1)]);
    report.check("calls of own in the end", world.get(owned).received.len(), 1);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let modes = Modes { report: report.clone(), tap: world.tap(), ..Modes::default() };
    let modes = world.add("Modes", modes)?;
    let owned = world.add("Owned", Owned::default())?;
    report.check("the sender outside of calls", world.scene().remote_sender_id(), None);
    let ctl = ClientCtl::enter(world)?;
    let (index, me, others) = (world.options.index, world.me(), ctl.others(world));
    let &[id0, id1, id2] = &ctl.ids[..] else {
        return Err(ScenarioError(format!("the scenario needs 3 clients, not {}", ctl.ids.len())));
    };
    world.scene().tree_mut().set_multiplayer_authority(owned, id0, true)?;
    ctl.settle(world)?;

    // 1. Methods of the authority.
    world
        .until("a_* of the server", |world| world.get(modes).a_received.len() == VARIETIES.len())?;
    ctl.note(world, "got_a")?;

    // 2. Methods of any peer.
    ctl.go(world, "p")?;
    world.repeat_until(
        "go p_done",
        |world| ctl.has_go(world, "p_done"),
        |world| {
            VARIETIES.iter().try_for_each(|(suffix, ..)| {
                world.rpc_id(server, modes, &format!("p_{suffix}"), (index as i64,))
            })
        },
    )?;
    ctl.note(world, "p_end")?;

    // 3. Forbidden calls.
    ctl.go(world, "forbidden")?;
    world.rpc_id(server, modes, "secret", ("from_client",))?;
    for &other in &others {
        world.rpc_id(other, modes, "secret", ("from_client",))?;
    }
    ctl.note(world, "forbidden")?;
    ctl.go(world, "secret_sent")?;
    check_received(world, modes, "secret", &[("from_server", server)]);
    ctl.note(world, "secret_seen")?;

    // 4. call_local.
    ctl.go(world, "both")?;
    let (received, tag) = (world.get(modes).received("both"), format!("C{index}"));
    report.check_that(
        "`both` of the server was received",
        received.contains(&("S".to_owned(), server)),
    );
    world.rpc(modes, "both", (tag.clone(),))?;
    let last = world.get(modes).received("both").pop();
    report.check("local `both`", last, Some((tag, me)));
    world.until("both of all peers", |world| world.get(modes).received("both").len() >= 4)?;
    let mut both = world.get(modes).received("both");
    both.sort();
    let expected = [("C0", id0), ("C1", id1), ("C2", id2), ("S", server)];
    report.check("both", both, expected.map(|(tag, id)| (tag.to_owned(), id)).into());
    ctl.note(world, "both_seen")?;

    // 5. Targets of the server.
    ctl.go(world, "marked")?;
    let marked = if index == 0 { ["one", "all"] } else { ["all", "not0"] };
    check_received(world, modes, "mark", &marked.map(|tag| (tag, server)));
    ctl.note(world, "marked")?;

    // 6. Targets of a client.
    let ptp = match index {
        0 => &["not_server", "all"][..],
        1 => &[],
        _ => &["to2", "not_server", "not0", "all"],
    };
    let ptp: Vec<_> = ptp.iter().map(|&tag| (tag, id1)).collect();
    if index == 1 {
        ctl.go(world, "ptp")?;
        world.rpc_id(id2, modes, "ptp", ("to2",))?;
        world.rpc_id(Target::AllExcept(server), modes, "ptp", ("not_server",))?;
        world.rpc_id(Target::AllExcept(id0), modes, "ptp", ("not0",))?;
        world.rpc(modes, "ptp", ("all",))?;
        ctl.note(world, "ptp")?;
    } else {
        ctl.go(world, "ptp_check")?;
        world.until("ptp", |world| world.get(modes).received("ptp").len() >= ptp.len())?;
        check_received(world, modes, "ptp", &ptp);
        ctl.note(world, "ptp_seen")?;
    }

    // 7. A client as authority.
    if index == 1 {
        ctl.go(world, "own_bad")?;
        world.rpc(owned, "own", ("bad_client",))?;
        ctl.note(world, "own_bad")?;
    }
    if index == 0 {
        ctl.go(world, "own")?;
        world.rpc(owned, "own", ("ok",))?;
        ctl.note(world, "own")?;
    }
    ctl.go(world, "own_check")?;
    let expected = if index == 0 { vec![] } else { vec![("ok".to_owned(), id0)] };
    world.until("own", |world| world.get(owned).received.len() >= expected.len())?;
    report.check("own", world.get(owned).received.clone(), expected.clone());
    ctl.close(world)?;

    check_received(world, modes, "secret", &[("from_server", server)]);
    check_received(world, modes, "mark", &marked.map(|tag| (tag, server)));
    check_received(world, modes, "ptp", &ptp);
    report.check("own in the end", world.get(owned).received.clone(), expected);
    Ok(())
}

/// Suffix, mode and channel.
const VARIETIES: [(&str, TransferMode, u8); 9] = [
    ("o0", TransferMode::UnreliableOrdered, 0),
    ("o1", TransferMode::UnreliableOrdered, 1),
    ("o3", TransferMode::UnreliableOrdered, 3),
    ("r0", TransferMode::Reliable, 0),
    ("r1", TransferMode::Reliable, 1),
    ("r3", TransferMode::Reliable, 3),
    ("u0", TransferMode::Unreliable, 0),
    ("u1", TransferMode::Unreliable, 1),
    ("u3", TransferMode::Unreliable, 3),
];

fn check_received(
    world: &mut World,
    modes: NodeRef<Modes>,
    method: &str,
    expected: &[(&str, PeerId)],
) {
    let report = world.report.clone();
    let received = world.get(modes).received(method);
    let expected = expected.iter().map(|&(tag, id)| (tag.to_owned(), id)).collect();
    report.check(method, received, expected);
}

#[derive(Default)]
pub(super) struct Modes {
    report: Report,
    tap: TapLog,
    /// `a_` methods that the server has called.
    a_received: BTreeSet<&'static str>,
    /// `p_` methods that each peer has called.
    p_received: BTreeMap<PeerId, BTreeSet<&'static str>>,
    /// Arguments of the `p_` calls.
    indexes: BTreeSet<(PeerId, i64)>,
    /// Method, tag and sender of other calls, in order.
    tags: Vec<(&'static str, String, PeerId)>,
}

impl Node for Modes {
    fn rpc_table() -> RpcTable<Self> {
        let (authority, any_peer) = (RpcConfig::authority(), RpcConfig::any_peer());
        let tag = |method: &'static str| {
            move |modes: &mut Self, cx: &mut RpcContext<'_>, (tag,): (String,)| {
                modes.tags.push((method, tag, cx.remote_sender()));
            }
        };
        let mut table = RpcTable::new()
            .method("both", any_peer.call_local(), tag("both"))
            .method("mark", authority, tag("mark"))
            .method("ptp", any_peer, tag("ptp"))
            .method("secret", authority, tag("secret"));
        for (suffix, transfer_mode, channel) in VARIETIES {
            let a = RpcConfig { transfer_mode, ..authority.channel(channel) };
            let p = RpcConfig { transfer_mode, ..any_peer.channel(channel) };
            table = table
                .method(&format!("a_{suffix}"), a, move |modes: &mut Self, cx, (n,): (i64,)| {
                    modes.check_arrival("a", suffix, (transfer_mode, channel));
                    let actual = (n, cx.remote_sender());
                    modes.report.check(
                        &format!("sender of a_{suffix}"),
                        actual,
                        (1, PeerId::SERVER),
                    );
                    modes.a_received.insert(suffix);
                })
                .method(
                    &format!("p_{suffix}"),
                    p,
                    move |modes: &mut Self, cx, (index,): (i64,)| {
                        modes.check_arrival("p", suffix, (transfer_mode, channel));
                        let sender = cx.remote_sender();
                        modes.p_received.entry(sender).or_default().insert(suffix);
                        modes.indexes.insert((sender, index));
                    },
                );
        }
        table
    }
}

impl Modes {
    fn check_arrival(&self, prefix: &str, suffix: &str, expected: (TransferMode, u8)) {
        let what = format!("mode and channel of {prefix}_{suffix}");
        let (mode, channel) = expected;
        let expected = self.tap.as_arriving(mode, channel);
        self.report.check(&what, self.tap.arrival(), expected);
    }

    /// Returns tag and sender of the calls of `method`, in order.
    fn received(&self, method: &str) -> Vec<(String, PeerId)> {
        let of_method = self.tags.iter().filter(|(name, ..)| *name == method);
        of_method.map(|(_, tag, sender)| (tag.clone(), *sender)).collect()
    }
}

#[derive(Default)]
pub(super) struct Owned {
    received: Vec<(String, PeerId)>,
}

impl Node for Owned {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "own",
            RpcConfig::authority(),
            |owned: &mut Self, cx, (tag,): (String,)| {
                owned.received.push((tag, cx.remote_sender()))
            },
        )
    }
}
