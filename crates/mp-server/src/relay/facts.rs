//! [`PlayerFacts`]: what a room asks about its players.

use std::time::Duration;

use mp_core::PeerId;
use mp_identity::Role;
use mp_record::Facts;

use super::RoundTrips;
use crate::rooms::Identities;

/// The roles and round-trip times of the players of a room, which a recording contains.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlayerFacts {
    facts: Facts,
    /// Empty in a replay.
    identities: Identities,
    /// Empty unless the room chooses its next host by them.
    round_trips: RoundTrips,
}

impl PlayerFacts {
    pub(crate) fn new(facts: Facts, identities: Identities) -> Self {
        Self { facts, identities, round_trips: RoundTrips::default() }
    }

    /// Sets where the round-trip times are.
    pub(super) fn with_round_trips(self, round_trips: RoundTrips) -> Self {
        Self { round_trips, ..self }
    }

    /// Returns the role of a player; `None` if it is anonymous.
    pub(crate) fn role(&self, peer: PeerId) -> Option<Role> {
        let role = || self.identities.get(peer).map(|identity| identity.role());
        let index = self.facts.ask(peer.get().unsigned_abs().into(), || match role() {
            None => 0,
            Some(role) => ROLES.iter().position(|it| *it == role).map_or(0, |at| at as u64 + 1),
        });
        ROLES.get(usize::try_from(index).ok()?.checked_sub(1)?).copied()
    }

    /// Returns the round-trip time of a player; `None` if it is not known.
    pub(super) fn round_trip_time(&self, peer: PeerId) -> Option<Duration> {
        let key = ROUND_TRIPS | u64::from(peer.get().unsigned_abs());
        let micros = || self.round_trips.of(peer).map_or(0, |time| time.as_micros().max(1) as u64);
        let micros = self.facts.ask(key, micros);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Returns whether a player has the role of a spectator.
    pub(crate) fn is_spectator(&self, peer: PeerId) -> bool {
        self.role(peer) == Some(Role::Spectator)
    }
}

/// The roles, in the order of their numbers in recordings.
const ROLES: [Role; 3] = [Role::Player, Role::Spectator, Role::Host];

/// Bit of the questions for round-trip times. The others are for roles.
const ROUND_TRIPS: u64 = 1 << 32;
