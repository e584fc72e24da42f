//! [`RoomContext`]: the description of a room that the program builds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{Instant, PeerId};
use mp_identity::Identity;
use mp_rooms::{Metadata, RoomId, RoomName, Template};
use mp_scene::{Branch, BuildError};

use super::handle::RoomsHandle;
use super::identities::Identities;
use crate::record::RoomRecording;
use crate::relay::PlayerFacts;

/// A function of the program that builds rooms of one type.
pub(crate) type RoomType = Arc<dyn Fn(&RoomContext) -> Result<Branch, BuildError> + Send + Sync>;

/// The types of rooms, by name.
pub(crate) type RoomTypes = BTreeMap<String, RoomType>;

/// The description of a room that is being built. Clones may be kept by the room's hooks.
#[derive(Clone)]
pub struct RoomContext {
    pub(super) id: RoomId,
    pub(super) name: RoomName,
    pub(super) template: Arc<Template>,
    pub(super) drain: DrainDeadline,
    pub(super) identities: Identities,
    pub(super) rooms: RoomsHandle,
    /// `None` if the room is not recorded.
    pub(super) recording: Option<RoomRecording>,
}

impl RoomContext {
    /// Returns the room's id.
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// Returns the room's name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Returns the settings with which the room is created.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Returns the metadata with which the room is created.
    pub fn metadata(&self) -> &Metadata {
        &self.template.metadata
    }

    /// Returns the rooms of the server, for example to [move](RoomsHandle::move_peer) a player of
    /// this room to another one. Its methods are asynchronous: the room's methods and hooks start a
    /// task with `actix::spawn`, which runs between the turns of the room.
    ///
    /// ```
    /// use mp_server::RoomContext;
    /// use mp_server::mp_rooms::{RoomName, Template};
    /// use mp_scene::{Branch, BuildError, Signal};
    ///
    /// /// A lobby, whose players move to the match `duel` as soon as there are two.
    /// fn lobby(context: &RoomContext) -> Result<Branch, BuildError> {
    ///     let context = context.clone();
    ///     let start = move |scene: &mut mp_scene::Scene, _| {
    ///         let players = scene.peers();
    ///         let (rooms, lobby) = (context.rooms().clone(), context.id());
    ///         if players.len() == 2 {
    ///             actix::spawn(async move {
    ///                 let Ok(Some(duel)) = rooms.find(&RoomName::new("duel").unwrap()).await else {
    ///                     return;
    ///                 };
    ///                 for player in players {
    ///                     if let Err(error) = rooms.move_peer(lobby, player, duel.id).await {
    ///                         tracing::warn!(%error, %player, "the player stays in the lobby");
    ///                     }
    ///                 }
    ///             });
    ///         }
    ///     };
    ///     Branch::builder("/root").on_peer_connected(start).build()
    /// }
    /// # let _ = lobby;
    /// ```
    pub fn rooms(&self) -> &RoomsHandle {
        &self.rooms
    }

    /// Returns the identity of a player of the room, from before `peer_connected` until after
    /// `peer_disconnected`. `None` if there is no such player, or if players are anonymous
    /// (`identity.method` is `open` or `secret`).
    pub fn identity(&self, peer: PeerId) -> Option<Arc<Identity>> {
        self.identities.get(peer)
    }

    /// Returns the seed of the room's random numbers, which its recording contains.
    pub(crate) fn seed(&self) -> Result<[u8; 32], BuildError> {
        match &self.recording {
            Some(recording) => Ok(recording.seed),
            None => mp_core::host::os_seed().map_err(BuildError::Randomness),
        }
    }

    /// Returns the roles of the players, which a recording contains.
    pub(crate) fn facts(&self) -> PlayerFacts {
        let facts = self.recording.as_ref().map(RoomRecording::facts).unwrap_or_default();
        PlayerFacts::new(facts, self.identities.clone())
    }

    /// Returns the time after which the room is closed because the server is shutting down; `None`
    /// while it is not. A room may close before, for example at the end of a match.
    pub fn drain_deadline(&self) -> Option<Duration> {
        self.drain.remaining()
    }
}

impl fmt::Debug for RoomContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomContext").field("id", &self.id).field("name", &self.name).finish()
    }
}

/// The time at which rooms are closed, once it is known.
#[derive(Clone, Debug)]
pub(super) struct DrainDeadline {
    clock: SystemClock,
    deadline: Arc<OnceLock<Instant>>,
}

impl DrainDeadline {
    pub(super) fn new(clock: SystemClock) -> Self {
        Self { clock, deadline: Arc::default() }
    }

    /// Sets the time. Further calls have no effect.
    pub(super) fn set(&self, after: Duration) {
        self.deadline.get_or_init(|| self.clock.now() + after);
    }

    pub(super) fn remaining(&self) -> Option<Duration> {
        self.deadline.get().map(|&deadline| deadline - self.clock.now())
    }
}
