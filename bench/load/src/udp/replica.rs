//! [`Replica`]: nodes of the host of a room, as one client receives them.
//!
//! The host sets the Vector3 of each node to (its number, a counter, 7).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::dialect::{DELTA, SIMPLIFY_PATH, SPAWN};

/// Nodes that a client has received.
#[derive(Default)]
pub(crate) struct Replica {
    /// Net ids of spawned nodes. The host repeats a SPAWN if the client may have missed it.
    spawned: HashSet<u32>,
    /// Number of each node that has changed, by net id.
    changed: HashMap<u32, f32>,
}

impl Replica {
    /// Returns the number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.spawned.len()
    }

    /// Returns whether nodes have changed, each with a number of its own.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut numbers: Vec<f32> = self.changed.values().copied().collect();
        numbers.sort_unstable_by(f32::total_cmp);
        numbers.dedup();
        !numbers.is_empty() && numbers.len() == self.changed.len()
    }

    /// Handles a packet, and returns the answer, if there is one. Returns `None` if the packet is
    /// not correct.
    pub(super) fn take(&mut self, packet: &[u8]) -> Option<Option<Bytes>> {
        match packet {
            [SIMPLIFY_PATH, rest @ ..] => {
                let id: &[u8; 4] = rest.get(CHECKSUM..)?.first_chunk()?;
                Some(Some(Bytes::from([&[CONFIRM_PATH, 1][..], id].concat())))
            }
            [SPAWN, _, _, _, _, _, id @ ..] => {
                self.spawned.insert(u32::from_le_bytes(*id.first_chunk()?));
                Some(None)
            }
            [DELTA, elements @ ..] => self.elements(elements).map(|()| None),
            _ => None,
        }
    }

    fn elements(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((element, others)) = rest.split_first_chunk::<ELEMENT>() {
            let word = |at: usize| [element[at], element[at + 1], element[at + 2], element[at + 3]];
            let [id, len, kind] = [0, 12, 16].map(|at| u32::from_le_bytes(word(at)));
            let [number, _, seven] = [20, 24, 28].map(|at| f32::from_le_bytes(word(at)));
            let is_same = *self.changed.entry(id).or_insert(number) == number;
            if (len, kind, seven) != (VALUE, VECTOR3, 7.0) || !is_same {
                return None;
            }
            rest = others;
        }
        rest.is_empty().then_some(())
    }
}

const CONFIRM_PATH: u8 = 2;
/// Bytes of the checksum of a script's methods, and of the zero after it.
const CHECKSUM: usize = 33;
/// Bytes of a net id, a mask of properties, a length, and a value.
const ELEMENT: usize = 32;
/// Bytes of a Vector3: type and three floats.
const VALUE: u32 = 16;
const VECTOR3: u32 = 9;
