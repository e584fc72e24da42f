//! What most programs import.

pub use mp_scene::TreeError;
pub use mp_scene::prelude::*;

pub use crate::{BranchRef, ChannelRef, Ended, SceneTree, StartError};
