//! What a branch tells its program, written down.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;

/// The signals of a branch, and what a scenario does on them. Clones are the same watch.
#[derive(Clone, Default)]
pub(crate) struct Watch(Rc<RefCell<Seen>>);

#[derive(Default)]
struct Seen {
    report: Report,
    signals: Vec<String>,
    may_leave: BTreeSet<PeerId>,
    /// Failures of replication that are part of the scenario; `None` when there must be none.
    failures: Option<Vec<String>>,
    /// This side leaves: what follows is its own doing.
    is_leaving: bool,
    hook: Option<Hook>,
    frame: Option<Frame>,
}

type Hook = Box<dyn FnMut(&mut Scene, &Signal)>;
type Frame = Box<dyn FnMut(&mut Scene)>;

impl Watch {
    pub(crate) fn new(report: Report) -> Self {
        Self(Rc::new(RefCell::new(Seen { report, ..Seen::default() })))
    }

    /// What to do on every signal, at once.
    pub(crate) fn set_hook(&self, hook: impl FnMut(&mut Scene, &Signal) + 'static) {
        self.0.borrow_mut().hook = Some(Box::new(hook));
    }

    /// What to do in every frame.
    pub(crate) fn set_frame(&self, frame: impl FnMut(&mut Scene) + 'static) {
        self.0.borrow_mut().frame = Some(Box::new(frame));
    }

    /// Does it.
    pub(crate) fn frame(&self, scene: &mut Scene) {
        let frame = self.0.borrow_mut().frame.take();
        if let Some(mut frame) = frame {
            frame(scene);
            self.0.borrow_mut().frame.get_or_insert(frame);
        }
    }

    /// From now on `peers` may leave; a leaving of others is a failure. For a client the server is one of them.
    pub(crate) fn may_leave(&self, peers: &[PeerId]) {
        self.0.borrow_mut().may_leave.extend(peers);
    }

    /// Collects failures of replication from now on instead of failing.
    pub(crate) fn expect_failures(&self) {
        self.0.borrow_mut().failures = Some(Vec::new());
    }

    /// Returns the failures of replication since they are expected.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.0.borrow().failures.clone().unwrap_or_default()
    }

    /// This side leaves.
    pub(crate) fn leave(&self) {
        self.0.borrow_mut().is_leaving = true;
    }

    /// This side joins: the signals start afresh.
    pub(crate) fn join(&self) {
        let mut seen = self.0.borrow_mut();
        seen.is_leaving = false;
        seen.signals.clear();
    }

    /// The signals so far, but for bytes of peers.
    pub(crate) fn signals(&self) -> Vec<String> {
        self.0.borrow().signals.clone()
    }

    /// Takes one down.
    pub(crate) fn note(&self, scene: &mut Scene, signal: &Signal) {
        if self.0.borrow().is_leaving {
            return;
        }
        // Taken out while it runs, as it may do anything with the scene.
        let hook = self.0.borrow_mut().hook.take();
        let mut seen = match hook {
            Some(mut hook) => {
                hook(scene, signal);
                let mut seen = self.0.borrow_mut();
                seen.hook = Some(hook);
                seen
            }
            None => self.0.borrow_mut(),
        };
        let name = match signal {
            Signal::PeerPacket { from, data } | Signal::PeerAuth { from, data } => {
                if seen.hook.is_none() {
                    seen.report.fail(format!("{} bytes of {from} came unasked", data.len()));
                }
                return;
            }
            Signal::ReplicationFailed(error) => {
                match &mut seen.failures {
                    Some(failures) => failures.push(error.to_string()),
                    None => seen.report.fail(error.to_string()),
                }
                return;
            }
            // What spawners and synchronizers say is no signal of the multiplayer API.
            Signal::Spawned { .. }
            | Signal::Despawned { .. }
            | Signal::Synchronized(_)
            | Signal::DeltaSynchronized(_)
            | Signal::VisibilityChanged { .. } => return,
            other => name(other),
        };
        let peers: Vec<i32> = scene.peers().into_iter().map(PeerId::get).collect();
        seen.report.say(&json!({ "event": "signal", "signal": name, "peers": peers }));
        seen.signals.push(name);
        match signal {
            Signal::PeerDisconnected(peer) if !seen.may_leave.contains(peer) => {
                seen.report.fail(format!("peer {peer} has left too early"));
            }
            Signal::ServerDisconnected if !seen.may_leave.contains(&PeerId::SERVER) => {
                seen.report.fail("the session has ended too early".to_owned());
            }
            _ => {}
        }
    }
}

/// A signal as Godot names it, with its peer.
fn name(signal: &Signal) -> String {
    match signal {
        Signal::ConnectedToServer => "connected_to_server".to_owned(),
        Signal::ConnectionFailed => "connection_failed".to_owned(),
        Signal::ServerDisconnected => "server_disconnected".to_owned(),
        Signal::PeerConnected(peer) => format!("peer_connected({peer})"),
        Signal::PeerDisconnected(peer) => format!("peer_disconnected({peer})"),
        Signal::PeerAuthenticating(peer) => format!("peer_authenticating({peer})"),
        Signal::PeerAuthenticationFailed(peer) => format!("peer_authentication_failed({peer})"),
        other => format!("{other:?}"),
    }
}
