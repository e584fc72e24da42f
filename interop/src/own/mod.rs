//! Scenarios of `interop/godot`; its README describes both sides.

mod calls;
mod calls_nodes;
mod compression;
mod containers;
mod desk;
mod hello;
mod hidden;
mod level;
mod mesh;
mod nested;
mod packet_peer;
mod player;
mod rejoin;
mod relay;
mod respawn;
mod room;
mod ships;
mod swap;
mod tank;
mod traffic;
mod units;
mod unnamed;
mod values;

use crate::scenario::Scenario;

/// All scenarios of the suite. The runner plays the server of `room` with mp-server.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new("hello", 2, hello::serve, hello::play),
    Scenario::new("calls", 1, calls::serve, calls::play).with_fault(),
    Scenario::new("relay", 2, relay::serve, relay::play),
    Scenario::new("traffic", 1, traffic::serve, traffic::play),
    Scenario::new("rejoin", 2, rejoin::serve, rejoin::play),
    Scenario::new("nested", 2, nested::serve, nested::play),
    Scenario::new("containers", 1, containers::serve, containers::play),
    Scenario::new("tank", 1, tank::serve, tank::play),
    Scenario::new("unnamed", 1, unnamed::serve, unnamed::play),
    Scenario::new("player", 2, player::serve, player::play),
    Scenario::new("swap", 1, swap::serve, swap::play),
    Scenario::new("respawn", 1, respawn::serve, respawn::play),
    Scenario::new("hidden", 2, hidden::serve, hidden::play),
    Scenario::new("level", 1, level::serve, level::play),
    Scenario::new("compression", 1, compression::serve, compression::play),
    Scenario::new("packet_peer", 1, packet_peer::serve, packet_peer::play),
    Scenario::new("mesh", 2, mesh::serve, mesh::play),
    Scenario::new("room", 2, room::serve, room::play).for_any_number(),
];

/// Returns a pattern: byte i is (7 i + i / 256 + seed) mod 256.
fn pattern(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|i| (7 * i + i / 256 + seed) as u8).collect()
}
