//! [`PlayerFacts`]: what a room asks about its players.

use mp_core::PeerId;
use mp_identity::Role;
use mp_record::Facts;

use crate::rooms::Identities;

/// The roles of the players of a room, which a recording contains.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlayerFacts {
    facts: Facts,
    /// Empty in a replay.
    identities: Identities,
}

impl PlayerFacts {
    pub(crate) fn new(facts: Facts, identities: Identities) -> Self {
        Self { facts, identities }
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

    /// Returns whether a player has the role of a spectator.
    pub(crate) fn is_spectator(&self, peer: PeerId) -> bool {
        self.role(peer) == Some(Role::Spectator)
    }
}

/// The roles, in the order of their numbers in recordings.
const ROLES: [Role; 3] = [Role::Player, Role::Spectator, Role::Host];
