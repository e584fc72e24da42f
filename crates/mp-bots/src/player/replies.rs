//! Replies to the calls of a player.

use std::collections::VecDeque;

use mp_core::{Instant, TransferMode, Variant};

use crate::client::ReceivedCall;
use crate::scenario::{ArgumentTemplate, CallStep};
use crate::stats::{Counter, Stats, Timing};

/// Calls whose replies are expected, in the order of the calls.
#[derive(Debug, Default)]
pub(super) struct PendingReplies(VecDeque<PendingReply>);

#[derive(Debug)]
struct PendingReply {
    method: String,
    /// Number that the reply contains, if the call has it as an argument.
    sequence: Option<i64>,
    due: Instant,
    deadline: Instant,
    is_reliable: bool,
}

impl PendingReplies {
    /// Adds a call that was scheduled for `due`, if it has a reply.
    pub(super) fn add(
        &mut self,
        now: Instant,
        call: &CallStep,
        sequence: i64,
        due: Instant,
        mode: TransferMode,
        stats: &mut Stats,
    ) {
        let Some(method) = call.reply.clone() else { return };
        if self.0.len() >= PENDING_MAX
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.lose(stats);
        }
        let is_numbered = call.args.contains(&ArgumentTemplate::Sequence);
        self.0.push_back(PendingReply {
            method,
            sequence: is_numbered.then_some(sequence),
            due,
            deadline: now + call.within,
            is_reliable: mode.is_reliable(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the time at which the first reply is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|pending| pending.deadline).min()
    }

    /// Counts late replies.
    pub(super) fn expire(&mut self, now: Instant, stats: &mut Stats) {
        self.0.retain(|pending| {
            let is_late = now >= pending.deadline;
            if is_late {
                pending.lose(stats);
            }
            !is_late
        });
    }

    /// Counts all replies as lost: the connection has ended.
    pub(super) fn lose_all(&mut self, stats: &mut Stats) {
        self.0.drain(..).for_each(|pending| pending.lose(stats));
    }

    /// Handles a received call, which may be a reply.
    pub(super) fn receive(&mut self, now: Instant, call: &ReceivedCall, stats: &mut Stats) {
        let Some(method) = &call.method else { return };
        let is_reply = |pending: &PendingReply| {
            let has_sequence = |sequence| call.args.contains(&Variant::Int(sequence));
            *pending.method == **method && pending.sequence.is_none_or(has_sequence)
        };
        let Some(index) = self.0.iter().position(is_reply) else { return };
        if let Some(PendingReply { due, .. }) = self.0.remove(index) {
            stats.count(Counter::Replies);
            stats.record(Timing::RoundTrip, now - due);
        }
    }
}

impl PendingReply {
    fn lose(&self, stats: &mut Stats) {
        stats.count(match self.is_reliable {
            true => Counter::LostReliable,
            false => Counter::LostUnreliable,
        });
    }
}

/// Maximum number of calls of a player whose replies are expected. The oldest is then counted as
/// lost.
const PENDING_MAX: usize = 65_536;
