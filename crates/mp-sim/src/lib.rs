//! Simulates whole worlds of mp from one seed, in one thread and in virtual time. A world is a
//! server and its clients: real [`Branch`](mp_scene::Branch)es and [`Endpoint`](mp_core::Endpoint)s
//! over real ENet hosts. Only the clock, the sockets and the mailboxes are simulated.
//!
//! Start with [`run::simulate`], then [`world`], then [`checker`]. `docs/SIMULATION.md` explains
//! the program.
//!
//! | module | contents |
//! |---|---|
//! | [`plan`] | the parameters that a seed draws |
//! | [`world`] | virtual time, processes, mailboxes |
//! | [`net`] | sockets, paths, link conditions |
//! | [`faults`] | injected faults |
//! | [`workload`] | actions of the programs |
//! | [`journal`], [`programs`] | recorded facts; the programs of a world |
//! | [`checker`] | invariants |
//! | [`rooms`] | a world of rooms behind one endpoint, of every fourth seed |
//! | [`moves`] | a world of players who move between rooms, of every fourth seed |
//! | [`cluster`] | a world of nodes with rooms of each other, of every fourth seed |
//! | [`hunt`] | many seeds on several threads |
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "modules of a program, not a published API"
)]

pub mod checker;
pub mod cluster;
pub mod faults;
pub mod hunt;
pub mod journal;
pub mod moves;
pub mod net;
pub mod plan;
pub mod programs;
pub mod rng_ext;
pub mod rooms;
pub mod run;
pub mod trace;
pub mod workload;
pub mod world;

pub use run::{Outcome, SimulationOptions, simulate};
