//! The relay room: a branch without nodes.

use mp_core::PeerId;
use mp_identity::Role;
use mp_relay::{HostSeat, Migration};
use mp_rooms::{HostMigration, NextHost, RoomHost};
use mp_scene::{Branch, BranchBuilder, BuildError};
use mp_tunnel::TunnelSeat;

use crate::RoomContext;

/// Returns a branch that relays packets between its players: the room type `relay`. With
/// [`Template::host`](mp_rooms::Template::host), a player is the server of the others, or a game
/// elsewhere.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub fn relay(context: &RoomContext) -> Result<Branch, BuildError> {
    let room = Branch::builder("/root");
    let seat = match context.template().host {
        RoomHost::First => HostSeat::first(),
        RoomHost::Role(role) => {
            let context = context.clone();
            HostSeat::with_rule(move |peer| role_of(&context, peer) == Some(role))
        }
        RoomHost::Tunnel => return tunnel(context, room),
        _ => return room.build(),
    };
    let seat = match &context.template().migration {
        Some(settings) => seat.migration(migration(context, settings)),
        None => seat,
    };
    room.relay_policy(seat).build()
}

/// Builds a room whose host is a program beside the game.
fn tunnel(context: &RoomContext, room: BranchBuilder) -> Result<Branch, BuildError> {
    let seed = mp_core::host::os_seed().map_err(BuildError::Randomness)?;
    let grace = context.template().host_grace;
    let context = context.clone();
    let is_host = move |peer| role_of(&context, peer) == Some(Role::Host);
    room.relay_policy(TunnelSeat::new(seed, grace, is_host)).build()
}

/// Returns how a room goes on when its host has left.
fn migration(context: &RoomContext, settings: &HostMigration) -> Migration {
    let grace = context.template().host_grace;
    let (context, next) = (context.clone(), settings.next);
    let may_host = move |peer| match (next, role_of(&context, peer)) {
        (NextHost::Role(role), found) => found == Some(role),
        (_, found) => found != Some(Role::Spectator),
    };
    Migration::with_packet(settings.message.clone())
        .grace(grace)
        .choice(move |guests| guests.iter().copied().find(|&guest| may_host(guest)))
}

fn role_of(context: &RoomContext, peer: PeerId) -> Option<Role> {
    context.identity(peer).map(|identity| identity.role())
}
