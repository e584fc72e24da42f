//! Parameters of a world that its seed draws before the start. No world has all faults and
//! workloads, so that one cannot mask the effects of another.

use std::fmt;
use std::time::Duration;

use mp_core::Rng;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::link_shaper::LinkConditions;

use crate::faults::FaultKind;
use crate::net::conditions;
use crate::net::wire_format::WireFormat;
use crate::rng_ext::RngExt;
use crate::workload::MessagingStyle;

/// Parameters of a world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Concurrent clients.
    pub clients: usize,
    /// Duration of the active phase, in which programs act and faults are injected.
    pub active_time: Duration,
    /// Server sockets, each with an endpoint.
    pub server_endpoints: usize,
    /// Mailbox capacity in messages.
    pub mailbox: usize,
    /// Maximum delay between waking an actor and its turn.
    pub wake_delay: Duration,
    /// Largest datagram in bytes.
    pub mtu: u16,
    /// Format of datagrams: with or without checksum.
    pub wire: WireFormat,
    /// True to use small queue limits in ENet.
    pub has_small_queues: bool,
    /// True if the server relays packets between clients.
    pub relays: bool,
    /// True if programs authenticate.
    pub authenticates: bool,
    /// True if the server completes authentications later, not at once.
    pub answers_late: bool,
    /// Message sizes and bursts.
    pub messaging: MessagingStyle,
    /// True if clients leave, and the server disconnects clients and closes.
    pub churns: bool,
    /// Mean time between two actions of a program.
    pub act_interval: Duration,
    /// Initial conditions of each client's path.
    pub conditions: Vec<LinkConditions>,
    /// True for a world without faults and with good link conditions.
    pub is_calm: bool,
    /// Kinds of faults in this world.
    pub faults: Vec<FaultKind>,
    /// Mean time between two faults.
    pub fault_interval: Duration,
    /// True if the server replicates nodes.
    pub replicates: bool,
    /// True if the server requests large messages and then is busy.
    pub has_loads: bool,
    /// True if nodes replace each other at a replicated path.
    pub has_swaps: bool,
    /// True if a server endpoint hangs at times while many packets are sent over it.
    pub has_floods: bool,
    /// True if clients create a level up to 12 seconds after they have joined.
    pub has_levels: bool,
    /// True if a node is repeatedly respawned under the same name while peers call it.
    pub has_respawns: bool,
}

impl Plan {
    /// Draws the plan of a world with the given number of clients and active time.
    pub fn draw(clients: usize, active_time: Duration, rng: &mut Rng) -> Self {
        let authenticates = rng.chance(300);
        let relays = rng.chance(850);
        let messaging = MessagingStyle {
            bursts_permille: if rng.chance(400) { 80 } else { 0 },
            large_permille: if rng.chance(500) { 60 } else { 0 },
            relays,
        };
        let wire = WireFormat { has_checksum: rng.chance(400) };
        let is_calm = rng.chance(100);
        let conditions = (0..clients)
            .map(|_| if is_calm { conditions::GOOD } else { conditions::draw(rng) })
            .collect();
        let faults = if is_calm {
            Vec::new()
        } else {
            let occurs = |kind: &FaultKind| rng.chance(kind.share_permille(wire));
            FaultKind::ALL.iter().copied().filter(occurs).collect()
        };
        let mut plan = Self {
            clients,
            active_time,
            server_endpoints: if rng.chance(250) { 2 } else { 1 },
            mailbox: if rng.chance(300) { rng.between(1, 4) as usize } else { MAILBOX_BATCHES },
            wake_delay: Duration::from_micros(rng.pick(&[20, 200, 2_000]).copied().unwrap_or(200)),
            mtu: rng.pick(&[576, 1_200, 1_392, 1_392]).copied().unwrap_or(1_392),
            wire,
            has_small_queues: rng.chance(250),
            relays,
            authenticates,
            answers_late: rng.chance(500),
            messaging,
            churns: rng.chance(500),
            act_interval: Duration::from_millis(
                rng.pick(&[200, 500, 2_000]).copied().unwrap_or(500),
            ),
            conditions,
            is_calm,
            faults,
            fault_interval: Duration::from_millis(rng.between(800, 8_000)),
            replicates: rng.chance(400),
            has_loads: rng.chance(50),
            has_swaps: rng.chance(200),
            has_levels: rng.chance(200),
            has_respawns: rng.chance(200),
            has_floods: rng.chance(50),
        };
        if plan.has_loads {
            // Larger mailboxes would need more messages to fill; they double the CPU time of the
            // world.
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
        write!(f, "{} clients for {} s", self.clients, self.active_time.as_secs())?;
        write!(
            f,
            ", an action every {:?}, wake delays up to {:?}",
            self.act_interval, self.wake_delay
        )?;
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
            (self.has_swaps, "swaps"),
            (self.has_levels, "late levels"),
            (self.messaging.bursts_permille > 0, "bursts"),
            (self.messaging.large_permille > 0, "large messages"),
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
