//! The actors over the memory network, in paused time unless a test says otherwise: time passes only when everybody
//! waits, so a lock-up shows as a timeout at once.

mod auth;
mod calls;
mod channels;
mod close;
mod common;
mod enet;
mod interface;
mod mailboxes;
mod panics;
mod peers;
mod scene_tree;
mod session;
mod streams;
