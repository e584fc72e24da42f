//! Godot clients by the thousand, from a scenario file: load tests of any Godot 4 server.
//! `mp-server bots` is its program.
//!
//! ```no_run
//! use mp_bots::{Counter, RunOptions, Scenario};
//!
//! let text = std::fs::read_to_string("bots.toml")?;
//! let scenario = Scenario::parse("bots.toml", &text)?;
//! let report = mp_bots::run(scenario, &RunOptions::default(), |report| {
//!     eprintln!("{}", report.progress());
//! })?;
//! println!("{}", report.table());
//! assert_eq!(report.stats().get(Counter::FailedJoins), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//!  Scenario ─► Player: steps in time ── actions ──► Client: messages of ── packets ──► transport
//!                      ▲                            SceneMultiplayer                       │
//!                      └─────── observations ──────────────┴──────────── events ◄──────────┘
//! ```
//!
//! A player and its client have no I/O; `run` runs many of them per thread. Times are measured from
//! the scheduled time of a join or call: a server that stops for a second delays all calls of that
//! second, and the report shows it (no coordinated omission).

mod arrivals;
mod bot;
mod client;
mod methods;
mod player;
mod record;
mod report;
mod run;
pub mod scenario;
mod stats;

pub use methods::{MethodTables, MethodsError};
pub use record::ScenarioRecorder;
pub use report::{Check, RunReport};
pub use run::{RunError, RunOptions, run};
pub use scenario::{Scenario, ScenarioErrors};
pub use stats::{Counter, Stats, Timing};
