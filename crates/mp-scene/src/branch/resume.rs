//! Peers that are kept after their connection was lost, and resume their session.

use mp_core::{DisconnectReason, PeerId};

use super::{Branch, BranchEvent};
use crate::{Keep, Scene, Signal};

impl Branch {
    /// Keeps peers whose connection is lost on these terms, as a hook added by
    /// [`BranchBuilder::on_peer_dropped`](crate::BranchBuilder::on_peer_dropped) does, for hosts
    /// that run branches of others. Returns false if the branch cannot keep peers, because it
    /// authenticates them or has a relay policy.
    pub fn keep_peers(&mut self, keep: Keep) -> bool {
        let multiplayer = self.scene.multiplayer_mut();
        if multiplayer.authentication() || multiplayer.has_relay_policy() {
            return false;
        }
        multiplayer.enable_keeping();
        self.hooks.add_dropped(Box::new(move |_, _, _| keep.into()));
        true
    }

    /// Adds a hook for all signals, as
    /// [`BranchBuilder::on_signal`](crate::BranchBuilder::on_signal) does.
    pub fn add_signal_hook(&mut self, hook: impl FnMut(&mut Scene, &Signal) + 'static) {
        self.hooks.add_signal(Box::new(hook));
    }

    /// Adds a hook for peers that resume a session, as
    /// [`BranchBuilder::on_peer_resumed`](crate::BranchBuilder::on_peer_resumed) does.
    pub fn add_resumed_hook(&mut self, hook: impl FnMut(&mut Scene, PeerId, PeerId) + 'static) {
        self.hooks.add_resumed(Box::new(hook));
    }

    /// Lets the hooks decide whether a peer is kept whose connection was lost.
    pub(super) fn decide_keep(&mut self, peer: PeerId, reason: DisconnectReason) {
        if !self.scene.multiplayer().is_kept(peer) {
            return; // the program has disconnected it
        }
        let keep = self.hooks.run_dropped(&mut self.scene, peer, reason);
        self.scene.flush_changes();
        let now = self.scene.now();
        self.scene.multiplayer_mut().decide_keep(now, peer, keep);
    }

    /// Completes the resumption of the session of `old`. What `new` may see was announced to it.
    pub(super) fn finish_resume(&mut self, old: PeerId, new: PeerId) {
        if old == new {
            self.send_queued(old, new);
        }
        self.hooks.run_resumed(&mut self.scene, old, new);
        self.scene.flush_changes();
        if old != new {
            self.send_queued(old, new);
        }
        self.keep_event(BranchEvent::PeerResumed { old, new });
    }

    fn send_queued(&mut self, old: PeerId, new: PeerId) {
        let now = self.scene.now();
        let (tree, api) = self.scene.parts();
        api.scene_multiplayer_mut().finish_resume(now, tree, old, new);
    }
}
