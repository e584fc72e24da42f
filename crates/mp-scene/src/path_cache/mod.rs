//! The path cache: short ids for node paths in packets, for each peer and direction (Godot:
//! `SceneCacheInterface`).

mod announced;
mod own;
mod remote;
mod repeats;

pub(crate) use announced::ConfirmedPath;
pub(crate) use own::OwnPaths;
pub(crate) use remote::{Announcement, PathAnnouncement, RemotePaths};
