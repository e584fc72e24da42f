//! What goes wrong in a world while its storm lasts.

use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use mp_core::{Instant, Rng};

use crate::dice::Dice;
use crate::net::path::damage;
use crate::net::weather;
use crate::net::wire::Wire;
use crate::net::{Datagram, PlaceId, SERVER_PLACE};
use crate::trace::Detail;
use crate::world::{ActorId, World};

/// A kind of fault. What links do to datagrams all the time is their [weather].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A path carries nothing, in one direction or both.
    Partition,
    /// A path's weather changes.
    Weather,
    /// A path swallows long datagrams.
    BlackHole,
    /// A path damages datagrams.
    Damage,
    /// A client is seen at another address.
    Rebinding,
    /// A client's process ends without a word; another begins, sometimes at the same address.
    ClientCrash,
    /// The server's process does.
    ServerCrash,
    /// An actor, or all of a process, comes to no turn.
    Stall,
    /// A process cannot send.
    Jam,
    /// Somebody sends datagrams that are none of his business.
    Stranger,
}

impl FaultKind {
    /// Every kind.
    pub const EVERY: [Self; 10] = [
        Self::Partition,
        Self::Weather,
        Self::BlackHole,
        Self::Damage,
        Self::Rebinding,
        Self::ClientCrash,
        Self::ServerCrash,
        Self::Stall,
        Self::Jam,
        Self::Stranger,
    ];

    /// In how many worlds of 1,000 it occurs.
    pub(crate) const fn share_permille(self, wire: Wire) -> u32 {
        match self {
            // Without a checksum nobody can tell; UDP's own is believed then.
            Self::Damage if !wire.has_checksum => 0,
            Self::ServerCrash => 150,
            Self::Stranger | Self::Stall => 500,
            _ => 350,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Weather => "weather",
            Self::BlackHole => "black hole",
            Self::Damage => "damage",
            Self::Rebinding => "rebinding",
            Self::ClientCrash => "client crash",
            Self::ServerCrash => "server crash",
            Self::Stall => "stall",
            Self::Jam => "jam",
            Self::Stranger => "stranger",
        }
    }
}

/// Lets a fault of `kind` strike `world`.
pub(crate) fn strike(world: &mut World, kind: FaultKind, rng: &mut Rng) {
    let now = world.now();
    let client = rng.between(1, world.plan().clients as u64) as PlaceId;
    let until = now + length(rng);
    match kind {
        FaultKind::Partition => {
            let directions = rng.between(1, 3);
            let path = world.network.path(client);
            if directions & 1 != 0 {
                path.up.cut_until = until;
            }
            if directions & 2 != 0 {
                path.down.cut_until = until;
            }
            let which = ["", "up", "down", "both ways"][directions as usize];
            tell(world, format_args!("path {client} is cut ({which}) for {:?}", until - now));
        }
        FaultKind::Weather => {
            let up = weather::draw(rng);
            let path = world.network.path(client);
            path.up.set_conditions(up);
            path.down.set_conditions(LinkConditions { delay: up.delay, ..weather::draw(rng) });
            tell(world, format_args!("path {client} has other weather: {up:?}"));
        }
        FaultKind::BlackHole => {
            let longest = rng.between(100, 1_300) as usize;
            let path = world.network.path(client);
            path.up.hole = (longest, until);
            path.down.hole = (longest, until);
            tell(world, format_args!("path {client} swallows more than {longest} B"));
        }
        FaultKind::Damage => {
            let share = rng.between(10, 500) as u32;
            let path = world.network.path(client);
            path.up.damage = (share, until);
            path.down.damage = (share, until);
            tell(world, format_args!("path {client} damages {share} of 1,000 datagrams"));
        }
        FaultKind::Rebinding => {
            if let Some(outside) = world.network.rebind(client) {
                tell(world, format_args!("place {client} is seen at {outside} now"));
            }
        }
        FaultKind::ClientCrash => world.crash(client, rng),
        FaultKind::ServerCrash => world.crash(SERVER_PLACE, rng),
        FaultKind::Stall => {
            let place = if rng.chance(400) { SERVER_PLACE } else { client };
            let actor = match rng.below(3) {
                0 => None,
                1 => Some(ActorId::Branch),
                _ => Some(ActorId::Endpoint(0)),
            };
            world.stall(place, actor, until);
            tell(world, format_args!("place {place} stalls ({actor:?}) for {:?}", until - now));
        }
        FaultKind::Jam => {
            let place = if rng.chance(300) { SERVER_PLACE } else { client };
            let until = now + rng.duration(Duration::from_millis(1), Duration::from_secs(2));
            world.jam(place, until);
            tell(world, format_args!("place {place} cannot send for {:?}", until - now));
        }
        FaultKind::Stranger => intrude(world, rng),
    }
}

/// Sends somebody a few datagrams from an address that is nobody's: noise, or what others sent, or something like it.
fn intrude(world: &mut World, rng: &mut Rng) {
    let now = world.now();
    let overheard = world.overheard().to_vec();
    let addresses = world.network.addresses();
    for _ in 0..rng.between(1, 20) {
        let Some(&(to, _)) = rng.pick(&addresses) else { return };
        let bytes = match rng.pick(&overheard) {
            Some(bytes) if rng.chance(700) => {
                let mut bytes = bytes.clone();
                if rng.chance(600) {
                    damage(&mut bytes, rng);
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
    tell(world, format_args!("a stranger sends datagrams"));
}

/// Mostly short enough to be survived, sometimes not.
fn length(rng: &mut Rng) -> Duration {
    let (low, high) = match rng.below(10) {
        0..5 => (50, 1_000),
        5..9 => (1_000, 6_000),
        _ => (6_000, 45_000),
    };
    rng.duration(Duration::from_millis(low), Duration::from_millis(high))
}

fn tell(world: &World, text: std::fmt::Arguments<'_>) {
    world.trace().line(Detail::Story, format_args!("fault  {text}"));
}

/// When the next fault strikes.
pub(crate) fn next(now: Instant, mean: Duration, rng: &mut Rng) -> Instant {
    now + rng.until(mean)
}
