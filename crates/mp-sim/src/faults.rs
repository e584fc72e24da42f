//! Faults that are injected during the active phase of a world.

use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, Rng};

use crate::net::conditions;
use crate::net::path::corrupt;
use crate::net::wire_format::WireFormat;
use crate::net::{Datagram, SERVER_SLOT, SlotId};
use crate::rng_ext::RngExt;
use crate::trace::Detail;
use crate::world::{ActorId, World};

/// Kind of an injected fault. Permanent loss, delay and jitter of a link are its [conditions].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A path drops all datagrams, in one direction or both.
    Partition,
    /// The link conditions of a path change.
    Conditions,
    /// A path drops long datagrams (an MTU black hole).
    BlackHole,
    /// A path corrupts datagrams.
    Corruption,
    /// The public address of a client changes (NAT rebinding).
    Rebinding,
    /// A client process ends without closing. Another starts, sometimes at the same address.
    ClientCrash,
    /// The server process ends without closing. Another starts.
    ServerCrash,
    /// An actor, or a whole process, gets no turns for a while.
    Stall,
    /// The sockets of a process accept no datagrams to send.
    SendBlocked,
    /// Random, replayed and corrupted datagrams come from unknown addresses.
    ForgedDatagrams,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Partition,
        Self::Conditions,
        Self::BlackHole,
        Self::Corruption,
        Self::Rebinding,
        Self::ClientCrash,
        Self::ServerCrash,
        Self::Stall,
        Self::SendBlocked,
        Self::ForgedDatagrams,
    ];

    /// Share of worlds with this fault, in thousandths.
    pub(crate) const fn share_permille(self, wire: WireFormat) -> u32 {
        match self {
            // Without ENet's checksum corruption cannot be detected.
            Self::Corruption if !wire.has_checksum => 0,
            Self::ServerCrash => 150,
            Self::ForgedDatagrams | Self::Stall => 500,
            _ => 350,
        }
    }

    /// Name in the plan of a world.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Conditions => "conditions",
            Self::BlackHole => "black hole",
            Self::Corruption => "corruption",
            Self::Rebinding => "rebinding",
            Self::ClientCrash => "client crash",
            Self::ServerCrash => "server crash",
            Self::Stall => "stall",
            Self::SendBlocked => "blocked sends",
            Self::ForgedDatagrams => "forged datagrams",
        }
    }
}

/// Injects a fault of `kind`.
pub(crate) fn inject(world: &mut World, kind: FaultKind, rng: &mut Rng) {
    let now = world.now();
    let client = rng.between(1, world.plan().clients as u64) as SlotId;
    let until = now + draw_duration(rng);
    match kind {
        FaultKind::Partition => {
            let directions = rng.between(1, 3);
            let path = world.network.path(client);
            if directions & 1 != 0 {
                path.up.partitioned_until = until;
            }
            if directions & 2 != 0 {
                path.down.partitioned_until = until;
            }
            let which = ["", "up", "down", "both ways"][directions as usize];
            trace_fault(
                world,
                format_args!("path {client} is partitioned ({which}) for {:?}", until - now),
            );
        }
        FaultKind::Conditions => {
            let up = conditions::draw(rng);
            let path = world.network.path(client);
            path.up.set_conditions(up);
            path.down.set_conditions(LinkConditions { delay: up.delay, ..conditions::draw(rng) });
            trace_fault(world, format_args!("path {client} changes its conditions: {up:?}"));
        }
        FaultKind::BlackHole => {
            let longest = rng.between(100, 1_300) as usize;
            let path = world.network.path(client);
            path.up.mtu_limit = (longest, until);
            path.down.mtu_limit = (longest, until);
            trace_fault(
                world,
                format_args!("path {client} drops datagrams longer than {longest} B"),
            );
        }
        FaultKind::Corruption => {
            let share = rng.between(10, 500) as u32;
            let path = world.network.path(client);
            path.up.corruption = (share, until);
            path.down.corruption = (share, until);
            trace_fault(world, format_args!("path {client} corrupts {share} of 1,000 datagrams"));
        }
        FaultKind::Rebinding => {
            if let Some(public_address) = world.network.rebind(client) {
                trace_fault(
                    world,
                    format_args!("client {client} changes its public address to {public_address}"),
                );
            }
        }
        FaultKind::ClientCrash => world.crash(client, rng),
        FaultKind::ServerCrash => world.crash(SERVER_SLOT, rng),
        FaultKind::Stall => {
            let slot = if rng.chance(400) { SERVER_SLOT } else { client };
            let actor = match rng.below(3) {
                0 => None,
                1 => Some(ActorId::Branch),
                _ => Some(ActorId::Endpoint(0)),
            };
            world.stall(slot, actor, until);
            trace_fault(
                world,
                format_args!("slot {slot} stalls ({actor:?}) for {:?}", until - now),
            );
        }
        FaultKind::SendBlocked => {
            let slot = if rng.chance(300) { SERVER_SLOT } else { client };
            let until = now + rng.duration(Duration::from_millis(1), Duration::from_secs(2));
            world.block_sending(slot, until);
            trace_fault(world, format_args!("slot {slot} cannot send for {:?}", until - now));
        }
        FaultKind::ForgedDatagrams => send_forged(world, rng),
    }
}

/// Sends up to 20 datagrams from an unknown address to random sockets: random bytes, captured
/// datagrams, or corrupted copies of them.
fn send_forged(world: &mut World, rng: &mut Rng) {
    let now = world.now();
    let captured = world.captured().to_vec();
    let addresses = world.network.addresses();
    for _ in 0..rng.between(1, 20) {
        let Some(&(to, _)) = rng.pick(&addresses) else { return };
        let bytes = match rng.pick(&captured) {
            Some(bytes) if rng.chance(700) => {
                let mut bytes = bytes.clone();
                if rng.chance(600) {
                    corrupt(&mut bytes, rng);
                }
                bytes
            }
            _ => (0..rng.between(0, 100)).map(|_| rng.next_u32() as u8).collect(),
        };
        let port = rng.between(1, 3) as u16;
        let from = (std::net::Ipv4Addr::new(203, 0, 113, 9), port).into();
        let at = now + rng.duration(Duration::ZERO, Duration::from_millis(50));
        world.send(at, Datagram { from, to, bytes });
    }
    trace_fault(world, format_args!("forged datagrams are sent"));
}

/// Draws the duration of a fault: usually shorter than ENet's timeout, sometimes longer.
fn draw_duration(rng: &mut Rng) -> Duration {
    let (low, high) = match rng.below(10) {
        0..5 => (50, 1_000),
        5..9 => (1_000, 6_000),
        _ => (6_000, 45_000),
    };
    rng.duration(Duration::from_millis(low), Duration::from_millis(high))
}

fn trace_fault(world: &World, text: std::fmt::Arguments<'_>) {
    world.trace().line(Detail::Story, format_args!("fault  {text}"));
}

/// Returns the time of the next fault.
pub(crate) fn next(now: Instant, mean: Duration, rng: &mut Rng) -> Instant {
    now + rng.until(mean)
}
