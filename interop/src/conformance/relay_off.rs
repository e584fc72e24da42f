//! Without the relay, clients only see the server.

use mp_scene::RpcError;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{FRAME, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    world.scene().multiplayer_mut().set_server_relay(false);
    let talk = world.add("Talk", Talk::default())?;
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "talked")?;
    check_received(world, talk, &ctl.ids);
    world.rpc(talk, "say", ("from server",))?;
    ctl.go(world, "said")?;

    let ids = ctl.ids.clone();
    ctl.close(world)?;
    check_received(world, talk, &ids);
    report.check("relayed packets", world.scene().stats().relayed_packets, 0);
    report.check("announcements of other clients", world.tap().announcements(), 0);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    world.scene().multiplayer_mut().set_server_relay(false);
    let talk = world.add("Talk", Talk::default())?;
    let ctl = ClientCtl::enter(world)?;
    report.check("peers", world.peers(), vec![PeerId::SERVER]);
    world.rpc(talk, "say", ("everybody",))?;
    world.pause(FRAME)?;
    let sent = world.tap().sent();
    for other in ctl.others(world) {
        let called = world.scene().rpc_id(other, talk, "say", ("private",));
        report.check("a call of the other", called, Err(RpcError::UnknownPeer(other)));
    }
    world.pause(FRAME)?;
    report.check("packets sent by it", world.tap().sent() - sent, 0);
    ctl.note(world, "talked")?;

    ctl.go(world, "said")?;
    let received = vec![(PeerId::SERVER, "from server".to_owned())];
    report.check("calls received by the client", world.get(talk).received.clone(), received);
    report.check("peers", world.peers(), vec![PeerId::SERVER]);
    let expected = ["connected_to_server", "peer_connected(1)"].map(str::to_owned);
    report.check("the signals", world.signals(), expected.into());
    let malformed = world.scene().stats().malformed_packets;
    report.check("malformed packets", malformed, 0);
    ctl.close(world)?;
    report.check("calls in the end", world.get(talk).received.len(), 1);
    Ok(())
}

fn check_received(world: &mut World, talk: NodeRef<Talk>, ids: &[PeerId]) {
    let report = world.report.clone();
    let mut received = world.get(talk).received.clone();
    received.sort();
    let mut expected: Vec<_> = ids.iter().map(|&id| (id, "everybody".to_owned())).collect();
    expected.sort();
    report.check("calls received by the server", received, expected);
}

#[derive(Default)]
pub(super) struct Talk {
    received: Vec<(PeerId, String)>,
}

impl Node for Talk {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("say", RpcConfig::any_peer(), |talk: &mut Self, cx, (label,)| {
            talk.received.push((cx.remote_sender(), label));
        })
    }
}
