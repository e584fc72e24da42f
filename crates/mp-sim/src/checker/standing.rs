//! In a world without faults no link is given up between two programs that run and of which neither leaves nor sends the other away:
//! each endpoint answers the other in time, however busy its program is.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};

use super::Checker;
use crate::census::Census;
use crate::journal::{Fact, News, Run, What};

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Standing {
    /// Which peer each link leads to.
    links: BTreeMap<(Run, EndpointId, ConnectionId), PeerId>,
    leaving: BTreeSet<Run>,
    kicked: BTreeSet<(Run, PeerId)>,
}

impl Standing {
    fn stays_for(&self, run: Run, id: PeerId) -> bool {
        !self.leaving.contains(&run) && !self.kicked.contains(&(run, id))
    }
}

impl Checker for Standing {
    fn name(&self) -> &'static str {
        "standing"
    }

    fn observe(&mut self, fact: &Fact, census: &Census) -> Result<(), String> {
        let run = fact.run;
        match &fact.what {
            What::Leaves => {
                self.leaving.insert(run);
            }
            What::Kicks(peer) => {
                self.kicked.insert((run, *peer));
            }
            What::Mail { endpoint, news: News::Connected(link, Some(peer)) } => {
                self.links.insert((run, *endpoint, *link), *peer);
            }
            What::Mail { endpoint, news: News::Disconnected(link, reason) } => {
                let peer = self.links.remove(&(run, *endpoint, *link));
                let (Some(peer), DisconnectReason::Timeout) = (peer, reason) else { return Ok(()) };
                let other =
                    census.run_of(peer).and_then(|other| Some((other, census.person(other)?)));
                if let (Some((other, person)), Some(this)) = (other, census.person(run))
                    && person.is_alive
                    && self.stays_for(run, peer)
                    && self.stays_for(other, this.id)
                {
                    return Err(format!("{run} is no longer answered by {other}, which is there"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
