//! The relay room: a branch without nodes.

use mp_scene::{Branch, BuildError};

use crate::RoomContext;

/// Returns a branch that relays packets between its players: the room type `relay`.
///
/// # Errors
///
/// Returns no error at present.
pub fn relay(_context: &RoomContext) -> Result<Branch, BuildError> {
    Branch::builder("/root").build()
}
