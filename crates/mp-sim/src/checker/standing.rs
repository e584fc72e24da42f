//! In a world without faults no link is given up between two programs that run and of which neither
//! ends it, by leaving, by sending the other away or because a queue is full: each endpoint answers
//! the other in time. Only one whose program is busy for seconds may have to hold its links for so
//! long that they are given up while they are held, as Godot's are. Once they are let go none is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use super::Checker;
use crate::census::Census;
use crate::journal::{Fact, News, Run, What};

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Standing {
    /// Which peer each link leads to.
    links: BTreeMap<(Run, EndpointId, ConnectionId), PeerId>,
    leaving: BTreeSet<Run>,
    /// To whom each program has ended its link.
    ended: BTreeSet<(Run, PeerId)>,
    /// From when until when each program is, or was last, busy.
    busy: BTreeMap<Run, (Instant, Instant)>,
}

impl Standing {
    fn stays_for(&self, run: Run, id: PeerId) -> bool {
        !self.leaving.contains(&run) && !self.ended.contains(&(run, id))
    }

    /// Returns whether `run` has been busy for so long `at` a time that it may hold its links for
    /// too long.
    fn is_busy(&self, run: Run, at: Instant) -> bool {
        let busy = self.busy.get(&run);
        busy.is_some_and(|&(since, until)| at.min(until) >= since + LONG && at <= until + BREAK)
    }
}

impl Checker for Standing {
    fn name(&self) -> &'static str {
        "standing"
    }

    fn observe(&mut self, fact: &Fact, census: &Census) -> Result<(), String> {
        let run = fact.run;
        match &fact.what {
            What::IsBusy(time) | What::Hangs(_, time) => {
                let (since, until) = self.busy.entry(run).or_insert((fact.at, fact.at));
                if fact.at > *until + BREAK {
                    (*since, *until) = (fact.at, fact.at);
                }
                *until = fact.at.max(*until) + *time;
            }
            What::Leaves => {
                self.leaving.insert(run);
            }
            // Who takes too long to authenticate itself is sent away.
            What::Kicks(peer) | What::Told(Signal::PeerAuthenticationFailed(peer)) => {
                self.ended.insert((run, *peer));
            }
            What::Mail { endpoint, news: News::Connected(link, Some(peer)) } => {
                self.links.insert((run, *endpoint, *link), *peer);
            }
            What::Mail { endpoint, news: News::Disconnected(link, reason) } => {
                let Some(peer) = self.links.remove(&(run, *endpoint, *link)) else { return Ok(()) };
                if *reason != DisconnectReason::Timeout {
                    self.ended.insert((run, peer));
                    return Ok(());
                }
                let other = census.run_of(peer);
                let other = other.and_then(|other| Some((other, census.person(other)?)));
                if let (Some((other, person)), Some(this)) = (other, census.person(run))
                    && person.is_alive
                    && self.stays_for(run, peer)
                    && self.stays_for(other, this.id)
                    && !self.is_busy(other, fact.at)
                {
                    return Err(format!("{run} is no longer answered by {other}, which is there"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Less than an ENet peer is waited for, 5 s.
const LONG: Duration = Duration::from_secs(4);
/// In which a program cannot take in all that waited.
const BREAK: Duration = Duration::from_secs(2);
