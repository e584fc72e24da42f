//! Whole worlds of mp in one thread, under virtual time, from one seed: a server and its clients, each a real
//! [`Branch`](mp_scene::Branch) with real [`Endpoint`](mp_core::Endpoint)s of real ENet, over a network on which everything goes
//! wrong that goes wrong on real ones.
//!
//! Read [`run::simulate`] first, then [`world`], then [`checker`]. `docs/SIMULATION.md` explains how to use the program.
//!
//! | part | is |
//! |---|---|
//! | [`plan`] | what a seed decides before anything happens |
//! | [`world`] | time, processes, mailboxes |
//! | [`net`] | sockets, paths and what they do to datagrams |
//! | [`faults`] | what goes wrong besides |
//! | [`workload`] | what programs do |
//! | [`journal`], [`census`] | what programs said, heard and were told; who is who |
//! | [`checker`] | what must be true |
//! | [`hunt`] | many seeds on several threads |
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "parts of a program, on which nobody builds"
)]

pub mod census;
pub mod checker;
pub mod dice;
pub mod faults;
pub mod hunt;
pub mod journal;
pub mod net;
pub mod plan;
pub mod run;
pub mod trace;
pub mod workload;
pub mod world;

pub use run::{Options, Outcome, simulate};
