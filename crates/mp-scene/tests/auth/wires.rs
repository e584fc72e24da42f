//! Links between the peers. The two ends of a link open and close independently, and packets are in
//! flight.

use std::collections::{BTreeMap, VecDeque};

use super::model::Did;

/// The links of a server (id 1) and its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wires {
    ends: BTreeMap<(i32, i32), End>,
}

/// One peer's end of its link to another peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    /// The newest link; 0 if there was none.
    link: u32,
    up: bool,
    /// True if the peer has closed the link and receives nothing more.
    leaving: bool,
    /// Older links whose loss is not reported yet.
    late: VecDeque<u32>,
    /// Packets in flight to this end.
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
        // A client's transport has only one link.
        self.ends.get(&(side, other)).is_none_or(|end| !end.up || (end.leaving && side == 1))
    }

    pub fn can_lose(&self, side: i32, other: i32) -> bool {
        self.ends.get(&(side, other)).is_some_and(|end| end.up || !end.late.is_empty())
    }

    pub fn can_deliver(&self, side: i32, other: i32) -> bool {
        let Some(end) = self.ends.get(&(side, other)) else { return false };
        end.up && end.queue.front().is_some_and(|(link, _)| *link == end.link)
    }

    /// Opens the peer's end of a link: the remote end's newest link if this end does not have it
    /// yet, else a new one.
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

    /// Reports the loss of the peer's oldest link.
    pub fn lose(&mut self, side: i32, other: i32) -> u32 {
        let end = self.ends.get_mut(&(side, other)).expect("the link must exist");
        if let Some(late) = end.late.pop_front() {
            return late;
        }
        end.up = false;
        end.clean();
        end.link
    }

    pub fn deliver(&mut self, side: i32, other: i32) -> (u32, Vec<u8>) {
        self.ends
            .get_mut(&(side, other))
            .and_then(|end| end.queue.pop_front())
            .expect("a packet must be in flight")
    }

    /// Closes the peer's transport.
    pub fn close(&mut self, side: i32) {
        for (_, end) in self.ends.iter_mut().filter(|((of, _), _)| *of == side) {
            end.up = false;
            end.late.clear();
            end.clean();
        }
    }

    /// Sends the packets of `did`, and closes its links.
    pub fn take(&mut self, side: i32, did: &Did) {
        for (to, link, packet) in &did.sent {
            let from = self.ends.get(&(side, *to)).expect("the link must exist");
            let stands = from.up && !from.leaving && from.link == *link;
            let to = self.ends.entry((*to, side)).or_default();
            if stands && to.takes(*link) {
                to.queue.push_back((*link, packet.clone()));
            }
        }
        for &(other, link) in &did.ended {
            let end = self.ends.get_mut(&(side, other)).expect("the link must exist");
            if end.link == link {
                end.leaving = true;
                end.clean();
            }
        }
    }
}
