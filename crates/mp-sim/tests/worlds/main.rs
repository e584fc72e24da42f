//! Worlds of all kinds. One program runs them beside each other.
#![allow(missing_docs, reason = "a test")]

mod determinism;
mod hosted;
mod loads;
mod moves;
mod regressions;
mod resumes;
mod rooms;
