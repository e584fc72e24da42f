//! The types that most programs import.

pub use mp_scene::prelude::*;
pub use mp_scene::{BuildError, SetupError, TreeError};

pub use crate::{AuthRequest, BranchRef, ChannelRef, EndReason, SceneTree, StartError};
