//! The relay room: a branch without nodes.

mod facts;
mod round_trips;
mod settings;

use mp_core::PeerId;
use mp_identity::Role;
use mp_scene::{Branch, BranchBuilder, BuildError};
use mp_tunnel::TunnelSeat;

use crate::RoomContext;
pub(crate) use facts::PlayerFacts;
use round_trips::RoundTrips;
pub(crate) use settings::RelaySettings;

/// Returns a branch that relays packets between its players: the room type `relay`. With
/// [`Template::host`](mp_rooms::Template::host), a player is the server of the others, or a game
/// elsewhere.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub fn relay(context: &RoomContext) -> Result<Branch, BuildError> {
    let template = context.template();
    if template.host == mp_rooms::RoomHost::Tunnel {
        return tunnel(context, Branch::builder("/root"));
    }
    let (settings, round_trips) = (RelaySettings::of(template), RoundTrips::default());
    let facts = context.facts().with_round_trips(round_trips.clone());
    let of_state = context.clone();
    let keep =
        template.keep.then_some(move |state| of_state.rooms().keep_snapshot(of_state.id(), state));
    let room = settings.builder(context.seed()?, facts, keep);
    if settings.measures_round_trips() {
        return round_trips.measure_without_host(context.clone(), room).build();
    }
    room.build()
}

/// Builds a room whose host is a program beside the game.
fn tunnel(context: &RoomContext, room: BranchBuilder) -> Result<Branch, BuildError> {
    let seed = mp_core::host::os_seed().map_err(BuildError::Randomness)?;
    let grace = context.template().host_grace;
    let facts = context.facts();
    let is_host = move |peer: PeerId| facts.role(peer) == Some(Role::Host);
    room.relay_policy(TunnelSeat::new(seed, grace, is_host)).build()
}
