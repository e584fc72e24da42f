//! [`RoomsSettings`]: settings of a registry.

use super::SamePlayer;
use crate::limits::ROOMS_MAX;
use crate::name::RoomName;

/// Settings of a registry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomsSettings {
    /// Maximum number of rooms, including those that are closing. Default: [`ROOMS_MAX`].
    pub max_rooms: usize,
    /// Maximum number of players of all rooms, with those that wait and reserved seats; `None`: no
    /// limit (default).
    pub max_players: Option<usize>,
    /// Template of rooms that are selected without a template. Default: none, so that such rooms
    /// are not created.
    pub default_template: Option<RoomName>,
    /// The treatment of players who are connected already. Default: [`SamePlayer::Replace`].
    pub same_player: SamePlayer,
    /// Maximum number of rooms that one player has created by joining them; `None`: no limit.
    /// Players without a subject have no limit. Default: `None`.
    pub max_rooms_per_player: Option<usize>,
}

impl Default for RoomsSettings {
    fn default() -> Self {
        Self {
            max_rooms: ROOMS_MAX,
            max_players: None,
            default_template: None,
            same_player: SamePlayer::default(),
            max_rooms_per_player: None,
        }
    }
}
