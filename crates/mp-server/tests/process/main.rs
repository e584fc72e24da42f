//! The program as a process: its output, its exit codes, and its behavior towards players.

#![cfg(unix)]

mod admin;
mod agones;
mod arguments;
mod bots;
mod config;
mod doctor;
mod identity;
mod inspect;
mod jwks;
#[cfg(target_os = "linux")]
mod liveness;
mod matchmaking;
mod matchmaking_identity;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod overload;
mod packaging;
mod panic;
mod players;
mod protection;
mod query;
mod record;
mod resume;
mod rooms;
mod server;
mod service;
#[cfg(target_os = "linux")]
mod several_rooms;
mod signaling_port;
mod tls_peers;
mod token;
mod tunnel;
mod webrtc;
