//! What one client is told of replicated nodes.
//!
//! The servers set the Vector3 of each node to (its number, a counter that grows with every change, 7): so an update that belongs to
//! another node, or goes backwards although it is newer, is noticed.

use bytes::Bytes;

/// Something that a correct server does not send.
pub(super) struct Bad(pub(super) &'static str);

pub(super) struct Watcher {
    /// By the number that the server gave each, from 1.
    nodes: Vec<Option<Seen>>,
    announced: usize,
    /// The newest tick of the server, counted from the first that was seen.
    newest: i64,
    last_time: Option<u16>,
    pub(super) updates: u64,
    pub(super) bytes: u64,
    /// The ticks of the measured phase: after the first, until the second.
    measured: [Option<i64>; 2],
    /// Updates of those ticks.
    pub(super) delivered: u64,
}

/// The newest state of a node.
#[derive(Clone, Copy, Default)]
struct Seen {
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

    /// How many nodes the server has announced.
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

    /// Updates that the server has made for this client: of always properties one per node and tick, whether or not it arrived.
    pub(super) const fn due(&self) -> u64 {
        match self.last_time {
            Some(_) => self.newest as u64 * self.announced as u64,
            None => self.updates,
        }
    }

    /// Updates of always properties that the measured ticks had.
    pub(super) fn expected(&self) -> u64 {
        let [Some(first), Some(last)] = self.measured else { return 0 };
        // A server that only sends changes has no time in its packets.
        if self.last_time.is_none() { 0 } else { (last - first) as u64 * self.announced as u64 }
    }

    /// A packet of the server's, and what is answered.
    pub(super) fn take(&mut self, packet: &[u8]) -> Result<Option<Bytes>, Bad> {
        match packet {
            [SIMPLIFY_PATH, rest @ ..] => {
                let id: [u8; 4] = part(rest, 33)?;
                let place = u32::from_le_bytes(id) as usize;
                let node = self.nodes.get_mut(place).ok_or(Bad("a path with a strange number"))?;
                // A server announces a path again when its confirmation is late.
                if node.is_none() {
                    *node = Some(Seen::default());
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
                self.newest += 1; // reliable packets come in order, so any growing number will do
                self.elements(self.newest, elements, 12).map(|()| None)
            }
            _ => Err(Bad("a strange packet")),
        }
    }

    /// Reads elements of a head (the number of the node, for changes a mask) and a length of 4 bytes.
    fn elements(&mut self, tick: i64, mut rest: &[u8], head: usize) -> Result<(), Bad> {
        while !rest.is_empty() {
            let id = u32::from_le_bytes(part(rest, 0)?);
            if u32::from_le_bytes(part(rest, head)?) != VALUE {
                return Err(Bad("a value that is not of 16 bytes"));
            }
            let value = rest.get(head + 4..head + 4 + VALUE as usize);
            self.update(tick, id, value.ok_or(Bad("half an element"))?)?;
            rest = &rest[head + 4 + VALUE as usize..];
        }
        Ok(())
    }

    fn update(&mut self, tick: i64, id: u32, value: &[u8]) -> Result<(), Bad> {
        let place = (id ^ PATH_ID) as usize;
        let seen = self.nodes.get_mut(place).and_then(Option::as_mut);
        let seen = seen.ok_or(Bad("an update of a node that was not announced"))?;
        let float = |at| part(value, at).map(f32::from_le_bytes);
        let (number, counter, seven) = (float(4)?, float(8)?, float(12)?);
        if u32::from_le_bytes(part(value, 0)?) != VECTOR3 || seven != 7.0 {
            return Err(Bad("a value that was not set"));
        }
        if *seen.number.get_or_insert(number) != number {
            return Err(Bad("the value of another node"));
        }
        // Unsequenced packets may overtake each other.
        if tick > seen.tick {
            if counter < seen.counter {
                return Err(Bad("a newer update with an older value"));
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

    /// The number of a tick whose net time is `time`.
    fn tick(&mut self, time: u16) -> i64 {
        let last = *self.last_time.get_or_insert(time);
        let tick = self.newest + i64::from(time.wrapping_sub(last).cast_signed());
        if tick > self.newest {
            (self.newest, self.last_time) = (tick, Some(time));
        }
        tick
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Bad> {
    let part = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    part.ok_or(Bad("half a packet"))
}

const SIMPLIFY_PATH: u8 = 1;
const CONFIRM_PATH: u8 = 2;
const SYNC: u8 = 6;
const DELTA: u8 = 0x16;
/// Synchronizers that were not spawned go by the number of their path.
const PATH_ID: u32 = 0x8000_0000;
/// A Vector3: its type and three floats.
const VALUE: u32 = 16;
const VECTOR3: u32 = 9;
