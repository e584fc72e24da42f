//! The way from an endpoint to the mailbox of its branch.

use mp_core::{EndpointId, PeerEvent, ToBranch};
use mp_host::{LocalMailbox, Mailbox, TrySendError};

use crate::journal::{Ear, News, What};

/// A branch's mailbox that notes in the journal what an endpoint puts in.
#[derive(Debug)]
pub(crate) struct BranchMailbox {
    pub(crate) mail: LocalMailbox<ToBranch>,
    pub(crate) endpoint: EndpointId,
    pub(crate) ear: Ear,
}

impl BranchMailbox {
    fn note(&self, news: Vec<News>) {
        let endpoint = self.endpoint;
        news.into_iter().for_each(|news| self.ear.note(What::Mail { endpoint, news }));
    }
}

impl Mailbox<ToBranch> for BranchMailbox {
    fn try_send(&self, message: ToBranch) -> Result<(), TrySendError<ToBranch>> {
        let news = news(&message);
        self.mail.try_send(message)?;
        self.note(news);
        Ok(())
    }

    fn send_last(&self, message: ToBranch) {
        let news = news(&message);
        self.mail.send_last(message);
        self.note(news);
    }
}

/// Returns the contents of a message, for the journal.
fn news(message: &ToBranch) -> Vec<News> {
    match message {
        ToBranch::Opened(..) => vec![News::Opened],
        ToBranch::Closed(_, reason) => vec![News::Closed(*reason)],
        ToBranch::Events(_, events) => events.iter().filter_map(news_of_event).collect(),
        _ => Vec::new(),
    }
}

fn news_of_event(event: &PeerEvent) -> Option<News> {
    match event {
        PeerEvent::Connected { connection, claimed_id, .. } => {
            Some(News::Connected(*connection, *claimed_id))
        }
        PeerEvent::Packet(packet) => Some(News::Packet(packet.from)),
        PeerEvent::Disconnected { connection, reason } => {
            Some(News::Disconnected(*connection, *reason))
        }
        _ => None,
    }
}
