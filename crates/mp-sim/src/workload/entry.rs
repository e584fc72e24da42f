//! Programs that authenticate themselves: a client says a word, and the server lets it in or sends it away, at once or later.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::{Branch, BranchBuilder, Scene, Signal};

use super::{Act, Workload};
use crate::journal::{Ear, What};

/// See the head of this file.
#[derive(Debug)]
pub struct Entry {
    answers_late: Rc<Cell<bool>>,
    /// Who waits for the server's answer.
    waiting: Rc<RefCell<Vec<PeerId>>>,
}

impl Entry {
    pub(crate) fn new(answers_late: bool) -> Self {
        Self { answers_late: Rc::new(Cell::new(answers_late)), waiting: Rc::default() }
    }

    fn admit_all(&self, branch: &mut Branch) {
        for peer in std::mem::take(&mut *self.waiting.borrow_mut()) {
            // Who has left, or taken too long, is not there any more.
            let _ = branch.scene().multiplayer_mut().complete_auth(peer);
        }
    }
}

impl Workload for Entry {
    fn equip(&mut self, builder: BranchBuilder, ear: &Ear) -> BranchBuilder {
        let (ear, waiting, answers_late) =
            (ear.clone(), self.waiting.clone(), self.answers_late.clone());
        let greet = {
            let ear = ear.clone();
            move |scene: &mut Scene, signal: &Signal| {
                if let Signal::PeerAuthenticating(peer) = signal
                    && !ear.is_server()
                {
                    let word = if ear.has_credentials { PASSWORD } else { b"open, please" };
                    let multiplayer = scene.multiplayer_mut();
                    // The server is there: it was just announced.
                    let said = multiplayer.send_auth(*peer, word);
                    let done = said.and_then(|()| multiplayer.complete_auth(*peer));
                    assert_eq!(done, Ok(()), "a peer that was just announced can be spoken to");
                }
            }
        };
        builder.on_signal(greet).on_peer_auth(move |scene, peer, word| {
            if !ear.is_server() {
                return;
            }
            let multiplayer = scene.multiplayer_mut();
            if word != PASSWORD {
                ear.note(What::Kicks(peer));
                multiplayer.disconnect_peer(peer);
            } else if answers_late.get() {
                waiting.borrow_mut().push(peer);
            } else {
                let _ = multiplayer.complete_auth(peer);
            }
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if act.ear.is_server() {
            self.admit_all(act.branch);
        }
    }

    fn settle(&mut self, server: Option<&mut Branch>) {
        self.answers_late.set(false);
        if let Some(branch) = server {
            self.admit_all(branch);
        }
    }
}

const PASSWORD: &[u8] = b"open sesame";
