//! A scenario of a suite.

use crate::world::{ScenarioResult, World};

/// Name, number of clients, and both sides of a scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Number of clients.
    pub(crate) peers: usize,
    /// Server side.
    pub(crate) serve: fn(&mut World) -> ScenarioResult,
    /// Client side.
    pub(crate) play: fn(&mut World) -> ScenarioResult,
    /// True if it supports more clients.
    pub(crate) takes_more: bool,
    /// True if it supports `--plant-fault`.
    pub(crate) has_fault: bool,
}

impl Scenario {
    pub(crate) const fn new(
        name: &'static str,
        peers: usize,
        serve: fn(&mut World) -> ScenarioResult,
        play: fn(&mut World) -> ScenarioResult,
    ) -> Self {
        Self { name, peers, serve, play, takes_more: false, has_fault: false }
    }

    /// Allows more clients.
    pub(crate) const fn for_any_number(self) -> Self {
        Self { takes_more: true, ..self }
    }

    /// Enables `--plant-fault`.
    pub(crate) const fn with_fault(self) -> Self {
        Self { has_fault: true, ..self }
    }
}
