//! The bus and the directory between nodes, with faults.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_cluster::directory::{Operation, OperationId, OperationOutcome, Unavailable};
use mp_cluster::{ClusterId, ClusterNodeId, Epoch, FrameCodec, MemoryDirectory};
use mp_core::bytes::Bytes;
use mp_core::{Instant, Rng};
use mp_rooms::RoomName;

use crate::rng_ext::RngExt;

/// The bus, the directory, and what is on its way.
#[derive(Debug)]
pub(super) struct Bus {
    rng: Rng,
    codec: FrameCodec,
    conditions: Conditions,
    directory: MemoryDirectory,
    /// Time until which the directory does not respond.
    pub(super) directory_away_until: Instant,
    in_flight: BTreeMap<(Instant, u64), Mail>,
    sent: u64,
    /// The node that spoke for a room in each epoch.
    speakers: BTreeMap<RoomName, BTreeMap<Epoch, ClusterNodeId>>,
}

/// Shares in thousandths.
#[derive(Clone, Copy, Debug)]
struct Conditions {
    loss: u32,
    duplicates: u32,
    /// Messages that are late, so that others overtake them.
    late: u32,
    delay: Duration,
    late_by: Duration,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    Frame(ClusterNodeId, Bytes),
    Request(ClusterNodeId, Asker, OperationId, Operation),
    Result(ClusterNodeId, Asker, OperationId, Result<OperationOutcome, Unavailable>),
}

/// The state machine that requests an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    Lease,
    Claims,
}

impl Bus {
    pub(super) fn new(cluster: ClusterId, mut rng: Rng) -> Self {
        let conditions = Conditions {
            loss: *rng.pick(&[0, 0, 1, 5, 20]).unwrap_or(&0),
            duplicates: *rng.pick(&[0, 10, 100]).unwrap_or(&0),
            late: *rng.pick(&[0, 10, 100]).unwrap_or(&0),
            delay: rng.duration(Duration::ZERO, Duration::from_millis(20)),
            late_by: rng.duration(Duration::from_millis(1), Duration::from_millis(150)),
        };
        Self {
            rng,
            codec: FrameCodec::new(cluster),
            conditions,
            directory: MemoryDirectory::new(),
            directory_away_until: Instant::ZERO,
            in_flight: BTreeMap::new(),
            sent: 0,
            speakers: BTreeMap::new(),
        }
    }

    /// Returns whether all messages arrive in order.
    pub(super) fn is_faultless(&self) -> bool {
        self.conditions.loss == 0 && self.conditions.late == 0
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) {
        self.conditions.loss = 0;
        self.conditions.late = 0;
        self.directory_away_until = Instant::ZERO;
    }

    /// Sends a message, or loses it.
    pub(super) fn send(&mut self, now: Instant, mail: &Mail) {
        let Conditions { loss, duplicates, late, delay, late_by } = self.conditions;
        if self.rng.chance(loss) {
            return;
        }
        let is_repeated = matches!(mail, Mail::Frame(..)) && self.rng.chance(duplicates);
        for _ in 0..=u8::from(is_repeated) {
            let is_late = self.rng.chance(late);
            let at = now + delay + if is_late { late_by } else { Duration::ZERO };
            self.sent += 1;
            self.in_flight.insert((at, self.sent), mail.clone());
        }
    }

    /// Checks who speaks for a room when a frame is sent.
    ///
    /// # Errors
    ///
    /// A violation: another node spoke in the same epoch, or a later owner spoke before.
    pub(super) fn check(&mut self, from: ClusterNodeId, bytes: &Bytes) -> Result<(), String> {
        let frame = self.codec.decode(bytes).map_err(|refusal| refusal.to_string())?;
        if !frame.speaks_for_room() {
            return Ok(());
        }
        let (room, epoch) = frame.room();
        if !self.speakers.contains_key(room) {
            self.speakers.insert(room.clone(), BTreeMap::new());
        }
        let Some(speakers) = self.speakers.get_mut(room) else { return Ok(()) };
        if let Some((later, node)) = speakers.range(epoch..).next_back().filter(|it| *it.0 > epoch)
        {
            return Err(format!(
                "{from} speaks for {room} in epoch {epoch}, after {node} has in epoch {later}"
            ));
        }
        let speaker = *speakers.entry(epoch).or_insert(from);
        if speaker != from {
            return Err(format!("{from} and {speaker} speak for {room} in epoch {epoch}"));
        }
        Ok(())
    }

    /// Removes and returns the next message that arrives by `now`. Requests reach the directory
    /// here.
    pub(super) fn receive(&mut self, now: Instant) -> Option<Mail> {
        loop {
            let first = self.in_flight.first_entry().filter(|first| first.key().0 <= now)?;
            match first.remove() {
                Mail::Request(node, asker, id, operation) => {
                    if now < self.directory_away_until {
                        continue;
                    }
                    let outcome = self.directory.apply_at(now, operation);
                    self.send(now, &Mail::Result(node, asker, id, Ok(outcome)));
                }
                mail => return Some(mail),
            }
        }
    }
}
