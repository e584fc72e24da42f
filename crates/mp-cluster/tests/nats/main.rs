//! The bus and the directory on a NATS server, which each test starts and ends.
#![allow(missing_docs, reason = "a test")]

mod access;
mod bus;
mod credentials;
mod directory;
mod packaged;
mod server;
mod snapshots;
