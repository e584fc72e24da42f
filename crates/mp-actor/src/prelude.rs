//! The types that most programs import.

pub use mp_scene::TreeError;
pub use mp_scene::prelude::*;

pub use crate::{AuthRequest, BranchRef, ChannelRef, Ended, SceneTree, StartError};
