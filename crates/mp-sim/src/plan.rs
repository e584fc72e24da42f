//! What a seed decides about a world before it begins. Not every world has every fault: what hides behind one is found without it.

use std::fmt;
use std::time::Duration;

use mp_core::Rng;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::link_shaper::LinkConditions;

use crate::dice::Dice;
use crate::faults::FaultKind;
use crate::net::weather;
use crate::net::wire::Wire;
use crate::workload::Style;

/// A world to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Clients that play at a time.
    pub clients: usize,
    /// How long programs play and things go wrong.
    pub storm: Duration,
    /// Sockets of the server, each with an endpoint of its own.
    pub server_endpoints: usize,
    /// Messages that a mailbox holds.
    pub mailbox: usize,
    /// Up to how long an actor takes to come to its turn.
    pub hop: Duration,
    /// Bytes of the largest datagram.
    pub mtu: u16,
    /// Whether datagrams have a checksum.
    pub wire: Wire,
    /// Whether queues are a fraction of what they are by default.
    pub has_small_queues: bool,
    /// Whether the server relays between clients.
    pub relays: bool,
    /// Whether programs authenticate themselves.
    pub authenticates: bool,
    /// Whether the server lets them wait for its answer.
    pub answers_late: bool,
    /// How programs speak.
    pub chatter: Style,
    /// Whether clients leave, and are sent away.
    pub churns: bool,
    /// Mean time between two things that a program does.
    pub pace: Duration,
    /// The path of each client.
    pub weather: Vec<LinkConditions>,
    /// Whether nothing goes wrong, and the weather is good.
    pub is_calm: bool,
    /// What goes wrong.
    pub faults: Vec<FaultKind>,
    /// Mean time between two things that go wrong.
    pub fault_interval: Duration,
    /// Whether the server has nodes that it replicates.
    pub replicates: bool,
    /// Whether the server is busy now and then while much is sent to it.
    pub has_loads: bool,
    /// True when nodes take each other's place at a replicated path.
    pub has_hands: bool,
    /// True when an endpoint of the server hangs now and then while much is sent over it.
    pub has_floods: bool,
    /// True when clients make a level only seconds after they have joined.
    pub has_levels: bool,
    /// True when a node is announced anew under the same name again and again while peers call it.
    pub has_respawns: bool,
}

impl Plan {
    /// The plan of a world of `clients` that lasts for `storm`, as `rng` decides the rest.
    pub fn draw(clients: usize, storm: Duration, rng: &mut Rng) -> Self {
        let authenticates = rng.chance(300);
        let relays = rng.chance(850);
        let chatter = Style {
            bursts_permille: if rng.chance(400) { 80 } else { 0 },
            large_permille: if rng.chance(500) { 60 } else { 0 },
            relays,
        };
        let wire = Wire { has_checksum: rng.chance(400) };
        let is_calm = rng.chance(100);
        let weather = (0..clients)
            .map(|_| if is_calm { weather::CALM } else { weather::draw(rng) })
            .collect();
        let faults = if is_calm {
            Vec::new()
        } else {
            let occurs = |kind: &FaultKind| rng.chance(kind.share_permille(wire));
            FaultKind::EVERY.iter().copied().filter(occurs).collect()
        };
        let mut plan = Self {
            clients,
            storm,
            server_endpoints: if rng.chance(250) { 2 } else { 1 },
            mailbox: if rng.chance(300) { rng.between(1, 4) as usize } else { MAILBOX_BATCHES },
            hop: Duration::from_micros(rng.pick(&[20, 200, 2_000]).copied().unwrap_or(200)),
            mtu: rng.pick(&[576, 1_200, 1_392, 1_392]).copied().unwrap_or(1_392),
            wire,
            has_small_queues: rng.chance(250),
            relays,
            authenticates,
            answers_late: rng.chance(500),
            chatter,
            churns: rng.chance(500),
            pace: Duration::from_millis(rng.pick(&[200, 500, 2_000]).copied().unwrap_or(500)),
            weather,
            is_calm,
            faults,
            fault_interval: Duration::from_millis(rng.between(800, 8_000)),
            replicates: rng.chance(400),
            has_loads: rng.chance(50),
            has_hands: rng.chance(200),
            has_levels: rng.chance(200),
            has_respawns: rng.chance(200),
            has_floods: rng.chance(50),
        };
        if plan.has_loads {
            // What fills larger ones as well takes twice as long to simulate.
            plan.mailbox = rng.between(1, 4) as usize;
        }
        if plan.has_floods {
            plan.mailbox = rng.between(1, 4) as usize;
            plan.server_endpoints = 2;
        }
        plan
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} clients for {} s", self.clients, self.storm.as_secs())?;
        write!(f, ", an act every {:?}, hops up to {:?}", self.pace, self.hop)?;
        write!(f, ", mtu {}, mailboxes of {}", self.mtu, self.mailbox)?;
        let traits = [
            (self.server_endpoints > 1, "two endpoints"),
            (self.wire.has_checksum, "checksums"),
            (self.has_small_queues, "small queues"),
            (!self.relays, "no relay"),
            (self.authenticates, "authentication"),
            (self.churns, "churn"),
            (self.replicates, "replicated nodes"),
            (self.has_loads, "loads"),
            (self.has_respawns, "respawns"),
            (self.has_floods, "floods"),
            (self.has_hands, "hands"),
            (self.has_levels, "late levels"),
            (self.chatter.bursts_permille > 0, "bursts"),
            (self.chatter.large_permille > 0, "large messages"),
        ];
        for (_, name) in traits.iter().filter(|(has, _)| *has) {
            write!(f, ", {name}")?;
        }
        write!(f, "; faults:")?;
        if self.faults.is_empty() {
            return f.write_str(" none");
        }
        for (index, kind) in self.faults.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { " " } else { ", " }, kind.name())?;
        }
        write!(f, ", every {:?}", self.fault_interval)
    }
}
