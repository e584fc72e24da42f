//! [`RelaySettings`]: the settings that determine what a relay room does.

use std::time::Duration;

use mp_core::PeerId;
use mp_identity::Role;
use mp_relay::{HostSeat, Migration};
use mp_rooms::{NextHost, RoomHost, Template};
use mp_scene::{Branch, BranchBuilder, BuildError, Snapshot};
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
    LowestRtt,
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
                NextHost::LowestRtt => Next::LowestRtt,
                _ => Next::Oldest,
            }),
            host_message: migration.map(|it| it.message.clone()).unwrap_or_default(),
            host_grace_ms: template.host_grace.as_millis() as u64,
            silence_ms: 0,
        }
    }

    /// Returns whether the next host is the player with the lowest round-trip time.
    pub(super) fn measures_round_trips(&self) -> bool {
        self.next_host == Some(Next::LowestRtt)
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
        self.builder(seed, facts, None::<fn(Snapshot)>).build()
    }

    /// Returns the builder of a room. `keep` is called with the state of a game that no player can
    /// host.
    pub(super) fn builder(
        &self,
        seed: [u8; 32],
        facts: PlayerFacts,
        keep: Option<impl FnMut(Snapshot) + 'static>,
    ) -> BranchBuilder {
        let room = Branch::builder("/root").seed(seed);
        let of_seat = facts.clone();
        let seat = match self.host {
            Host::First => HostSeat::first(),
            Host::Role => HostSeat::with_rule(move |peer| of_seat.role(peer) == Some(Role::Host)),
            Host::None => return room,
        };
        let Some(next) = self.next_host else { return room.relay_policy(seat) };
        let migration = self.migration(next, facts);
        room.relay_policy(seat.migration(match keep {
            Some(keep) => migration.keep_state(keep),
            None => migration,
        }))
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
        let choice = move |guests: &[PeerId]| {
            let role = |guest| facts.role(guest);
            choose(next, guests, role, |guest| facts.round_trip_time(guest))
        };
        Migration::with_packet(self.host_message.clone())
            .grace(Duration::from_millis(self.host_grace_ms))
            .choice(choice)
    }
}

/// Returns the next host of `guests`, which are in the order in which they joined.
fn choose(
    next: Next,
    guests: &[PeerId],
    role: impl Fn(PeerId) -> Option<Role>,
    round_trip_time: impl Fn(PeerId) -> Option<Duration>,
) -> Option<PeerId> {
    let may_host = |guest: &PeerId| match (next, role(*guest)) {
        (Next::Role, found) => found == Some(Role::Host),
        (Next::Oldest | Next::LowestRtt, found) => found != Some(Role::Spectator),
    };
    let mut guests = guests.iter().copied().filter(may_host);
    match next {
        // The first one of several with the same time.
        Next::LowestRtt => guests.min_by_key(|&it| round_trip_time(it).unwrap_or(Duration::MAX)),
        Next::Oldest | Next::Role => guests.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: i32) -> PeerId {
        PeerId::new(id).unwrap()
    }

    #[test]
    fn next_host_has_the_role_or_the_lowest_round_trip_time_or_is_the_oldest() {
        let guests = [5, 3, 7, 9].map(peer);
        let role = |guest| match PeerId::get(guest) {
            5 => Some(Role::Spectator),
            9 => Some(Role::Host),
            _ => Some(Role::Player),
        };
        let time = |guest| match PeerId::get(guest) {
            5 => Some(Duration::ZERO),
            3 => None,
            _ => Some(Duration::from_millis(20)),
        };
        let next = |next| choose(next, &guests, role, time);
        assert_eq!(next(Next::Oldest), Some(peer(3)));
        assert_eq!(next(Next::LowestRtt), Some(peer(7)), "the first of two, and no spectator");
        assert_eq!(next(Next::Role), Some(peer(9)));
        let unknown = choose(Next::LowestRtt, &guests, role, |_| None);
        assert_eq!(unknown, Some(peer(3)), "without times, the oldest");
    }
}
