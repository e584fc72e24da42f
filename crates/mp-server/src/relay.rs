//! The relay room: a branch without nodes.

use mp_relay::HostSeat;
use mp_rooms::RoomHost;
use mp_scene::{Branch, BuildError};

use crate::RoomContext;

/// Returns a branch that relays packets between its players: the room type `relay`. With
/// [`Template::host`](mp_rooms::Template::host), a player is the server of the others.
///
/// # Errors
///
/// Returns no error at present.
pub fn relay(context: &RoomContext) -> Result<Branch, BuildError> {
    let room = Branch::builder("/root");
    match context.template().host {
        RoomHost::First => room.relay_policy(HostSeat::first()),
        RoomHost::Role(role) => {
            let context = context.clone();
            let has_role = move |peer| context.identity(peer).is_some_and(|it| it.role() == role);
            room.relay_policy(HostSeat::with_rule(has_role))
        }
        _ => room,
    }
    .build()
}
