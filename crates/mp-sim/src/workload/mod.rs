//! What the programs of a world do.
//!
//! A [`Workload`] gives each program nodes and hooks when it starts, and lets it do something now and then. What comes of it the
//! hooks write into the journal, from which checkers know it.

mod bud;
mod chatter;
mod churn;
mod entry;
mod floods;
mod hands;
mod levels;
mod loads;
mod message;
mod model;
mod replicas;
mod respawns;

use std::time::Duration;

use mp_core::{EndpointId, PeerId, Rng};
use mp_scene::{Branch, BranchBuilder};

use crate::journal::{Ear, Run};
use crate::plan::Plan;

pub use bud::{BUD, Bud, tend_all};
pub use chatter::{Chatter, Style};
pub use churn::Churn;
pub use entry::Entry;
pub use floods::{FLOOD_MAX, Floods};
pub use hands::{Hands, TOOLS, Tool, WORKER, Worker};
pub use levels::{Levels, Unit, level};
pub use loads::Loads;
pub use message::{Audience, Lane, Message};
pub use model::{Model, Plant, SharedModel};
pub use replicas::{BEDS, Board, Growing, Replicas, SEATS, Seat};
pub use respawns::Respawns;

/// One kind of things that programs do. A world has one of each, for all its programs.
pub trait Workload {
    /// Gives a program that starts what it needs.
    fn equip(&mut self, builder: BranchBuilder, ear: &Ear) -> BranchBuilder;

    /// A program starts under an id.
    fn introduce(&mut self, _id: PeerId, _run: Run) {}

    /// Lets a program do something. Not called any more when the world is to come to rest.
    fn act(&mut self, act: &mut Act<'_>);

    /// Undoes what would keep the world from coming to rest: called once, with the server's branch if there is one.
    fn settle(&mut self, _server: Option<&mut Branch>) {}
}

/// A program that may do something.
#[derive(Debug)]
pub struct Act<'a> {
    /// Its branch.
    pub branch: &'a mut Branch,
    /// Who it is.
    pub ear: &'a Ear,
    /// What it decides by.
    pub rng: &'a mut Rng,
    /// Set it to let the program leave.
    pub leaves: bool,
    /// Set it to keep the program busy for so long once it has delivered what it says.
    pub busy: Duration,
    /// Set it to keep an endpoint from its turns for so long.
    pub hangs: Option<(EndpointId, Duration)>,
}

/// The workloads of a plan.
pub(crate) fn all(plan: &Plan, model: &SharedModel) -> Vec<Box<dyn Workload>> {
    let mut all: Vec<Box<dyn Workload>> = vec![Box::new(Chatter::new(plan.chatter))];
    if plan.authenticates {
        all.push(Box::new(Entry::new(plan.answers_late)));
    }
    if plan.churns {
        all.push(Box::new(Churn));
    }
    if plan.replicates {
        all.push(Box::new(Replicas::new(model.clone())));
    }
    if plan.has_loads {
        all.push(Box::new(Loads));
    }
    if plan.has_floods {
        all.push(Box::new(Floods::default()));
    }
    if plan.has_levels {
        all.push(Box::new(Levels::default()));
    }
    if plan.has_hands {
        all.push(Box::new(Hands::default()));
    }
    if plan.has_respawns {
        all.push(Box::new(Respawns::default()));
    }
    all
}
