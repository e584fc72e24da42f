//! Faults to plant: each replaces one place in the code.

/// A fault to plant.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// Effect of the fault.
    pub(super) what: &'static str,
    /// Path of the source file, relative to the workspace.
    pub(super) file: &'static str,
    /// Text to replace; it must occur exactly once.
    right: &'static str,
    wrong: &'static str,
}

/// All faults that can be planted.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "requeued-at-the-end",
        what: "the branch appends a batch that a full mailbox returned to the end of its queue",
        file: "crates/mp-scene/src/outbox.rs",
        right: "self.waiting.push_front(message);",
        wrong: "self.waiting.push_back(message);",
    },
    Fault {
        name: "acknowledged-without-capacity",
        what: "reliable commands are acknowledged although the receive queue is full",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "if outcome == Outcome::Accepted && self.acknowledges(&command) {",
        wrong: "if self.acknowledges(&command) {",
    },
    Fault {
        name: "unsequenced-duplicates",
        what: "unsequenced packets are not recorded, so that duplicates are delivered",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "} else if self.unsequenced.accept(*group) {",
        wrong: "} else if self.unsequenced.accept(*group) || true {",
    },
    Fault {
        name: "missing-del-peer",
        what: "the server does not notify the other clients that a peer has left",
        file: "crates/mp-scene/src/scene_multiplayer/session/membership.rs",
        right: "cx.sender.send_to_all(&others, &SceneMessage::DelPeer(peer));",
        wrong: "let _ = others;",
    },
    Fault {
        name: "stale-timer",
        what: "the timer of an ENet peer stays when the peer is removed",
        file: "crates/mp-transport-enet/src/proto/host/mod.rs",
        right: "            self.timers.remove(&(at, slot));",
        wrong: "            let _ = at;",
    },
    Fault {
        name: "premature-disconnect",
        what: "a graceful close does not wait until all packets have been acknowledged",
        file: "crates/mp-transport-enet/src/proto/peer/closing.rs",
        right: "if self.state == State::DisconnectLater && self.sender.is_idle() {",
        wrong: "if self.state == State::DisconnectLater {",
    },
    Fault {
        name: "relayed-before-announced",
        what: "relayed packets are not deferred until their sender is announced",
        file: "crates/mp-scene/src/scene_multiplayer/session/relay.rs",
        right: "if cx.sender.routes().contains(author) || cx.quirks.unannounced_senders {",
        wrong: "if cx.sender.routes().contains(author) || true {",
    },
    Fault {
        name: "authority-not-checked",
        what: "any peer can call methods that only the authority may call",
        file: "crates/mp-scene/src/scene_multiplayer/paths/receive.rs",
        right: "RpcMode::Authority => tree.multiplayer_authority(node) == Some(from),",
        wrong: "RpcMode::Authority => true,",
    },
    Fault {
        name: "reused-path-id",
        what: "the path id of a removed node stays valid for its successor of the same name",
        file: "crates/mp-scene/src/path_cache/remote.rs",
        right: "if announcement_of(node) != assigned.announcement {",
        wrong: "if announcement_of(node) != assigned.announcement && false {",
    },
    Fault {
        name: "never-resumed",
        what: "connections that were paused for a full branch mailbox never resume receiving",
        file: "crates/mp-core/src/endpoint/queue.rs",
        right: "let is_released = self.is_full && self.messages.len() <= PENDING_BATCHES_MAX / 2;",
        wrong: "let is_released = false;",
    },
    Fault {
        name: "resumed-in-state-only",
        what: "an endpoint marks its connections as resumed, but they stay paused",
        file: "crates/mp-core/src/endpoint/mod.rs",
        right: "            self.resume_all(branch);",
        wrong: "            let _ = branch;",
    },
    Fault {
        name: "missing-stall-timeout",
        what: "a branch reads no messages while an endpoint hangs",
        file: "crates/mp-host/src/branch.rs",
        right: "self.clock.peek(now, || self.due()) - congestion.since < STALL_TIMEOUT",
        wrong: "self.clock.now() >= congestion.since",
    },
    Fault {
        name: "abandoned-but-serving",
        what: "an endpoint that the branch has abandoned keeps serving its connections",
        file: "crates/mp-host/src/branch.rs",
        right: "handle.leave(DisconnectReason::QueueFull, CloseMode::Immediate);",
        wrong: "",
    },
    Fault {
        name: "kick-without-event",
        what: "no event reports that the program has disconnected a peer",
        file: "crates/mp-scene/src/scene_multiplayer/session/membership.rs",
        right: "cx.events.push(ApiEvent::PeerGone(peer));",
        wrong: "",
    },
    Fault {
        name: "calls-below-hidden",
        what: "calls of nodes below a hidden node are sent to peers without that node",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "let outer = self.announced_entity(cx.tree, node).filter(|&outer| outer != node);",
        wrong: "let outer: Option<NodeId> = None;",
    },
    Fault {
        name: "state-below-hidden",
        what: "synchronizers below a hidden node are sent to peers without that node",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "enclosing.dedup();",
        wrong: "enclosing.retain(|&enclosing| enclosing == synchronizer.entity);",
    },
    Fault {
        name: "deferral-too-short",
        what: "announcements for a missing level are deferred only as long, and as many, as calls",
        file: "crates/mp-scene/src/scene_multiplayer/paths/deferred.rs",
        right: "Self::Level => (LEVEL_PACKETS_MAX, LEVEL_BYTES_MAX, LEVEL_TIME),",
        wrong: "Self::Level => (DEFERRED_PACKETS_MAX, DEFERRED_BYTES_MAX, DEFERRED_TIME),",
    },
    Fault {
        name: "stale-synchronized-node",
        what: "a synchronizer keeps using the first node that it found at a path",
        file: "crates/mp-scene/src/scene_multiplayer/replication/targets.rs",
        right: "        for key in self.path_nodes.get(&node).cloned().unwrap_or_default() {",
        wrong: "        for key in Vec::<Key>::new() {",
    },
    Fault {
        name: "places-kept",
        what: "a room keeps the places of players who have left",
        file: "crates/mp-rooms/src/rooms/joins.rs",
        right: "let id = self.places.remove(&connection)?;",
        wrong: "let id = *self.places.get(&connection)?;",
    },
    Fault {
        name: "codes-not-checked",
        what: "private rooms admit players without the code",
        file: "crates/mp-rooms/src/rooms/room.rs",
        right: "} else if self.code.is_some() && self.code.as_ref() != code {",
        wrong: "} else if false && self.code.as_ref() != code {",
    },
    Fault {
        name: "no-fence",
        what: "packets that a moved peer has sent for its old room are accepted by the new one",
        file: "crates/mp-scene/src/scene_multiplayer/session/moves.rs",
        right: "self.moves.fences.insert(peer, id);",
        wrong: "",
    },
    Fault {
        name: "ids-shared-by-rooms",
        what: "rooms between which players move assign the same path ids",
        file: "crates/mp-scene/src/scene_multiplayer/moves.rs",
        right: "self.paths.set_id_blocks(blocks.clone());",
        wrong: "",
    },
    Fault {
        name: "net-ids-shared-by-rooms",
        what: "rooms between which players move assign the same net ids",
        file: "crates/mp-scene/src/scene_multiplayer/moves.rs",
        right: "self.replication.set_id_blocks(blocks.clone());",
        wrong: "",
    },
    Fault {
        name: "lease-too-long",
        what: "a node that cannot renew its lease speaks for its rooms until others have them",
        file: "crates/mp-cluster/src/lease.rs",
        right: "let until = sent + LEASE_TIME.saturating_sub(LEASE_MARGIN);",
        wrong: "let until = now + LEASE_TIME + LEASE_MARGIN;",
    },
    Fault {
        name: "gap-not-detected",
        what: "a gateway does not detect that a batch with reliable packets is missing",
        file: "crates/mp-cluster/src/gateway/incoming.rs",
        right: "if self.last.insert(mark.stream, sequence) != before {",
        wrong: "if self.last.insert(mark.stream, sequence) != before && false {",
    },
    Fault {
        name: "lost-lease-ignored",
        what: "a node sends the frames of a room after it has lost its lease",
        file: "crates/mp-cluster/src/gateways.rs",
        right: "if epoch_of(&far.route().room) != Some(far.route().epoch) {",
        wrong: "if false && epoch_of(&far.route().room) != Some(far.route().epoch) {",
    },
    Fault {
        name: "marks-not-sent",
        what: "a gateway whose batches were lost does not name the last batch of each connection",
        file: "crates/mp-cluster/src/gateway/link.rs",
        right: "self.outgoing.push_marks();",
        wrong: "",
    },
    Fault {
        name: "guest-speaks-as-host",
        what: "packets that the next host has sent as a guest are those of peer 1",
        file: "crates/mp-relay/src/seat/host.rs",
        right: "if self.is_outdated(&packet.payload) {",
        wrong: "if false && self.is_outdated(&packet.payload) {",
    },
    Fault {
        name: "hidden-nodes-replayed",
        what: "guests that join without a host receive nodes that were hidden from others",
        file: "crates/mp-relay/src/cache/replay.rs",
        right: "let is_public = node.is_public && !node.spawn.is_empty()",
        wrong: "let is_public = !node.spawn.is_empty()",
    },
    Fault {
        name: "last-values-not-replayed",
        what: "guests that join without a host receive the values at the time of the spawn",
        file: "crates/mp-relay/src/cache/values.rs",
        right: "budget.store(slot, &value);",
        wrong: "",
    },
    Fault {
        name: "kept-peer-announced-as-left",
        what: "the others are notified that a kept peer leaves and returns",
        file: "crates/mp-scene/src/scene_multiplayer/session/kept.rs",
        right: "if !self.relayed.resume(peer, other) {",
        wrong: "if !self.relayed.resume(peer, other) || true {",
    },
    Fault {
        name: "queued-calls-beyond-bound",
        what: "one more call is queued for a kept peer than its bound",
        file: "crates/mp-scene/src/scene_multiplayer/session/kept.rs",
        right: "self.kept.set(peer, now + keep.time(), keep.queued_calls());",
        wrong: "self.kept.set(peer, now + keep.time(), keep.queued_calls() + 1);",
    },
    Fault {
        name: "announcements-not-repeated",
        what: "a peer that has resumed does not receive the paths that others have announced to it",
        file: "crates/mp-scene/src/scene_multiplayer/resume.rs",
        right: "self.session.repeat_announcements(&mut self.sender, new);",
        wrong: "",
    },
];

/// Returns the fault called `name`.
///
/// # Errors
///
/// Returns an error with the list of faults if there is none of this name.
pub(super) fn named(name: &str) -> Result<&'static Fault, String> {
    let names = || FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ");
    let fault = FAULTS.iter().find(|fault| fault.name == name);
    fault.ok_or_else(|| format!("unknown fault {name:?}; available: {}", names()))
}

impl Fault {
    /// Returns the text of the fault's file with the fault in it.
    ///
    /// # Errors
    ///
    /// Returns an error if the text to replace does not occur exactly once.
    pub(super) fn planted_in(&self, text: &str) -> Result<String, String> {
        match text.matches(self.right).count() {
            1 => Ok(text.replacen(self.right, self.wrong, 1)),
            count => Err(format!(
                "cannot plant the fault {:?}: {:?} occurs {count} times in {}; adapt xtask/src/worlds/faults.rs",
                self.name, self.right, self.file
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    #[test]
    fn every_fault_can_be_planted() {
        for fault in FAULTS {
            let text = std::fs::read_to_string(root().join(fault.file)).unwrap();
            let planted = fault.planted_in(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(planted, text);
        }
    }
}
