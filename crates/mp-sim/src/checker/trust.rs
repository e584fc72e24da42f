//! Checks authenticity and authorization. Received messages were sent by the reported sender to
//! this receiver; authority methods are called by the server only; a late call of a removed node
//! does not run on its successor of the same name; clients without the password are not accepted.

use std::collections::BTreeMap;

use mp_core::PeerId;
use mp_scene::Signal;

use super::Checker;
use crate::journal::{Fact, FactKind, RunId};
use crate::programs::Programs;
use crate::workload::{Audience, ProgramMessage, Stream};

/// Checker of authenticity and authorization.
#[derive(Debug)]
pub struct TrustChecker {
    authenticates: bool,
    /// Last number by sender and stream.
    sent: BTreeMap<(RunId, Stream), u32>,
}

impl TrustChecker {
    /// Creates a checker. `authenticates` is true if clients need the password.
    pub fn new(authenticates: bool) -> Self {
        Self { authenticates, sent: BTreeMap::new() }
    }

    fn check_received(
        &self,
        receiver: RunId,
        from: PeerId,
        message: &ProgramMessage,
        programs: &Programs,
    ) -> Result<(), String> {
        let ProgramMessage { from: sender, stream, number, .. } = *message;
        if self.sent.get(&(sender, stream)).is_none_or(|&last| number > last) {
            return Err(format!("{receiver} receives {message}, which was never sent"));
        }
        if programs.record(sender).is_none_or(|sender| sender.id != from) {
            return Err(format!("{receiver} receives {message}, attributed to peer {from}"));
        }
        match stream.to {
            Audience::One(to) if to != receiver => {
                Err(format!("{receiver} receives {message}, which is for another program"))
            }
            _ if sender == receiver => Err(format!("{receiver} receives its own {message}")),
            _ => Ok(()),
        }
    }
}

impl Checker for TrustChecker {
    fn name(&self) -> &'static str {
        "trust"
    }

    fn observe(&mut self, fact: &Fact, programs: &Programs) -> Result<(), String> {
        let run = fact.run;
        match &fact.kind {
            FactKind::Sent(message) => {
                self.sent.insert((run, message.stream), message.number);
                Ok(())
            }
            FactKind::Received { from, message } => {
                self.check_received(run, *from, message, programs)
            }
            FactKind::ReceivedMalformed { from, len } => {
                Err(format!("{run} receives a malformed message of {len} B from peer {from}"))
            }
            FactKind::AuthorityMethodCalled { by } if !by.is_server() => {
                Err(format!("{run} executes an authority method for peer {by}"))
            }
            FactKind::AvatarCalled { by, expected, actual, may_differ: false }
                if expected != actual =>
            {
                Err(format!(
                    "{run} executes a call of peer {by} for incarnation {expected} on {actual}"
                ))
            }
            FactKind::Signal(Signal::PeerConnected(peer)) if self.authenticates => {
                let newcomer =
                    programs.run_of(*peer).and_then(|newcomer| programs.record(newcomer));
                if newcomer.is_none_or(|newcomer| newcomer.has_credentials) {
                    return Ok(());
                }
                Err(format!("{run} accepts peer {peer}, which has no password"))
            }
            _ => Ok(()),
        }
    }
}
