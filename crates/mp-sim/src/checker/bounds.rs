//! Queues stay within their bounds.

use mp_core::limits::{OUTBOX_PACKETS_MAX, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX};

use super::Checker;
use crate::workload::FLOOD_MAX;
use crate::world::World;

/// See [the module](self).
#[derive(Debug)]
pub struct Bounds {
    mailbox: usize,
}

impl Bounds {
    /// A checker of a world whose mailboxes hold `mailbox` messages.
    pub fn new(mailbox: usize) -> Self {
        Self { mailbox }
    }
}

impl Checker for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn inspect(&mut self, world: &mut World) -> Result<(), String> {
        let mail_max = self.mailbox + FORCED_MAX;
        world.each_program(|program| {
            let (run, figures) = (program.run, program.figures);
            let measured = [
                ("messages in a mailbox", figures.mail as u64, mail_max as u64),
                ("packets in an outbox", figures.queued_packets as u64, QUEUED_PACKETS_MAX as u64),
                ("bytes for a link", figures.queued_bytes, LINK_BYTES_MAX as u64),
            ];
            for (what, is, most) in measured {
                if is > most {
                    return Err(format!("{run} has {is} {what}, which are more than {most}"));
                }
            }
            Ok(())
        })
    }
}

/// The last message of a branch's host is put into a mailbox however full it is.
const FORCED_MAX: usize = 1;
/// One act may say more than is kept for an endpoint that accepts nothing: that it does not is not
/// known yet.
const QUEUED_PACKETS_MAX: usize = OUTBOX_PACKETS_MAX + FLOOD_MAX as usize;
/// A packet is accepted before it is found to be too much.
const LINK_BYTES_MAX: usize =
    RELIABLE_QUEUE_BYTES_MAX + UNRELIABLE_QUEUE_BYTES_MAX + mp_core::limits::PACKET_BYTES_MAX;
