//! Recorder of a branch's signals.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;

/// Signals of a branch, and hooks of a scenario. Clones share the recorder.
#[derive(Clone, Default)]
pub(crate) struct SignalRecorder(Rc<RefCell<RecorderState>>);

#[derive(Default)]
struct RecorderState {
    report: Report,
    signals: Vec<String>,
    may_leave: BTreeSet<PeerId>,
    /// Expected replication failures, or `None` if there must be none.
    failures: Option<Vec<String>>,
    /// True while this side leaves, which ignores signals.
    is_leaving: bool,
    hook: Option<Hook>,
    frame: Option<Frame>,
}

type Hook = Box<dyn FnMut(&mut Scene, &Signal)>;
type Frame = Box<dyn FnMut(&mut Scene)>;

impl SignalRecorder {
    pub(crate) fn new(report: Report) -> Self {
        Self(Rc::new(RefCell::new(RecorderState { report, ..RecorderState::default() })))
    }

    /// Sets the hook for every signal.
    pub(crate) fn set_hook(&self, hook: impl FnMut(&mut Scene, &Signal) + 'static) {
        self.0.borrow_mut().hook = Some(Box::new(hook));
    }

    /// Sets the hook for every frame.
    pub(crate) fn set_frame(&self, frame: impl FnMut(&mut Scene) + 'static) {
        self.0.borrow_mut().frame = Some(Box::new(frame));
    }

    /// Calls the frame hook.
    pub(crate) fn frame(&self, scene: &mut Scene) {
        let frame = self.0.borrow_mut().frame.take();
        if let Some(mut frame) = frame {
            frame(scene);
            self.0.borrow_mut().frame.get_or_insert(frame);
        }
    }

    /// Allows `peers` to leave from now on; any other disconnect fails the scenario. For a client,
    /// the server is one of them.
    pub(crate) fn may_leave(&self, peers: &[PeerId]) {
        self.0.borrow_mut().may_leave.extend(peers);
    }

    /// Collects replication failures from now on instead of failing.
    pub(crate) fn expect_failures(&self) {
        self.0.borrow_mut().failures = Some(Vec::new());
    }

    /// Returns the collected replication failures.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.0.borrow().failures.clone().unwrap_or_default()
    }

    /// Marks this side as leaving.
    pub(crate) fn leave(&self) {
        self.0.borrow_mut().is_leaving = true;
    }

    /// Clears the signals before this side joins.
    pub(crate) fn join(&self) {
        let mut seen = self.0.borrow_mut();
        seen.is_leaving = false;
        seen.signals.clear();
    }

    /// Returns the signals so far, without packets.
    pub(crate) fn signals(&self) -> Vec<String> {
        self.0.borrow().signals.clone()
    }

    /// Records a signal.
    pub(crate) fn note(&self, scene: &mut Scene, signal: &Signal) {
        if self.0.borrow().is_leaving {
            return;
        }
        // Removed while it runs, so that it may call back.
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
                    seen.report
                        .fail(format!("unexpected packet of {} bytes from {from}", data.len()));
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
            // Signals of spawners and synchronizers are not signals of the multiplayer API.
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
                seen.report.fail(format!("peer {peer} left too early"));
            }
            Signal::ServerDisconnected if !seen.may_leave.contains(&PeerId::SERVER) => {
                seen.report.fail("the session ended too early".to_owned());
            }
            _ => {}
        }
    }
}

/// Formats a signal with Godot's name and its peer.
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
