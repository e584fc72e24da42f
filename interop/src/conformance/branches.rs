//! Several branches in one process, each with its own root path and transport. The first world of
//! the process is unused, like Godot's default multiplayer.

use std::collections::BTreeMap;

use mp_scene::prelude::*;

use super::ctl::LONG;
use crate::report::Report;
use crate::world::{ScenarioError, ScenarioResult, World};

/// Number of clients: one in the server's process, two in the other.
const TOTAL: usize = 3;

pub(super) fn serve(unused: &mut World) -> ScenarioResult {
    let report = unused.report.clone();
    let mut server = Part::new(unused, "Srv")?;
    server.world.listen()?;
    let mut client = Part::new(unused, "Local")?;
    client.world.connect()?;
    let mut both = [server, client];
    until(&mut both, "every client", |[server, _]| server.world.peers().len() == TOTAL)?;
    drive(&mut both, 1..2)?;
    until(&mut both, "the verdicts", |[server, _]| server.chat().verdicts.len() >= TOTAL)?;

    let [server, _] = &mut both;
    let clients = server.world.peers();
    let Chat { received, verdicts, .. } = server.chat().clone();
    let sent = sorted(received);
    let expected = clients.iter().map(|&id| (id, introduction(id))).collect();
    report.check("lines received by the server", sent, expected);
    let expected = clients.iter().map(|&id| (id, true)).collect();
    report.check("the verdicts", verdicts, expected);
    server.world.may_leave(&clients);
    server.world.rpc(server.chat, "bye", ())?;

    until(&mut both, "bye", |[_, client]| client.chat().is_over)?;
    both[1].world.leave();
    until(&mut both, "all clients to leave", |[server, _]| server.world.peers().is_empty())?;
    both[0].world.leave();
    check_unused(unused);
    Ok(())
}

pub(super) fn play(unused: &mut World) -> ScenarioResult {
    let report = unused.report.clone();
    let mut both = [Part::new(unused, "C1")?, Part::new(unused, "C2")?];
    for part in &mut both {
        part.world.join()?;
    }
    let [one, two] = &mut both;
    report.check_that("the ids differ", one.world.me() != two.world.me());
    drive(&mut both, 0..2)?;
    until(&mut both, "bye", |both| both.iter_mut().all(|part| part.chat().is_over))?;
    for part in &mut both {
        part.world.leave();
    }
    check_unused(unused);
    Ok(())
}

/// Runs the clients among `both` until they have sent their verdicts.
fn drive(both: &mut [Part; 2], clients: std::ops::Range<usize>) -> ScenarioResult {
    let all = |both: &mut [Part; 2], holds: fn(&mut Part) -> bool| {
        both[clients.clone()].iter_mut().all(holds)
    };
    until(both, "every peer", |both| all(both, |part| part.world.peers().len() == TOTAL))?;
    for part in &mut both[clients.clone()] {
        let text = introduction(part.world.me());
        part.world.rpc_id(PeerId::SERVER, part.chat, "post", (text,))?;
    }
    until(both, "every line", |both| all(both, |part| part.chat().received.len() >= TOTAL))?;
    for part in &mut both[clients] {
        let (report, me) = (part.world.report.clone(), part.world.me());
        let mut others = part.world.peers();
        others.retain(|id| !id.is_server());
        part.world.may_leave(&others);
        let mut clients = [others, vec![me]].concat();
        clients.sort_unstable();
        let received = sorted(part.chat().received.clone());
        let expected = clients.into_iter().map(|id| (id, introduction(id))).collect();
        report.check(&format!("lines received by {me}"), received, expected);
        part.world.rpc_id(PeerId::SERVER, part.chat, "verdict", (!report.has_failed(),))?;
    }
    Ok(())
}

/// A branch with its transport.
struct Part {
    world: World,
    chat: NodeRef<Chat>,
}

impl Part {
    fn new(unused: &World, name: &str) -> ScenarioResult<Self> {
        let (options, report) = (unused.options.clone(), unused.report.clone());
        let chat = Chat { report: report.clone(), ..Chat::default() };
        let mut world = World::rooted(&format!("/root/Main/{name}"), options, report)?;
        let chat = world.scene().add("Chat", chat)?;
        Ok(Self { world, chat })
    }

    fn chat(&mut self) -> &mut Chat {
        self.world.get(self.chat)
    }
}

/// Runs both parts until `done`.
fn until(
    both: &mut [Part; 2],
    what: &str,
    mut done: impl FnMut(&mut [Part; 2]) -> bool,
) -> ScenarioResult {
    let limit = both[0].world.now() + LONG;
    while !done(both) {
        if both[0].world.now() >= limit {
            return Err(ScenarioError(format!("timed out waiting for {what}")));
        }
        for part in both.iter_mut() {
            part.world.turn(what)?;
        }
    }
    Ok(())
}

fn check_unused(unused: &mut World) {
    let report = unused.report.clone();
    report.check("peers of the unused branch", unused.peers(), vec![]);
    report.check("signals of the unused branch", unused.signals(), vec![]);
}

fn introduction(id: PeerId) -> String {
    format!("I am {id}")
}

fn sorted(mut received: Vec<(PeerId, String)>) -> Vec<(PeerId, String)> {
    received.sort();
    received
}

#[derive(Clone, Default)]
pub(super) struct Chat {
    report: Report,
    /// Sender and text of each line.
    received: Vec<(PeerId, String)>,
    verdicts: BTreeMap<PeerId, bool>,
    is_over: bool,
}

impl Node for Chat {
    fn rpc_table() -> RpcTable<Self> {
        let (authority, any_peer) = (RpcConfig::authority(), RpcConfig::any_peer());
        RpcTable::new()
            .method("bye", authority, |chat: &mut Self, _cx, (): ()| chat.is_over = true)
            .method("line", authority, |chat: &mut Self, _cx, (from, text): (i32, String)| {
                match PeerId::new(from) {
                    Some(from) => chat.received.push((from, text)),
                    None => chat.report.fail(format!("a line of {from}")),
                }
            })
            .method("post", any_peer, |chat: &mut Self, cx, (text,): (String,)| {
                let sender = cx.remote_sender();
                chat.received.push((sender, text.clone()));
                if let Err(error) = cx.rpc_self("line", (sender.get(), text)) {
                    chat.report.fail(format!("the line of {sender}: {error}"));
                }
            })
            .method("verdict", any_peer, |chat: &mut Self, cx, (ok,): (bool,)| {
                let before = chat.verdicts.insert(cx.remote_sender(), ok);
                chat.report.check("a verdict before this", before, None);
            })
    }
}
