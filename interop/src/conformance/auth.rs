//! Challenge and response before admission. Client 0 answers correctly, 1 wrongly, 2 never, and 3
//! does not support authentication.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use mp_core::ConnectionStatus;
use mp_core::host::os_seed;
use mp_scene::GodotQuirks;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl, LONG};
use crate::world::{ScenarioError, ScenarioResult, World};

/// Authentication timeout of the server. Clients have a longer one, so that the server times out
/// first.
const SERVER_TIMEOUT: Duration = Duration::from_millis(1500);
const CLIENT_TIMEOUT: Duration = Duration::from_secs(20);
/// Prefix and size of a challenge.
const CHALLENGE: [u8; 4] = *b"CHAL";
const SIZE: usize = 12;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let challenges = challenge(world);
    let mut ctl = Ctl::new(world)?;
    let clients = world.options.peers();
    world
        .until_within(LONG, "the authenticating peers", |_| challenges.borrow().len() >= clients)?;
    world.until("hello of client 0", |world| ctl.hello(world).contains_key(&0))?;
    let good = ctl.hello(world)[&0];
    report.check("admitted peers", world.peers(), vec![good]);
    world.until("the other clients to be disconnected", |world| {
        world.scene().multiplayer().authenticating_peers().len() == 0
    })?;

    let mut failed = world.signals();
    failed.retain(|signal| signal.starts_with("peer_authentication_failed"));
    // Godot emits no signal for a peer that it has disconnected itself.
    report.check_that(&format!("2 or 3 have failed: {failed:?}"), (2..=3).contains(&failed.len()));
    let unwanted = format!("peer_authentication_failed({good})");
    report.check_that("client 0 has not failed", !failed.contains(&unwanted));
    let connected = world.signals().iter().filter(|it| it.starts_with("peer_connected")).count();
    report.check("peers connected", connected, 1);
    report.check("senders of hello", ctl.hello(world), BTreeMap::from([(0, good)]));
    report.check("challenges", challenges.borrow().len(), clients);
    ctl.gather_some(world, 1)?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let (index, server) = (world.options.index, PeerId::SERVER);
    let mut ctl = ClientCtl::new(world)?;
    if index == 3 {
        // Without this quirk, this client leaves as soon as it notices that the server
        // authenticates.
        let quirks = GodotQuirks { one_sided_authentication: true, ..GodotQuirks::default() };
        world.scene().multiplayer_mut().set_quirks(quirks);
        world.connect()?;
        world.until("connected_to_server", |world| world.has_seen("connected_to_server"))?;
        ctl.hello(world)?; // the server must not execute it
        world.may_leave(&[server]);
        world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
        let last = ["peer_disconnected(1)", "server_disconnected"];
        let expected = ["connected_to_server", "peer_connected(1)"].into_iter().chain(last);
        report.check("the signals", world.signals(), expected.map(str::to_owned).collect());
        report.check("peers", world.peers(), vec![]);
        return Ok(());
    }

    let challenges = answer(world);
    world.connect()?;
    if index == 0 {
        world.until("connected_to_server", |world| world.has_seen("connected_to_server"))?;
        let expected = ["peer_authenticating(1)", "connected_to_server", "peer_connected(1)"];
        report.check("the signals", world.signals(), expected.map(str::to_owned).into());
    } else {
        world.may_leave(&[server]);
        // Godot emits server_disconnected instead, see docs/DEVIATIONS.md.
        world.until("connection_failed", |world| world.has_seen("connection_failed"))?;
        let failed = "peer_authentication_failed(1)";
        let expected = ["peer_authenticating(1)", failed, "connection_failed"];
        report.check("the signals", world.signals(), expected.map(str::to_owned).into());
        report.check("status", world.status(), ConnectionStatus::Disconnected);
    }
    let received = challenges.take();
    report.check("challenges", received.len(), 1);
    for data in received {
        let is_one = data.len() == SIZE && data.starts_with(&CHALLENGE);
        report.check_that(&format!("{data:?} is a challenge"), is_one);
    }
    if index > 0 {
        return Ok(());
    }
    ctl.hello(world)?;
    ctl.wait_to_start(world)?;
    report.check("the ids", ctl.ids.clone(), vec![world.me()]);
    ctl.close(world)
}

/// Server: sends every peer a challenge of its own, and accepts or disconnects it by the answer.
fn challenge(world: &mut World) -> Rc<RefCell<BTreeMap<PeerId, Vec<u8>>>> {
    let challenges = Rc::new(RefCell::new(BTreeMap::new()));
    let multiplayer = world.scene().multiplayer_mut();
    multiplayer.set_authentication(true);
    multiplayer.set_auth_timeout(SERVER_TIMEOUT);
    let (sent, report) = (Rc::clone(&challenges), world.report.clone());
    world.on_signal(move |scene, signal| {
        let done = match signal {
            Signal::PeerAuthenticating(peer) => new_challenge().and_then(|data| {
                sent.borrow_mut().insert(*peer, data.clone());
                Ok(scene.multiplayer_mut().send_auth(*peer, &data)?)
            }),
            Signal::PeerAuth { from, data } => {
                let is_right = sent.borrow().get(from).is_some_and(|it| right_answer(it) == **data);
                if is_right {
                    scene.multiplayer_mut().complete_auth(*from).map_err(ScenarioError::from)
                } else {
                    scene.multiplayer_mut().disconnect_peer(*from);
                    Ok(())
                }
            }
            _ => Ok(()),
        };
        if let Err(why) = done {
            report.fail(format!("{signal:?}: {why}"));
        }
    });
    challenges
}

/// Client: answers challenges correctly. Returns the received challenges.
fn answer(world: &mut World) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let challenges = Rc::new(RefCell::new(Vec::new()));
    let multiplayer = world.scene().multiplayer_mut();
    multiplayer.set_authentication(true);
    multiplayer.set_auth_timeout(CLIENT_TIMEOUT);
    let (received, report) = (Rc::clone(&challenges), world.report.clone());
    let index = world.options.index;
    world.on_signal(move |scene, signal| {
        let Signal::PeerAuth { from, data } = signal else { return };
        received.borrow_mut().push(data.to_vec());
        let multiplayer = scene.multiplayer_mut();
        let done = match index {
            0 => multiplayer
                .send_auth(*from, &right_answer(data))
                .and_then(|()| multiplayer.complete_auth(*from)),
            1 => multiplayer.send_auth(*from, data),
            _ => Ok(()),
        };
        if let Err(why) = done {
            report.fail(format!("the answer: {why}"));
        }
    });
    challenges
}

fn new_challenge() -> ScenarioResult<Vec<u8>> {
    let seed = os_seed()?;
    Ok(CHALLENGE.iter().chain(&seed[..SIZE - CHALLENGE.len()]).copied().collect())
}

/// Returns the challenge in reverse order, each byte XOR 0x5A.
fn right_answer(challenge: &[u8]) -> Vec<u8> {
    challenge.iter().rev().map(|byte| byte ^ 0x5A).collect()
}
