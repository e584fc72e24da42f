//! Faults to plant: each is one place in the code, and what to write there instead.

/// A fault to plant.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// What it does.
    pub(super) what: &'static str,
    /// Where, below the workspace's root.
    pub(super) file: &'static str,
    /// The text to replace; it must stand there once.
    right: &'static str,
    wrong: &'static str,
}

/// Every fault that can be planted.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "lost-place",
        what: "a batch that a full mailbox gives back to the branch goes to the end of its queue",
        file: "crates/mp-scene/src/outbox.rs",
        right: "self.waiting.push_front(message);",
        wrong: "self.waiting.push_back(message);",
    },
    Fault {
        name: "acknowledged-unread",
        what: "reliable commands for which there is no room are acknowledged all the same",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "if outcome == Outcome::Taken && self.acknowledges(&command) {",
        wrong: "if self.acknowledges(&command) {",
    },
    Fault {
        name: "taken-twice",
        what: "unsequenced packets are not remembered, so that copies are delivered",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "} else if self.unsequenced.accept(*group) {",
        wrong: "} else if self.unsequenced.accept(*group) || true {",
    },
    Fault {
        name: "unmentioned-leaver",
        what: "the server does not tell the others that a peer has left",
        file: "crates/mp-scene/src/scene_multiplayer/mod.rs",
        right: "self.send_message(&SceneMessage::DelPeer(peer), other);",
        wrong: "let _ = other;",
    },
    Fault {
        name: "hasty-goodbye",
        what: "who leaves does not wait until what it said has been acknowledged",
        file: "crates/mp-transport-enet/src/proto/peer/mod.rs",
        right: "if self.state == State::DisconnectLater && self.sender.is_idle() {",
        wrong: "if self.state == State::DisconnectLater {",
    },
    Fault {
        name: "unannounced-caller",
        what: "relayed packets do not wait for the announcement of their sender",
        file: "crates/mp-scene/src/scene_multiplayer/receive.rs",
        right: "if self.peers.contains(from) || self.quirks.unannounced_senders {",
        wrong: "if self.peers.contains(from) || true {",
    },
    Fault {
        name: "anybodys-orders",
        what: "methods that only the authority may call can be called by everybody",
        file: "crates/mp-scene/src/scene_multiplayer/receive.rs",
        right: "RpcMode::Authority => tree.multiplayer_authority(node) == Some(sender),",
        wrong: "RpcMode::Authority => true,",
    },
    Fault {
        name: "inherited-number",
        what: "a number whose node has left goes on for the next announced node of its name",
        file: "crates/mp-scene/src/path_cache.rs",
        right: "if announcement_of(node) != given.announcement {",
        wrong: "if announcement_of(node) != given.announcement && false {",
    },
    Fault {
        name: "held-for-ever",
        what: "links that were held for a branch that took nothing are never let go",
        file: "crates/mp-core/src/endpoint/queue.rs",
        right: "let is_released = self.is_full && self.messages.len() <= PENDING_BATCHES_MAX / 2;",
        wrong: "let is_released = false;",
    },
    Fault {
        name: "let-go-unsaid",
        what: "an endpoint believes that it has let go of its links, and they stay held",
        file: "crates/mp-core/src/endpoint/mod.rs",
        right: "            self.set_paused(branch, false);",
        wrong: "            let _ = branch;",
    },
    Fault {
        name: "endless-stall",
        what: "a branch takes nothing in for as long as an endpoint hangs",
        file: "crates/mp-host/src/branch.rs",
        right: "Some(congestion) => now - congestion.since < STALL_TIMEOUT,",
        wrong: "Some(_) => true,",
    },
    Fault {
        name: "abandoned-unsaid",
        what: "an endpoint that the branch has abandoned goes on serving its links",
        file: "crates/mp-host/src/branch.rs",
        right: "line.leave(self.id, DisconnectReason::QueueFull, Farewell::Abrupt);",
        wrong: "",
    },
    Fault {
        name: "silent-kick",
        what: "no event tells that the program has disconnected a peer",
        file: "crates/mp-scene/src/scene_multiplayer/mod.rs",
        right: "self.events.extend(route.map(|_| ApiEvent::PeerGone(peer)));",
        wrong: "",
    },
    Fault {
        name: "calls-below-hidden",
        what: "calls of nodes below a hidden node are sent to peers that do not have that node",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "let outer = self.replication.announced_entity(tree, node).filter(|&outer| outer != node);",
        wrong: "let outer: Option<NodeId> = None;",
    },
    Fault {
        name: "state-below-hidden",
        what: "synchronizers below a hidden node are sent to peers that do not have that node",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "inside.dedup();",
        wrong: "inside.retain(|&inside| inside == synchronizer.entity);",
    },
    Fault {
        name: "level-too-late",
        what: "announcements wait for a level no longer, and no more of them, than calls do",
        file: "crates/mp-scene/src/scene_multiplayer/early.rs",
        right: "Self::Level => (LEVEL_PACKETS_MAX, LEVEL_BYTES_MAX, LEVEL_TIME),",
        wrong: "Self::Level => (EARLY_PACKETS_MAX, EARLY_BYTES_MAX, EARLY_TIME),",
    },
    Fault {
        name: "first-at-the-path",
        what: "a synchronizer goes on with the node that it has found first at a path",
        file: "crates/mp-scene/src/scene_multiplayer/replication/targets.rs",
        right: "        for key in replication.around.get(&node).cloned().unwrap_or_default() {",
        wrong: "        for key in Vec::<Key>::new() {",
    },
];

/// The fault called `name`.
///
/// # Errors
///
/// When there is none.
pub(super) fn named(name: &str) -> Result<&'static Fault, String> {
    let names = || FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ");
    let fault = FAULTS.iter().find(|fault| fault.name == name);
    fault.ok_or_else(|| format!("there is no fault {name:?}; there are {}", names()))
}

impl Fault {
    /// The text of its file with the fault in it.
    ///
    /// # Errors
    ///
    /// When the code it replaces is not there once.
    pub(super) fn planted_in(&self, text: &str) -> Result<String, String> {
        match text.matches(self.right).count() {
            1 => Ok(text.replacen(self.right, self.wrong, 1)),
            count => Err(format!(
                "the fault {:?} cannot be planted: {:?} stands {count} times in {}; adapt xtask/src/worlds/faults.rs",
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
    fn every_fault_fits_the_code() {
        for fault in FAULTS {
            let text = std::fs::read_to_string(root().join(fault.file)).unwrap();
            let planted = fault.planted_in(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(planted, text);
        }
    }
}
