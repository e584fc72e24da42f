//! Programs that authenticate: a client sends a password, and the server accepts or disconnects it,
//! at once or later.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::{Branch, BranchBuilder, Scene, Signal};

use super::{Act, Workload};
use crate::journal::{FactKind, Recorder};

/// Workload that authenticates clients.
#[derive(Debug)]
pub struct Authentication {
    answers_late: Rc<Cell<bool>>,
    /// Clients whose authentication the server has not completed.
    pending: Rc<RefCell<Vec<PeerId>>>,
}

impl Authentication {
    pub(crate) fn new(answers_late: bool) -> Self {
        Self { answers_late: Rc::new(Cell::new(answers_late)), pending: Rc::default() }
    }

    fn admit_all(&self, branch: &mut Branch) {
        for peer in std::mem::take(&mut *self.pending.borrow_mut()) {
            // Fails for a client that has left or timed out.
            let _ = branch.scene().multiplayer_mut().complete_auth(peer);
        }
    }
}

impl Workload for Authentication {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let (recorder, pending, answers_late) =
            (recorder.clone(), self.pending.clone(), self.answers_late.clone());
        let authenticate = {
            let recorder = recorder.clone();
            move |scene: &mut Scene, signal: &Signal| {
                if let Signal::PeerAuthenticating(peer) = signal
                    && !recorder.is_server()
                {
                    let word = if recorder.has_credentials { PASSWORD } else { b"open, please" };
                    let multiplayer = scene.multiplayer_mut();
                    // Cannot fail: the server was just announced.
                    let sent = multiplayer.send_auth(*peer, word);
                    let done = sent.and_then(|()| multiplayer.complete_auth(*peer));
                    assert_eq!(done, Ok(()), "the server is authenticating");
                }
            }
        };
        builder.on_signal(authenticate).on_peer_auth(move |scene, peer, word| {
            if !recorder.is_server() {
                return;
            }
            let multiplayer = scene.multiplayer_mut();
            if word != PASSWORD {
                recorder.record(FactKind::Kicked(peer));
                multiplayer.disconnect_peer(peer);
            } else if answers_late.get() {
                pending.borrow_mut().push(peer);
            } else {
                let _ = multiplayer.complete_auth(peer);
            }
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if act.recorder.is_server() {
            self.admit_all(act.branch);
        }
    }

    fn stop(&mut self, server: Option<&mut Branch>) {
        self.answers_late.set(false);
        if let Some(branch) = server {
            self.admit_all(branch);
        }
    }
}

const PASSWORD: &[u8] = b"open sesame";
