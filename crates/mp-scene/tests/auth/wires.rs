//! What lies between the sides: links that come up and break at either end on their own, and packets under way.

use std::collections::{BTreeMap, VecDeque};

use super::model::Did;

/// A server, 1, and clients that each have a link to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wires {
    ends: BTreeMap<(i32, i32), End>,
}

/// One side's end of its link to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    /// The youngest link, 0 when there was none.
    link: u32,
    up: bool,
    /// The side has asked to end it: it takes nothing in any more.
    leaving: bool,
    /// Older links whose end is still to be reported.
    late: VecDeque<u32>,
    /// What is under way to this end.
    queue: VecDeque<(u32, Vec<u8>)>,
}

impl End {
    fn takes(&self, link: u32) -> bool {
        self.link < link || (self.link == link && self.up && !self.leaving)
    }

    fn clean(&mut self) {
        let end = (self.link, self.up && !self.leaving);
        self.queue.retain(|(link, _)| end.0 < *link || end == (*link, true));
    }
}

impl Wires {
    pub fn can_connect(&self, side: i32, other: i32) -> bool {
        // A client's transport has one link in its life.
        self.ends.get(&(side, other)).is_none_or(|end| !end.up || (end.leaving && side == 1))
    }

    pub fn can_lose(&self, side: i32, other: i32) -> bool {
        self.ends.get(&(side, other)).is_some_and(|end| end.up || !end.late.is_empty())
    }

    pub fn can_deliver(&self, side: i32, other: i32) -> bool {
        let Some(end) = self.ends.get(&(side, other)) else { return false };
        end.up && end.queue.front().is_some_and(|(link, _)| *link == end.link)
    }

    /// The side's end of a link comes up: the other's youngest if there is one that it does not have yet.
    pub fn connect(&mut self, side: i32, other: i32) -> u32 {
        let theirs = self.ends.get(&(other, side)).map_or(0, |end| end.link);
        let end = self.ends.entry((side, other)).or_default();
        if end.up {
            end.late.push_back(end.link);
        }
        end.link = if theirs > end.link { theirs } else { end.link + 1 };
        (end.up, end.leaving) = (true, false);
        end.clean();
        end.link
    }

    /// The side is told of the end of its oldest link.
    pub fn lose(&mut self, side: i32, other: i32) -> u32 {
        let end = self.ends.get_mut(&(side, other)).expect("a link");
        if let Some(late) = end.late.pop_front() {
            return late;
        }
        end.up = false;
        end.clean();
        end.link
    }

    pub fn deliver(&mut self, side: i32, other: i32) -> (u32, Vec<u8>) {
        self.ends.get_mut(&(side, other)).and_then(|end| end.queue.pop_front()).expect("a packet")
    }

    /// The side's transport ends.
    pub fn close(&mut self, side: i32) {
        for (_, end) in self.ends.iter_mut().filter(|((of, _), _)| *of == side) {
            end.up = false;
            end.late.clear();
            end.clean();
        }
    }

    /// Takes what a side sent, and the links that it ends.
    pub fn take(&mut self, side: i32, did: &Did) {
        for (to, link, packet) in &did.sent {
            let from = self.ends.get(&(side, *to)).expect("a link");
            let stands = from.up && !from.leaving && from.link == *link;
            let to = self.ends.entry((*to, side)).or_default();
            if stands && to.takes(*link) {
                to.queue.push_back((*link, packet.clone()));
            }
        }
        for &(other, link) in &did.ended {
            let end = self.ends.get_mut(&(side, other)).expect("a link");
            if end.link == link {
                end.leaving = true;
                end.clean();
            }
        }
    }
}
