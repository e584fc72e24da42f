//! Who is who in a world, from the facts alone.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::PeerId;
use mp_scene::Signal;

use crate::journal::{Fact, Run, What};
use crate::net::{PlaceId, SERVER_PLACE};

/// Every program there ever was.
#[derive(Debug, Default)]
pub struct Census {
    people: BTreeMap<Run, Person>,
    clients: BTreeMap<PeerId, Run>,
    server: Option<Run>,
}

/// A program, dead or alive.
#[derive(Debug)]
pub struct Person {
    /// Its peer id.
    pub id: PeerId,
    /// Where it runs.
    pub place: PlaceId,
    /// Whether it has what it needs to authenticate itself.
    pub has_credentials: bool,
    /// Whether it runs.
    pub is_alive: bool,
    /// The peers it has been told of.
    pub knows: BTreeSet<PeerId>,
}

impl Census {
    /// Takes a fact in.
    pub(crate) fn observe(&mut self, fact: &Fact) {
        if let What::Began { place, id, has_credentials } = fact.what {
            let knows = BTreeSet::new();
            let person = Person { id, place, has_credentials, is_alive: true, knows };
            self.people.insert(fact.run, person);
            if place == SERVER_PLACE {
                self.server = Some(fact.run);
            } else {
                self.clients.insert(id, fact.run);
            }
        }
        let Some(person) = self.people.get_mut(&fact.run) else { return };
        match &fact.what {
            What::Ended(_) => {
                person.is_alive = false;
                person.knows.clear();
            }
            What::Told(Signal::PeerConnected(peer)) => {
                person.knows.insert(*peer);
            }
            // A peer that is kicked is gone without a signal.
            What::Told(Signal::PeerDisconnected(peer)) | What::Kicks(peer) => {
                person.knows.remove(peer);
            }
            What::Told(Signal::ServerDisconnected) => person.knows.clear(),
            _ => {}
        }
    }

    /// A program.
    pub fn person(&self, run: Run) -> Option<&Person> {
        self.people.get(&run)
    }

    /// The client with an id, or the server of the moment.
    pub fn run_of(&self, id: PeerId) -> Option<Run> {
        if id.is_server() { self.server } else { self.clients.get(&id).copied() }
    }

    /// Whether both programs run and each knows the other.
    pub fn are_acquainted(&self, one: Run, other: Run) -> bool {
        let (Some(one), Some(other)) = (self.person(one), self.person(other)) else { return false };
        one.is_alive
            && other.is_alive
            && one.knows.contains(&other.id)
            && other.knows.contains(&one.id)
    }

    /// Whether no program ever had this id.
    pub(crate) fn is_new(&self, id: PeerId) -> bool {
        !self.clients.contains_key(&id)
    }
}
