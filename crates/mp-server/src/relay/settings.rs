//! [`RelaySettings`]: the settings that determine what a relay room does.

use std::time::Duration;

use mp_core::PeerId;
use mp_identity::Role;
use mp_relay::{HostSeat, Migration};
use mp_rooms::{NextHost, RoomHost, Template};
use mp_scene::{Branch, BuildError};
use serde::{Deserialize, Serialize};

use super::PlayerFacts;

/// The settings that determine what a relay room does. They are part of its recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelaySettings {
    /// True if the room relays packets between players.
    relay: bool,
    host: Host,
    next_host: Option<Next>,
    host_message: String,
    host_grace_ms: u64,
    /// Time without a packet after which a WebRTC player is disconnected; 0: never.
    silence_ms: u64,
}

/// The player that is the server of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Host {
    #[default]
    None,
    First,
    Role,
}

/// The player that is the next host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Next {
    Oldest,
    Role,
}

impl RelaySettings {
    /// Returns the settings of the rooms of a template, whose players have no limit of silence.
    pub(crate) fn of(template: &Template) -> Self {
        let migration = template.migration.as_ref();
        Self {
            relay: template.relay,
            host: match template.host {
                RoomHost::First => Host::First,
                RoomHost::Role(_) => Host::Role,
                _ => Host::None,
            },
            next_host: migration.map(|migration| match migration.next {
                NextHost::Role(_) => Next::Role,
                _ => Next::Oldest,
            }),
            host_message: migration.map(|it| it.message.clone()).unwrap_or_default(),
            host_grace_ms: template.host_grace.as_millis() as u64,
            silence_ms: 0,
        }
    }

    /// Sets the time without a packet after which a WebRTC player is disconnected.
    pub(crate) fn silence(self, silence: Duration) -> Self {
        Self { silence_ms: silence.as_millis() as u64, ..self }
    }

    /// Builds a room.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub(crate) fn build(&self, seed: [u8; 32], facts: PlayerFacts) -> Result<Branch, BuildError> {
        let room = Branch::builder("/root").seed(seed);
        let of_seat = facts.clone();
        let seat = match self.host {
            Host::First => HostSeat::first(),
            Host::Role => HostSeat::with_rule(move |peer| of_seat.role(peer) == Some(Role::Host)),
            Host::None => return room.build(),
        };
        room.relay_policy(match self.next_host {
            Some(next) => seat.migration(self.migration(next, facts)),
            None => seat,
        })
        .build()
    }

    /// Sets the properties that rooms of all types have.
    pub(crate) fn apply(&self, branch: &mut Branch, facts: PlayerFacts) {
        let multiplayer = branch.scene().multiplayer_mut();
        multiplayer.set_silence_timeout(Duration::from_millis(self.silence_ms));
        multiplayer.set_relay_permission(move |peer| !facts.is_spectator(peer));
        if !self.relay {
            multiplayer.set_server_relay(false);
        }
    }

    /// Returns how a room goes on when its host has left.
    fn migration(&self, next: Next, facts: PlayerFacts) -> Migration {
        let may_host = move |peer: PeerId| match (next, facts.role(peer)) {
            (Next::Role, found) => found == Some(Role::Host),
            (Next::Oldest, found) => found != Some(Role::Spectator),
        };
        Migration::with_packet(self.host_message.clone())
            .grace(Duration::from_millis(self.host_grace_ms))
            .choice(move |guests| guests.iter().copied().find(|&guest| may_host(guest)))
    }
}
