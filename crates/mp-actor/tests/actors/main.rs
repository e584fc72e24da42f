//! The actors over the memory network, in paused time unless a test says otherwise. Paused time
//! advances only when all tasks wait, so a deadlock appears as an immediate timeout.

mod auth;
mod calls;
mod channels;
mod close;
mod common;
mod conditions;
mod enet;

mod mailboxes;
mod moves;
mod panics;
mod peers;
mod protocol;
mod remote;
mod requests;
mod scene_tree;
mod session;
mod shared;
mod stats;
mod streams;
