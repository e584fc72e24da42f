//! Who leaves in peace has delivered what it had accepted: when a program asked to leave and ended in time, its peer saw the link
//! end by its goodbye, and it was not told itself that the link failed, then that peer has heard everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::limits::LINGER;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use super::Checker;
use super::ledger::Shared;
use crate::census::Census;
use crate::journal::{End, Fact, News, Run, What};

/// See [the module](self).
#[derive(Debug)]
pub struct Farewells {
    ledger: Shared,
    leaving: BTreeMap<Run, Instant>,
    /// Programs that were not kept waiting for their goodbye.
    in_peace: BTreeSet<Run>,
    /// Which peer each link leads to.
    links: BTreeMap<(Run, EndpointId, ConnectionId), PeerId>,
    /// Whom each program has seen say goodbye.
    goodbyes: BTreeSet<(Run, PeerId)>,
    kicked: BTreeSet<(Run, PeerId)>,
    /// To whom each program was told that it could not deliver.
    failed: BTreeSet<(Run, PeerId)>,
    /// What was missing when the one who stays, whose id it is, was told that the other has left.
    complaints: BTreeMap<Run, Vec<(PeerId, String)>>,
}

impl Farewells {
    pub(super) fn new(ledger: Shared) -> Self {
        Self {
            ledger,
            leaving: BTreeMap::new(),
            in_peace: BTreeSet::new(),
            links: BTreeMap::new(),
            goodbyes: BTreeSet::new(),
            kicked: BTreeSet::new(),
            failed: BTreeSet::new(),
            complaints: BTreeMap::new(),
        }
    }

    /// `stays` is told that `id` has left.
    fn part(&mut self, stays: Run, id: PeerId, census: &Census) -> Result<(), String> {
        let said_goodbye = self.goodbyes.remove(&(stays, id));
        let Some(leaver) = census.run_of(id).filter(|leaver| self.leaving.contains_key(leaver))
        else {
            return Ok(());
        };
        let Some(own_id) = census.person(stays).map(|person| person.id) else { return Ok(()) };
        let is_kicked =
            self.kicked.contains(&(stays, id)) || self.kicked.contains(&(leaver, own_id));
        // Who leaves itself takes nothing in any more.
        if !said_goodbye || is_kicked || self.leaving.contains_key(&stays) {
            return Ok(());
        }
        let Some(missing) = self.ledger.borrow().missing(leaver, stays) else { return Ok(()) };
        let complaint = format!("{leaver} has left in peace, but {missing}");
        self.complaints.entry(leaver).or_default().push((own_id, complaint));
        self.judge(leaver)
    }

    /// Whether all that is missing of a program is excused, or may yet be.
    fn judge(&self, leaver: Run) -> Result<(), String> {
        let complaints = self.complaints.get(&leaver).into_iter().flatten();
        let mut inexcusable =
            complaints.filter(|(stays, _)| !self.failed.contains(&(leaver, *stays)));
        match inexcusable.next() {
            Some((_, complaint)) if self.in_peace.contains(&leaver) => Err(complaint.clone()),
            _ => Ok(()),
        }
    }
}

impl Checker for Farewells {
    fn name(&self) -> &'static str {
        "farewell"
    }

    fn observe(&mut self, fact: &Fact, census: &Census) -> Result<(), String> {
        let run = fact.run;
        match &fact.what {
            What::Leaves => {
                self.leaving.insert(run, fact.at);
            }
            What::Kicks(peer) => {
                self.kicked.insert((run, *peer));
            }
            What::Ended(End::Closed) => {
                let since = self.leaving.get(&run);
                if since.is_some_and(|&since| fact.at + MARGIN < since + LINGER) {
                    self.in_peace.insert(run);
                    return self.judge(run);
                }
            }
            What::Abandons(endpoint) => {
                let links = self.links.iter();
                let of_endpoint = links.filter(|((of, on, _), _)| (*of, on) == (run, endpoint));
                self.failed.extend(of_endpoint.map(|(_, &peer)| (run, peer)));
            }
            What::Mail { endpoint, news: News::Connected(link, Some(peer)) } => {
                self.links.insert((run, *endpoint, *link), *peer);
            }
            What::Mail { endpoint, news: News::Disconnected(link, reason) } => {
                let peer = self.links.remove(&(run, *endpoint, *link));
                match (peer, reason) {
                    (Some(peer), DisconnectReason::Remote(_)) => {
                        self.goodbyes.insert((run, peer));
                    }
                    (Some(peer), DisconnectReason::QueueFull) => {
                        self.failed.insert((run, peer));
                    }
                    _ => {}
                }
            }
            What::Told(Signal::PeerDisconnected(peer)) => return self.part(run, *peer, census),
            What::Told(Signal::ServerDisconnected) => {
                return self.part(run, PeerId::SERVER, census);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A timer of the endpoint may have struck this much before its end was noticed.
const MARGIN: Duration = Duration::from_millis(50);
