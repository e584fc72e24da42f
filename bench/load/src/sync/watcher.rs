//! Replicated nodes as one client receives them.
//!
//! Servers set the Vector3 of each node to (its number, a counter of its changes, 7). So updates
//! for the wrong node, or with an older value, are detected.

use bytes::Bytes;

/// Error for a packet that a correct server does not send.
pub(super) struct ProtocolError(pub(super) &'static str);

pub(super) struct Watcher {
    /// Nodes by number, from 1.
    nodes: Vec<Option<NodeState>>,
    announced: usize,
    /// Newest tick of the server, counted from the first received one.
    newest: i64,
    last_time: Option<u16>,
    pub(super) updates: u64,
    pub(super) bytes: u64,
    /// First and last tick of the measured phase.
    measured: [Option<i64>; 2],
    /// Updates received for these ticks.
    pub(super) delivered: u64,
}

/// Newest state of a node.
#[derive(Clone, Copy, Default)]
struct NodeState {
    number: Option<f32>,
    counter: f32,
    tick: i64,
}

impl Watcher {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![None; nodes + 1],
            announced: 0,
            newest: 0,
            last_time: None,
            updates: 0,
            bytes: 0,
            measured: [None; 2],
            delivered: 0,
        }
    }

    /// Returns the number of announced nodes.
    pub(super) const fn nodes(&self) -> usize {
        self.announced
    }

    pub(super) const fn ticks(&self) -> i64 {
        self.newest
    }

    pub(super) fn mark(&mut self) {
        if let Some(mark) = self.measured.iter_mut().find(|mark| mark.is_none()) {
            *mark = Some(self.newest);
        }
    }

    /// Returns the number of updates sent to this client, received or not: for `always` properties
    /// one per node and tick.
    pub(super) const fn due(&self) -> u64 {
        match self.last_time {
            Some(_) => self.newest as u64 * self.announced as u64,
            None => self.updates,
        }
    }

    /// Returns the number of updates of `always` properties in the measured ticks.
    pub(super) fn expected(&self) -> u64 {
        let [Some(first), Some(last)] = self.measured else { return 0 };
        // A server that only sends changes has no times in its packets.
        if self.last_time.is_none() { 0 } else { (last - first) as u64 * self.announced as u64 }
    }

    /// Handles a packet of the server. Returns the answer.
    pub(super) fn take(&mut self, packet: &[u8]) -> Result<Option<Bytes>, ProtocolError> {
        match packet {
            [SIMPLIFY_PATH, rest @ ..] => {
                let id: [u8; 4] = part(rest, 33)?;
                let index = u32::from_le_bytes(id) as usize;
                let node =
                    self.nodes.get_mut(index).ok_or(ProtocolError("a path id out of range"))?;
                // A server repeats the announcement of a path if its confirmation is late.
                if node.is_none() {
                    *node = Some(NodeState::default());
                    self.announced += 1;
                }
                Ok(Some(Bytes::from([&[CONFIRM_PATH, 1][..], &id].concat())))
            }
            [SYNC, low, high, elements @ ..] => {
                self.bytes += packet.len() as u64;
                let tick = self.tick(u16::from_le_bytes([*low, *high]));
                self.elements(tick, elements, 4).map(|()| None)
            }
            [DELTA, elements @ ..] => {
                self.bytes += packet.len() as u64;
                self.newest += 1; // reliable packets are ordered, so any increasing number works
                self.elements(self.newest, elements, 12).map(|()| None)
            }
            _ => Err(ProtocolError("an unknown packet")),
        }
    }

    /// Parses elements: a head (path id, and for changes a mask), a length of 4 bytes, and values.
    fn elements(&mut self, tick: i64, mut rest: &[u8], head: usize) -> Result<(), ProtocolError> {
        while !rest.is_empty() {
            let id = u32::from_le_bytes(part(rest, 0)?);
            if u32::from_le_bytes(part(rest, head)?) != VALUE {
                return Err(ProtocolError("a value that does not have 16 bytes"));
            }
            let value = rest.get(head + 4..head + 4 + VALUE as usize);
            self.update(tick, id, value.ok_or(ProtocolError("a truncated element"))?)?;
            rest = &rest[head + 4 + VALUE as usize..];
        }
        Ok(())
    }

    fn update(&mut self, tick: i64, id: u32, value: &[u8]) -> Result<(), ProtocolError> {
        let index = (id ^ PATH_ID) as usize;
        let seen = self.nodes.get_mut(index).and_then(Option::as_mut);
        let seen = seen.ok_or(ProtocolError("an update of a node that was not announced"))?;
        let float = |at| part(value, at).map(f32::from_le_bytes);
        let (number, counter, seven) = (float(4)?, float(8)?, float(12)?);
        if u32::from_le_bytes(part(value, 0)?) != VECTOR3 || seven != 7.0 {
            return Err(ProtocolError("a value that was not set"));
        }
        if *seen.number.get_or_insert(number) != number {
            return Err(ProtocolError("the value of another node"));
        }
        // Unsequenced packets may be reordered.
        if tick > seen.tick {
            if counter < seen.counter {
                return Err(ProtocolError("a newer update with an older value"));
            }
            (seen.counter, seen.tick) = (counter, tick);
        }
        self.updates += 1;
        let [first, last] = self.measured;
        if first.is_some_and(|first| tick > first) && last.is_none_or(|last| tick <= last) {
            self.delivered += 1;
        }
        Ok(())
    }

    /// Extends the 16-bit network time to a tick number.
    fn tick(&mut self, time: u16) -> i64 {
        let last = *self.last_time.get_or_insert(time);
        let tick = self.newest + i64::from(time.wrapping_sub(last).cast_signed());
        if tick > self.newest {
            (self.newest, self.last_time) = (tick, Some(time));
        }
        tick
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ProtocolError> {
    let part = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    part.ok_or(ProtocolError("a truncated packet"))
}

const SIMPLIFY_PATH: u8 = 1;
const CONFIRM_PATH: u8 = 2;
const SYNC: u8 = 6;
const DELTA: u8 = 0x16;
/// Path ids identify synchronizers that were not spawned.
const PATH_ID: u32 = 0x8000_0000;
/// Encoded length of a Vector3: type and three floats.
const VALUE: u32 = 16;
const VECTOR3: u32 = 9;
