//! Mailbox that records messages from an endpoint to its branch.

use mp_core::{EndpointId, PeerEvent, ToBranch};
use mp_host::{LocalMailbox, Mailbox, TrySendError};

use crate::journal::{EndpointEvent, FactKind, Recorder};

/// Branch mailbox that records accepted messages in the journal.
#[derive(Debug)]
pub(crate) struct BranchMailbox {
    pub(crate) mail: LocalMailbox<ToBranch>,
    pub(crate) endpoint: EndpointId,
    pub(crate) recorder: Recorder,
}

impl BranchMailbox {
    fn record(&self, event: Vec<EndpointEvent>) {
        let endpoint = self.endpoint;
        event
            .into_iter()
            .for_each(|event| self.recorder.record(FactKind::Endpoint { endpoint, event }));
    }
}

impl Mailbox<ToBranch> for BranchMailbox {
    fn try_send(&self, message: ToBranch) -> Result<(), TrySendError<ToBranch>> {
        let event = event(&message);
        self.mail.try_send(message)?;
        self.record(event);
        Ok(())
    }

    fn send_unbounded(&self, message: ToBranch) {
        let event = event(&message);
        self.mail.send_unbounded(message);
        self.record(event);
    }
}

/// Returns the journal entries of a message.
fn event(message: &ToBranch) -> Vec<EndpointEvent> {
    match message {
        ToBranch::Opened(..) => vec![EndpointEvent::Opened],
        ToBranch::Closed(_, reason) => vec![EndpointEvent::Closed(*reason)],
        ToBranch::Events(_, events) => events.iter().filter_map(news_of_event).collect(),
        _ => Vec::new(),
    }
}

fn news_of_event(event: &PeerEvent) -> Option<EndpointEvent> {
    match event {
        PeerEvent::Connected { connection, claimed_id, .. } => {
            Some(EndpointEvent::Connected(*connection, *claimed_id))
        }
        PeerEvent::Packet(packet) => Some(EndpointEvent::Packet(packet.from)),
        PeerEvent::Disconnected { connection, reason } => {
            Some(EndpointEvent::Disconnected(*connection, *reason))
        }
        _ => None,
    }
}
