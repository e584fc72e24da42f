//! Each `connected` has its `disconnected`, and what is between lies between: of links, as an endpoint tells its branch, and of peers,
//! as a branch tells its program.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{ConnectionId, DisconnectReason, EndpointId, PeerId};
use mp_scene::Signal;

use super::Checker;
use crate::census::Census;
use crate::journal::{Fact, News, Run, What};

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Pairing {
    endpoints: BTreeMap<(Run, EndpointId), Links>,
    sessions: BTreeMap<Run, Session>,
}

/// What an endpoint has told its branch.
#[derive(Debug, Default)]
struct Links {
    stand: BTreeSet<ConnectionId>,
    ever: BTreeSet<ConnectionId>,
    is_closed: bool,
}

/// What a program was told.
#[derive(Debug, Default)]
struct Session {
    peers: BTreeSet<PeerId>,
    authenticating: BTreeSet<PeerId>,
    is_over: bool,
}

impl Links {
    fn observe(&mut self, news: News) -> Result<(), &'static str> {
        if self.is_closed {
            return Err("after its last word");
        }
        match news {
            News::Opened => Ok(()),
            News::Connected(link, _) => {
                self.stand.insert(link);
                if self.ever.insert(link) { Ok(()) } else { Err("again") }
            }
            News::Packet(link) if !self.stand.contains(&link) => Err("without such a link"),
            News::Packet(_) => Ok(()),
            News::Disconnected(link, _) => {
                if self.stand.remove(&link) {
                    Ok(())
                } else {
                    Err("without such a link")
                }
            }
            News::Closed(reason) => {
                self.is_closed = true;
                // A branch that gave its endpoint up is not told of each link.
                let is_clean = self.stand.is_empty() || reason == DisconnectReason::QueueFull;
                if is_clean { Ok(()) } else { Err("while links stand") }
            }
        }
    }
}

impl Session {
    fn observe(&mut self, signal: &Signal) -> Result<(), &'static str> {
        if self.is_over {
            return Err("after the session's end");
        }
        let is_fine = match signal {
            Signal::PeerConnected(peer) => {
                self.authenticating.remove(peer);
                self.peers.insert(*peer)
            }
            Signal::PeerDisconnected(peer) => self.peers.remove(peer),
            Signal::PeerAuthenticating(peer) => self.authenticating.insert(*peer),
            Signal::PeerAuthenticationFailed(peer) => self.authenticating.remove(peer),
            Signal::ServerDisconnected | Signal::ConnectionFailed => {
                self.is_over = true;
                true
            }
            _ => true,
        };
        if is_fine { Ok(()) } else { Err("which does not follow from what it was told before") }
    }
}

impl Checker for Pairing {
    fn name(&self) -> &'static str {
        "pairing"
    }

    fn observe(&mut self, fact: &Fact, _census: &Census) -> Result<(), String> {
        let (run, what) = (fact.run, &fact.what);
        let session = self.sessions.entry(run).or_default();
        match what {
            What::Mail { endpoint, news } => {
                let links = self.endpoints.entry((run, *endpoint)).or_default();
                links.observe(*news).map_err(|why| format!("{run}: {what} {why}"))
            }
            What::Told(signal) => {
                session.observe(signal).map_err(|why| format!("{run} {what}, {why}"))
            }
            What::Kicks(peer) => {
                session.peers.remove(peer);
                session.authenticating.remove(peer);
                Ok(())
            }
            What::Hears { from, .. } if !session.peers.contains(from) => {
                Err(format!("{run} {what}, who is not there"))
            }
            What::Ended(_) => {
                self.sessions.remove(&run);
                self.endpoints.retain(|&(of, _), _| of != run);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
