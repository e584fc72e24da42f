//! Clients that leave, and a server that disconnects clients and closes.

use mp_core::PeerId;
use mp_scene::{Branch, BranchBuilder};

use super::{Act, Workload};
use crate::journal::{FactKind, Recorder};
use crate::rng_ext::RngExt;

/// Workload of leaves and disconnects.
#[derive(Debug, Default)]
pub struct Churn;

impl Workload for Churn {
    fn configure(&mut self, builder: BranchBuilder, _ear: &Recorder) -> BranchBuilder {
        builder
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.recorder.is_server() {
            act.leave = act.rng.chance(LEAVES_PERMILLE);
            return;
        }
        let multiplayer = act.branch.scene().multiplayer_mut();
        if act.rng.chance(KICKS_PERMILLE) {
            let peers: Vec<PeerId> = multiplayer.peers().collect();
            if let Some(&peer) = act.rng.pick(&peers) {
                act.recorder.record(FactKind::Kicked(peer));
                multiplayer.disconnect_peer(peer);
            }
        }
        if act.rng.chance(REFUSES_PERMILLE) {
            let refuses = multiplayer.is_refusing_new_connections();
            multiplayer.set_refuse_new_connections(!refuses);
        }
        act.leave = act.rng.chance(CLOSES_PERMILLE);
    }

    fn stop(&mut self, server: Option<&mut Branch>) {
        if let Some(branch) = server {
            branch.scene().multiplayer_mut().set_refuse_new_connections(false);
        }
    }
}

const LEAVES_PERMILLE: u32 = 60;
const KICKS_PERMILLE: u32 = 60;
const REFUSES_PERMILLE: u32 = 30;
const CLOSES_PERMILLE: u32 = 10;
