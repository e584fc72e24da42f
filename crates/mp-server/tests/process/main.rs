//! The program as a process: what it prints, what it exits with, and what its players see.

#![cfg(unix)]

mod arguments;
#[cfg(target_os = "linux")]
mod liveness;
#[cfg(target_os = "linux")]
mod output;
mod panic;
mod players;
mod rooms;
mod server;
mod tls_peers;
mod webrtc;
