//! Acknowledgements to send with the next datagram, before other commands. Those of a paused
//! connection are sent when it resumes.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::ACKNOWLEDGEMENTS_MAX;
use crate::proto::command::{Body, Command};
use crate::proto::wire::Datagram;

/// The acknowledgements to send to one peer.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    due: VecDeque<Acknowledgement>,
    /// Acknowledgements delayed until the connection resumes: sent time of the last transmission,
    /// by channel and sequence number.
    paused: BTreeMap<(u8, u16), u16>,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledgement {
    channel: u8,
    sequence: u16,
    sent_time: u16,
}

impl Acknowledgements {
    /// Queues an acknowledgement of a command from a datagram with `sent_time`. At the limit it is
    /// dropped, and the peer retransmits the command.
    pub(crate) fn push(&mut self, channel: u8, sequence: u16, sent_time: u16) {
        if self.due.len() < ACKNOWLEDGEMENTS_MAX {
            self.due.push_back(Acknowledgement { channel, sequence, sent_time });
        }
    }

    /// Queues an acknowledgement that is not sent before [`resume`](Self::resume). The limit is the
    /// same.
    pub(crate) fn push_paused(&mut self, channel: u8, sequence: u16, sent_time: u16) {
        let key = (channel, sequence);
        if self.paused.len() < ACKNOWLEDGEMENTS_MAX || self.paused.contains_key(&key) {
            self.paused.insert(key, sent_time);
        }
    }

    /// Returns whether an acknowledgement waits for the connection to resume.
    pub(crate) fn has_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// Queues the acknowledgements of the paused connection. Returns their number.
    pub(crate) fn resume(&mut self) -> usize {
        let paused = std::mem::take(&mut self.paused);
        let count = paused.len();
        for ((channel, sequence), sent_time) in paused {
            self.push(channel, sequence, sent_time);
        }
        count
    }

    /// Moves as many acknowledgements as fit into `datagram`.
    pub(crate) fn pack(&mut self, datagram: &mut Datagram<'_>) {
        while let Some(&Acknowledgement { channel, sequence, sent_time }) = self.due.front() {
            let body = Body::Acknowledge { sequence, sent_time };
            let command = Command { flags: 0, channel, sequence, body };
            if !datagram.has_room(&command, command.fixed_len()) {
                return;
            }
            datagram.push(&command);
            self.due.pop_front();
        }
        if self.due.capacity() > KEPT {
            self.due.shrink_to(KEPT);
        }
    }

    /// Frees the memory that an idle peer does not need.
    pub(crate) fn release(&mut self) {
        self.due.shrink_to(KEPT_IDLE);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Returns the number of acknowledgements that are not delayed.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.paused.clear();
    }
}

/// Capacity that an active peer keeps: the acknowledgements of eight datagrams.
const KEPT: usize = 8 * 32;
/// Capacity that an idle peer keeps, which acknowledges a ping from time to time.
const KEPT_IDLE: usize = 4;
