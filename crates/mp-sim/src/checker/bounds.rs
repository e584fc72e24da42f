//! Checks that queues keep their bounds.

use mp_core::limits::{OUTBOX_PACKETS_MAX, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX};

use super::Checker;
use crate::workload::FLOOD_MAX;
use crate::world::World;

/// Checker of queue bounds.
#[derive(Debug)]
pub struct BoundsChecker {
    mailbox: usize,
}

impl BoundsChecker {
    /// Creates a checker for mailboxes of the given capacity in messages.
    pub fn new(mailbox: usize) -> Self {
        Self { mailbox }
    }
}

impl Checker for BoundsChecker {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn inspect(&mut self, world: &mut World) -> Result<(), String> {
        let mail_max = self.mailbox + FORCED_MAX;
        world.each_program(|program| {
            let (run, stats) = (program.run, program.stats);
            let measured = [
                ("messages in a mailbox", stats.mail as u64, mail_max as u64),
                ("packets in an outbox", stats.queued_packets as u64, QUEUED_PACKETS_MAX as u64),
                ("bytes for a connection", stats.queued_bytes, CONNECTION_BYTES_MAX as u64),
            ];
            for (what, is, most) in measured {
                if is > most {
                    return Err(format!("{run} has {is} {what}, but at most {most} are allowed"));
                }
            }
            Ok(())
        })
    }
}

/// `send_unbounded` ignores the capacity of a mailbox.
const FORCED_MAX: usize = 1;
/// One action may queue this many packets before the branch notices that the endpoint is full.
const QUEUED_PACKETS_MAX: usize = OUTBOX_PACKETS_MAX + FLOOD_MAX as usize;
/// A packet is queued before the limit is checked.
const CONNECTION_BYTES_MAX: usize =
    RELIABLE_QUEUE_BYTES_MAX + UNRELIABLE_QUEUE_BYTES_MAX + mp_core::limits::PACKET_BYTES_MAX;
