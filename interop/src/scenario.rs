//! What a suite is made of.

use crate::world::{Played, World};

/// A scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many clients it is made for.
    pub(crate) peers: usize,
    /// The server's part.
    pub(crate) serve: fn(&mut World) -> Played,
    /// A client's part.
    pub(crate) play: fn(&mut World) -> Played,
    /// Whether it can be played with more.
    pub(crate) takes_more: bool,
    /// Whether it knows `--plant-fault`.
    pub(crate) has_fault: bool,
}

impl Scenario {
    pub(crate) const fn new(
        name: &'static str,
        peers: usize,
        serve: fn(&mut World) -> Played,
        play: fn(&mut World) -> Played,
    ) -> Self {
        Self { name, peers, serve, play, takes_more: false, has_fault: false }
    }

    /// It can be played with more clients.
    pub(crate) const fn for_any_number(self) -> Self {
        Self { takes_more: true, ..self }
    }

    /// It knows `--plant-fault`.
    pub(crate) const fn with_fault(self) -> Self {
        Self { has_fault: true, ..self }
    }
}
