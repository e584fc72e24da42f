//! [`Migration`]: the choice of another host when the host has left.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::{CallNode, RemoteCall, SceneMessage, Snapshot};

use crate::limits::HOST_GRACE;

/// A function that chooses the next host.
type Choice = Box<dyn FnMut(&[PeerId]) -> Option<PeerId>>;

/// A function that receives the state of a game that no player can host.
type Save = Box<dyn FnMut(Snapshot)>;

/// The settings with which a room goes on when its host has left.
///
/// For the [grace](Self::grace) the game is paused: guests are not notified, and what they send to
/// peer 1 is dropped. Then one of them becomes the host. It receives a message of the game from
/// peer 1, upon which it takes authority over the nodes of the server and adds its nodes again. The
/// other guests keep their nodes.
///
/// A guest that joins without a host receives the nodes that all guests have, with their last known
/// properties.
pub struct Migration {
    message: SceneMessage,
    grace: Duration,
    choice: Choice,
    save: Option<Save>,
}

impl Migration {
    /// The guest that has been in the room for the longest time becomes the host. It receives
    /// `message` as a raw packet: `peer_packet` in Godot.
    pub fn with_packet(message: impl Into<Bytes>) -> Self {
        Self::new(SceneMessage::Raw(message.into()))
    }

    /// As [`with_packet`](Self::with_packet), but with a call without arguments in place of a
    /// packet. `node` is the path of the node relative to the multiplayer root. `method` is the
    /// index of the method in the sorted names of the script's RPC methods.
    pub fn with_call(node: impl Into<String>, method: u16) -> Self {
        let node = CallNode::Path(node.into());
        Self::new(SceneMessage::RemoteCall(RemoteCall {
            node,
            method,
            args: vec![],
            complete: true,
        }))
    }

    fn new(message: SceneMessage) -> Self {
        Self {
            message,
            grace: HOST_GRACE,
            choice: Box::new(|guests| guests.first().copied()),
            save: None,
        }
    }

    /// Sets the time between the departure of the host and the choice of another one. Default:
    /// [`HOST_GRACE`].
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the function that chooses the next host from the guests, which are in the order in
    /// which they joined. With `None` the guests are disconnected with
    /// [`HOST_LEFT`](crate::HOST_LEFT). Default: the first guest.
    pub fn choice(mut self, choose: impl FnMut(&[PeerId]) -> Option<PeerId> + 'static) -> Self {
        self.choice = Box::new(choose);
        self
    }

    /// Keeps the state of the game when the grace ends and no guest can be the host. `save`
    /// receives it, to restore it later in this room or another one ([`Branch::restore`]). The
    /// guests are disconnected with [`HOST_LEFT`](crate::HOST_LEFT). A client that joins later
    /// receives the nodes of the state; the first one that can be the host becomes it at once.
    /// Default: the state is discarded.
    ///
    /// The state has the nodes and properties that a guest would receive that joins without a host.
    /// Nodes that were hidden from a guest are not in it, and neither is a game whose host has
    /// played alone: it has sent nothing.
    ///
    /// [`Branch::restore`]: mp_scene::Branch::restore
    pub fn keep_state(mut self, save: impl FnMut(Snapshot) + 'static) -> Self {
        self.save = Some(Box::new(save));
        self
    }

    pub(crate) fn keeps_state(&self) -> bool {
        self.save.is_some()
    }

    pub(crate) fn save(&mut self, snapshot: Snapshot) {
        if let Some(save) = &mut self.save {
            save(snapshot);
        }
    }

    pub(crate) fn message(&self) -> &SceneMessage {
        &self.message
    }

    pub(crate) fn grace_of(&self) -> Duration {
        self.grace
    }

    pub(crate) fn choose(&mut self, guests: &[PeerId]) -> Option<PeerId> {
        (self.choice)(guests).filter(|peer| guests.contains(peer))
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration")
            .field("message", &self.message)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
