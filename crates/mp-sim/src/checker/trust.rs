//! Nobody hears what nobody said, from somebody else than who said it, or what was said to others;
//! a method that only the server may call is called by nobody else; a late call of a node that has
//! left is not made on the next node of its name; who cannot authenticate itself does not take
//! part.

use std::collections::BTreeMap;

use mp_core::PeerId;
use mp_scene::Signal;

use super::Checker;
use crate::census::Census;
use crate::journal::{Fact, Run, What};
use crate::workload::{Audience, Lane, Message};

/// See [the module](self).
#[derive(Debug)]
pub struct Trust {
    authenticates: bool,
    /// The last number of each sender and lane.
    said: BTreeMap<(Run, Lane), u32>,
}

impl Trust {
    /// A checker of a world whose programs authenticate themselves, or do not.
    pub fn new(authenticates: bool) -> Self {
        Self { authenticates, said: BTreeMap::new() }
    }

    fn hear(
        &self,
        who: Run,
        from: PeerId,
        message: &Message,
        census: &Census,
    ) -> Result<(), String> {
        let Message { from: sender, lane, number, .. } = *message;
        if self.said.get(&(sender, lane)).is_none_or(|&last| number > last) {
            return Err(format!("{who} hears {message}, which was never said"));
        }
        if census.person(sender).is_none_or(|sender| sender.id != from) {
            return Err(format!("{who} is told that peer {from} said {message}"));
        }
        match lane.to {
            Audience::One(to) if to != who => Err(format!("{who} hears {message}")),
            _ if sender == who => Err(format!("{who} hears itself: {message}")),
            _ => Ok(()),
        }
    }
}

impl Checker for Trust {
    fn name(&self) -> &'static str {
        "trust"
    }

    fn observe(&mut self, fact: &Fact, census: &Census) -> Result<(), String> {
        let run = fact.run;
        match &fact.what {
            What::Says(message) => {
                self.said.insert((run, message.lane), message.number);
                Ok(())
            }
            What::Hears { from, message } => self.hear(run, *from, message, census),
            What::HearsNonsense { from, len } => {
                Err(format!("{run} hears {len} B of nonsense from peer {from}"))
            }
            What::IsOrdered { by } if !by.is_server() => {
                Err(format!("{run} is ordered about by peer {by}"))
            }
            What::IsHit { by, meant, is, may_differ: false } if meant != is => Err(format!(
                "{run} is called as incarnation {is} by peer {by}, which means {meant}"
            )),
            What::Told(Signal::PeerConnected(peer)) if self.authenticates => {
                let newcomer = census.run_of(*peer).and_then(|newcomer| census.person(newcomer));
                if newcomer.is_none_or(|newcomer| newcomer.has_credentials) {
                    return Ok(());
                }
                Err(format!("{run} takes part with peer {peer}, who has no credentials"))
            }
            _ => Ok(()),
        }
    }
}
