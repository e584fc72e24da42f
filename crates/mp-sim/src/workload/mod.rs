//! Actions of the programs of a world.
//!
//! A [`Workload`] adds nodes and hooks to each program at its start, and makes it act at random
//! times. Hooks record the effects in the journal, for checkers.

mod authentication;
mod bud;
mod churn;
mod floods;
mod levels;
mod loads;
mod message;
mod messaging;
mod model;
mod replicas;
mod respawns;
mod swaps;

use std::time::Duration;

use mp_core::{EndpointId, PeerId, Rng};
use mp_scene::{Branch, BranchBuilder};

use crate::journal::{Recorder, RunId};
use crate::plan::Plan;

pub use authentication::Authentication;
pub use bud::{BUD, Bud, tend_all};
pub use churn::Churn;
pub use floods::{FLOOD_MAX, Floods};
pub use levels::{Levels, Unit, level};
pub use loads::Loads;
pub use message::{Audience, ProgramMessage, Stream};
pub use messaging::{Messaging, MessagingStyle};
pub use model::{Model, Plant, SharedModel};
pub use replicas::{BEDS, Board, PlantNode, Replicas, SEATS, Seat};
pub use respawns::Respawns;
pub use swaps::{Swaps, TOOLS, Tool, WORKER, Worker};

/// One kind of actions. A world has one instance of each for all programs.
pub trait Workload {
    /// Adds nodes and hooks to a program that is about to start.
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder;

    /// Reports the start of a program with a peer id.
    fn program_started(&mut self, _id: PeerId, _run: RunId) {}

    /// Makes a program act. Called in the active phase only.
    fn act(&mut self, act: &mut Act<'_>);

    /// Stops what would keep the world from settling. Called once, with the server's branch if
    /// there is a server.
    fn stop(&mut self, _server: Option<&mut Branch>) {}
}

/// Context of an action.
#[derive(Debug)]
pub struct Act<'a> {
    /// Branch of the program.
    pub branch: &'a mut Branch,
    /// Recorder of the program.
    pub recorder: &'a Recorder,
    /// Randomness.
    pub rng: &'a mut Rng,
    /// Set to true to make the program close.
    pub leave: bool,
    /// Set to keep the branch busy for this long after its next turn.
    pub busy: Duration,
    /// Set to suspend the turns of an endpoint for this long.
    pub hang: Option<(EndpointId, Duration)>,
}

/// Creates the workloads of a plan.
pub(crate) fn all(plan: &Plan, model: &SharedModel) -> Vec<Box<dyn Workload>> {
    let mut all: Vec<Box<dyn Workload>> = vec![Box::new(Messaging::new(plan.messaging))];
    if plan.authenticates {
        all.push(Box::new(Authentication::new(plan.answers_late)));
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
    if plan.has_swaps {
        all.push(Box::new(Swaps::default()));
    }
    if plan.has_respawns {
        all.push(Box::new(Respawns::default()));
    }
    all
}
