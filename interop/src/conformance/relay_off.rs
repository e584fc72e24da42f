//! Without the relay clients know the server only.

use mp_scene::RpcError;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{FRAME, Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    world.scene().multiplayer_mut().set_server_relay(false);
    let talk = world.add("Talk", Talk::default())?;
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "talked")?;
    check_heard(world, talk, &ctl.ids);
    world.rpc(talk, "say", ("from server",))?;
    ctl.go(world, "said")?;

    let ids = ctl.ids.clone();
    ctl.close(world)?;
    check_heard(world, talk, &ids);
    report.check("relayed packets", world.scene().stats().relayed_packets, 0);
    report.check("clients told of each other", world.tap().announcements(), 0);
    Ok(())
}

pub(super) fn play(world: &mut World) -> Played {
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
    let heard = vec![(PeerId::SERVER, "from server".to_owned())];
    report.check("what the client heard", world.get(talk).heard.clone(), heard);
    report.check("peers", world.peers(), vec![PeerId::SERVER]);
    let expected = ["connected_to_server", "peer_connected(1)"].map(str::to_owned);
    report.check("the signals", world.signals(), expected.into());
    let malformed = world.scene().stats().malformed_packets;
    report.check("what a server without the relay may not say", malformed, 0);
    ctl.close(world)?;
    report.check("calls in the end", world.get(talk).heard.len(), 1);
    Ok(())
}

fn check_heard(world: &mut World, talk: NodeRef<Talk>, ids: &[PeerId]) {
    let report = world.report.clone();
    let mut heard = world.get(talk).heard.clone();
    heard.sort();
    let mut expected: Vec<_> = ids.iter().map(|&id| (id, "everybody".to_owned())).collect();
    expected.sort();
    report.check("what the server heard", heard, expected);
}

#[derive(Default)]
pub(super) struct Talk {
    heard: Vec<(PeerId, String)>,
}

impl Node for Talk {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("say", RpcConfig::any_peer(), |talk: &mut Self, cx, (label,)| {
            talk.heard.push((cx.remote_sender(), label));
        })
    }
}
