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
//! | [`rooms`] | a world of rooms behind one endpoint, of every eighth seed |
//! | [`moves`] | a world of players who move between rooms, of every eighth seed |
//! | [`cluster`] | a world of nodes with rooms of each other, of every eighth seed |
//! | [`hosted`] | a world of a room whose host is a client, of every eighth seed |
//! | [`resumes`] | a world of players who resume their sessions, of every eighth seed |
//! | [`hunt`] | many seeds on several threads |
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "modules of a program, not a published API"
)]

pub mod checker;
pub mod cluster;
pub mod faults;
mod game;
pub mod hosted;
pub mod hunt;
pub mod journal;
mod machine;
pub mod moves;
pub mod net;
pub mod plan;
pub mod programs;
pub mod resumes;
pub mod rng_ext;
pub mod rooms;
pub mod run;
pub mod trace;
pub mod workload;
pub mod world;

pub use run::{Outcome, Part, SimulationOptions, simulate};
