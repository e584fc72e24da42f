//! Clients talk to each other through the server.

use mp_scene::prelude::*;

use super::ctl::{Ctl, LONG};
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let talk = world.add("Talk", Talk::default())?;
    let ctl = Ctl::open(world)?;
    world.until_within(LONG, "note talked", |world| ctl.has_notes(world, "talked", &ctl.ids))?;
    check_heard(world, talk, &ctl.ids);
    world.check_relay();
    ctl.go(world, "done")?;

    let ids = ctl.ids.clone();
    ctl.close(world)?;
    check_heard(world, talk, &ids);
    Ok(())
}

fn check_heard(world: &mut World, talk: NodeRef<Talk>, ids: &[PeerId]) {
    let report = world.report.clone();
    let mut heard = world.get(talk).heard.clone();
    heard.sort();
    let mut expected: Vec<_> = ids.iter().map(|&id| (id, "say", "everybody".into(), 1)).collect();
    expected.sort();
    report.check("what the server executed", heard, expected);
}

/// Sender, method, label and size of the payload.
type Heard = (PeerId, &'static str, String, usize);

#[derive(Default)]
pub(super) struct Talk {
    heard: Vec<Heard>,
}

impl Node for Talk {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let hear = |method: &'static str| {
            move |talk: &mut Self, cx: &mut RpcContext<'_>, said: (String, Vec<u8>)| {
                let (label, payload) = said;
                talk.heard.push((cx.remote_sender(), method, label, payload.len()));
            }
        };
        RpcTable::new()
            .method("mumble", any_peer.unreliable_ordered(), hear("mumble"))
            .method("say", any_peer, hear("say"))
            .method("say3", any_peer.channel(3), hear("say3"))
            .method("seq", any_peer, |talk: &mut Self, cx, (n,): (usize,)| {
                talk.heard.push((cx.remote_sender(), "seq", n.to_string(), 0));
            })
            .method("whisper", any_peer.unreliable().channel(1), hear("whisper"))
    }
}
