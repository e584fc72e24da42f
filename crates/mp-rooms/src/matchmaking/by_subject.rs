//! [`TicketsBySubject`]: the tickets of players who have a subject.

use std::collections::{BTreeMap, BTreeSet};

use mp_identity::{Identity, Subject};

use crate::matchmaking::TicketHash;

/// The tickets of players who have a subject. Those of anonymous players are not kept: no player
/// is known to have several.
#[derive(Debug, Default)]
pub(crate) struct TicketsBySubject(BTreeMap<Subject, BTreeSet<TicketHash>>);

impl TicketsBySubject {
    pub(crate) fn insert(&mut self, identity: &Identity, ticket: TicketHash) {
        if let Some(subject) = identity.subject() {
            self.0.entry(subject.clone()).or_default().insert(ticket);
        }
    }

    pub(crate) fn remove(&mut self, identity: &Identity, ticket: TicketHash) {
        let Some(subject) = identity.subject() else { return };
        let Some(tickets) = self.0.get_mut(subject) else { return };
        tickets.remove(&ticket);
        if tickets.is_empty() {
            self.0.remove(subject);
        }
    }

    /// Returns the tickets of a player.
    pub(crate) fn of(&self, subject: &Subject) -> impl Iterator<Item = TicketHash> {
        self.0.get(subject).into_iter().flatten().copied()
    }
}
