//! Which number stands for which node, in both directions and separately for each peer (Godot:
//! `SceneCacheInterface`).

mod announced;
mod own;
mod remote;
mod repeats;

pub(crate) use announced::ConfirmedPath;
pub(crate) use own::OwnPaths;
pub(crate) use remote::{Announcement, RemotePaths};
