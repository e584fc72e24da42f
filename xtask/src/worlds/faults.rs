//! Faults to plant: each changes one place in the code. All are planted in one build, and each is
//! off until it is chosen.

/// A fault to plant.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// Effect of the fault.
    pub(super) what: &'static str,
    /// Part of mp-sim's worlds that finds the fault: a value of `--only`.
    pub(super) part: &'static str,
    /// Path of the source file, relative to the workspace.
    pub(super) file: &'static str,
    /// Text to replace; it must occur exactly once.
    right: &'static str,
    /// The replacement. `PLANTED` is whether the fault is chosen, `RIGHT` is the replaced text.
    wrong: &'static str,
}

/// Environment variable with the name of the chosen fault.
pub(super) const CHOSEN: &str = "MP_SIM_FAULT";

/// All faults that can be planted.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "requeued-at-the-end",
        what: "the branch appends a batch that a full mailbox returned to the end of its queue",
        part: "main",
        file: "crates/mp-scene/src/outbox.rs",
        right: "self.waiting.push_front(message);",
        wrong: "if PLANTED { self.waiting.push_back(message) } else { RIGHT }",
    },
    Fault {
        name: "acknowledged-without-capacity",
        what: "reliable commands are acknowledged although the receive queue is full",
        part: "main",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "if outcome == Outcome::Accepted && self.acknowledges(&command) {",
        wrong: "if (PLANTED || outcome == Outcome::Accepted) && self.acknowledges(&command) {",
    },
    Fault {
        name: "unsequenced-duplicates",
        what: "unsequenced packets are not recorded, so that duplicates are delivered",
        part: "main",
        file: "crates/mp-transport-enet/src/proto/peer/receive.rs",
        right: "} else if self.unsequenced.accept(*group) {",
        wrong: "} else if self.unsequenced.accept(*group) || PLANTED {",
    },
    Fault {
        name: "missing-del-peer",
        what: "the server does not notify the other clients that a peer has left",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/session/membership.rs",
        right: "cx.sender.send_to_all(&others, &SceneMessage::DelPeer(peer));",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "stale-timer",
        what: "the timer of an ENet peer stays when the peer is removed",
        part: "main",
        file: "crates/mp-transport-enet/src/proto/host/mod.rs",
        right: "self.timers.remove(&(at, slot));",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "premature-disconnect",
        what: "a graceful close does not wait until all packets have been acknowledged",
        part: "main",
        file: "crates/mp-transport-enet/src/proto/peer/closing.rs",
        right: "if self.state == State::DisconnectLater && self.sender.is_idle() {",
        wrong: "if self.state == State::DisconnectLater && (PLANTED || self.sender.is_idle()) {",
    },
    Fault {
        name: "relayed-before-announced",
        what: "relayed packets are not deferred until their sender is announced",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/session/relay.rs",
        right: "if cx.sender.routes().contains(author) ||",
        wrong: "if PLANTED || cx.sender.routes().contains(author) ||",
    },
    Fault {
        name: "authority-not-checked",
        what: "any peer can call methods that only the authority may call",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/paths/receive.rs",
        right: "RpcMode::Authority => tree.multiplayer_authority(node) == Some(from),",
        wrong: "RpcMode::Authority => PLANTED || tree.multiplayer_authority(node) == Some(from),",
    },
    Fault {
        name: "reused-path-id",
        what: "the path id of a removed node stays valid for its successor of the same name",
        part: "main",
        file: "crates/mp-scene/src/path_cache/remote.rs",
        right: "if announcement_of(node) != assigned.announcement {",
        wrong: "if announcement_of(node) != assigned.announcement && !PLANTED {",
    },
    Fault {
        name: "never-resumed",
        what: "connections that were paused for a full branch mailbox never resume receiving",
        part: "main",
        file: "crates/mp-core/src/endpoint/queue.rs",
        right: "let is_released = self.is_full &&",
        wrong: "let is_released = !PLANTED && self.is_full &&",
    },
    Fault {
        name: "resumed-in-state-only",
        what: "an endpoint marks its connections as resumed, but they stay paused",
        part: "main",
        file: "crates/mp-core/src/endpoint/mod.rs",
        right: "self.resume_all(branch);",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "missing-stall-timeout",
        what: "a branch reads no messages while an endpoint hangs",
        part: "main",
        file: "crates/mp-host/src/branch.rs",
        right: "self.clock.peek(now, || self.due()) - congestion.since < STALL_TIMEOUT",
        wrong: "(if PLANTED { self.clock.now() >= congestion.since } else { RIGHT })",
    },
    Fault {
        name: "abandoned-but-serving",
        what: "an endpoint that the branch has abandoned keeps serving its connections",
        part: "main",
        file: "crates/mp-host/src/branch.rs",
        right: "handle.leave(DisconnectReason::QueueFull, CloseMode::Immediate);",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "kick-without-event",
        what: "no event reports that the program has disconnected a peer",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/session/membership.rs",
        right: "cx.events.push(ApiEvent::PeerGone(peer));",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "calls-below-hidden",
        what: "calls of nodes below a hidden node are sent to peers without that node",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "let outer = self.announced_entity(cx.tree, node).filter(|&outer| outer != node);",
        wrong: "RIGHT let outer = outer.filter(|_| !PLANTED);",
    },
    Fault {
        name: "state-below-hidden",
        what: "synchronizers below a hidden node are sent to peers without that node",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/replication/visibility.rs",
        right: "enclosing.dedup();",
        wrong: "if PLANTED { enclosing.retain(|&it| it == synchronizer.entity) } else { RIGHT }",
    },
    Fault {
        name: "deferral-too-short",
        what: "announcements for a missing level are deferred only as long, and as many, as calls",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/paths/deferred.rs",
        right: "Self::Level => (LEVEL_PACKETS_MAX, LEVEL_BYTES_MAX, LEVEL_TIME),",
        wrong: "Self::Level if PLANTED => (DEFERRED_PACKETS_MAX, DEFERRED_BYTES_MAX, \
                DEFERRED_TIME), RIGHT",
    },
    Fault {
        name: "stale-synchronized-node",
        what: "a synchronizer keeps using the first node that it found at a path",
        part: "main",
        file: "crates/mp-scene/src/scene_multiplayer/replication/targets.rs",
        right: "for key in self.path_nodes.get(&node).cloned().unwrap_or_default() {",
        wrong: "RIGHT if PLANTED { continue; }",
    },
    Fault {
        name: "places-kept",
        what: "a room keeps the places of players who have left",
        part: "rooms",
        file: "crates/mp-rooms/src/rooms/joins.rs",
        right: "let id = self.places.remove(&connection)?;",
        wrong: "let kept = self.places.get(&connection).copied().filter(|_| PLANTED); \
                let id = kept.or_else(|| self.places.remove(&connection))?;",
    },
    Fault {
        name: "codes-not-checked",
        what: "private rooms admit players without the code",
        part: "rooms",
        file: "crates/mp-rooms/src/rooms/room.rs",
        right: "} else if self.code.is_some() &&",
        wrong: "} else if !PLANTED && self.code.is_some() &&",
    },
    Fault {
        name: "no-fence",
        what: "packets that a moved peer has sent for its old room are accepted by the new one",
        part: "moves",
        file: "crates/mp-scene/src/scene_multiplayer/session/moves.rs",
        right: "self.moves.fences.insert(peer, id);",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "ids-shared-by-rooms",
        what: "rooms between which players move assign the same path ids",
        part: "moves",
        file: "crates/mp-scene/src/scene_multiplayer/moves.rs",
        right: "self.paths.set_id_blocks(blocks.clone());",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "net-ids-shared-by-rooms",
        what: "rooms between which players move assign the same net ids",
        part: "moves",
        file: "crates/mp-scene/src/scene_multiplayer/moves.rs",
        right: "self.replication.set_id_blocks(blocks.clone());",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "lease-too-long",
        what: "a node that cannot renew its lease speaks for its rooms until others have them",
        part: "cluster",
        file: "crates/mp-cluster/src/lease.rs",
        right: "let until = sent + LEASE_TIME.saturating_sub(LEASE_MARGIN);",
        wrong: "RIGHT let until = if PLANTED { now + LEASE_TIME + LEASE_MARGIN } else { until };",
    },
    Fault {
        name: "gap-not-detected",
        what: "a gateway does not detect that a batch with reliable packets is missing",
        part: "cluster",
        file: "crates/mp-cluster/src/gateway/incoming.rs",
        right: "if self.last.insert(mark.stream, sequence) != before {",
        wrong: "if self.last.insert(mark.stream, sequence) != before && !PLANTED {",
    },
    Fault {
        name: "lost-lease-ignored",
        what: "a node sends the frames of a room after it has lost its lease",
        part: "cluster",
        file: "crates/mp-cluster/src/gateways.rs",
        right: "route.there != node && epoch_of(&route.room) != Some(route.epoch)",
        wrong: "!PLANTED && RIGHT",
    },
    Fault {
        name: "marks-not-sent",
        what: "a gateway whose batches were lost does not name the last batch of each connection",
        part: "cluster",
        file: "crates/mp-cluster/src/gateway/link.rs",
        right: "self.outgoing.push_marks();",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "guest-speaks-as-host",
        what: "packets that the next host has sent as a guest are those of peer 1",
        part: "hosted",
        file: "crates/mp-relay/src/seat/host.rs",
        right: "if self.is_outdated(&packet.payload) {",
        wrong: "if !PLANTED && self.is_outdated(&packet.payload) {",
    },
    Fault {
        name: "hidden-nodes-replayed",
        what: "guests that join without a host receive nodes that were hidden from others",
        part: "hosted",
        file: "crates/mp-relay/src/cache/replay.rs",
        right: "let is_public = node.is_public &&",
        wrong: "let is_public = (PLANTED || node.is_public) &&",
    },
    Fault {
        name: "last-values-not-replayed",
        what: "guests that join without a host receive the values at the time of the spawn",
        part: "hosted",
        file: "crates/mp-relay/src/cache/values.rs",
        right: "budget.store(slot, &value);",
        wrong: "if !PLANTED { RIGHT }",
    },
    Fault {
        name: "kept-peer-announced-as-left",
        what: "the others are notified that a kept peer leaves and returns",
        part: "resumes",
        file: "crates/mp-scene/src/scene_multiplayer/session/kept.rs",
        right: "if !self.relayed.resume(peer, other) {",
        wrong: "if !self.relayed.resume(peer, other) || PLANTED {",
    },
    Fault {
        name: "queued-calls-beyond-bound",
        what: "one more call is queued for a kept peer than its bound",
        part: "resumes",
        file: "crates/mp-scene/src/scene_multiplayer/session/kept.rs",
        right: "keep.queued_calls());",
        wrong: "keep.queued_calls() + usize::from(PLANTED));",
    },
    Fault {
        name: "announcements-not-repeated",
        what: "a peer that has resumed does not receive the paths that others have announced to it",
        part: "resumes",
        file: "crates/mp-scene/src/scene_multiplayer/resume.rs",
        right: "self.session.repeat_announcements(&mut self.sender, new);",
        wrong: "if !PLANTED { RIGHT }",
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

/// Returns the text of a source file with all of its faults planted.
///
/// # Errors
///
/// Returns an error if the text that a fault replaces does not occur exactly once.
pub(super) fn planted_in(file: &str, text: String) -> Result<String, String> {
    let mut text = text;
    for fault in FAULTS.iter().filter(|fault| fault.file == file) {
        text = fault.planted_in(&text)?;
    }
    if file == CORE {
        text.push_str(PLANTED);
    }
    Ok(text)
}

/// The root of mp-core, of which all packages with faults are built.
const CORE: &str = "crates/mp-core/src/lib.rs";

/// The function of mp-core that returns whether a fault is chosen.
const PLANTED: &str = r#"
pub fn planted(fault: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("MP_SIM_FAULT").ok()).as_deref() == Some(fault)
}
"#;

impl Fault {
    fn planted_in(&self, text: &str) -> Result<String, String> {
        let root = if self.file.starts_with("crates/mp-core/") { "crate" } else { "mp_core" };
        let planted = format!("{root}::planted({:?})", self.name);
        let wrong = self.wrong.replace("PLANTED", &planted).replace("RIGHT", self.right);
        match text.matches(self.right).count() {
            1 => Ok(text.replacen(self.right, &wrong, 1)),
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
    fn all_faults_can_be_planted_and_are_off_until_they_are_chosen() {
        for fault in FAULTS {
            let text = std::fs::read_to_string(root().join(fault.file)).unwrap();
            let planted = planted_in(fault.file, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(planted.contains(&format!("::planted({:?})", fault.name)), "{}", fault.name);
        }
        let core = std::fs::read_to_string(root().join(CORE)).unwrap();
        assert!(planted_in(CORE, core).unwrap().contains(CHOSEN));
    }
}
