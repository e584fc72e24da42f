//! Programs with the macros that compile (`ui/pass`) and that do not (`ui/fail`), with the
//! compiler's errors (`ui/fail/*.stderr`).
//!
//! The errors are those of one compiler, so with another one the failing programs are skipped, with
//! a line on standard output. `TRYBUILD=overwrite cargo test -p mp --test ui` writes new errors.

use std::process::Command;

/// The compiler of the `.stderr` files.
const RUSTC: &str = "rustc 1.95.";

fn main() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("-V").output().expect("cargo needs rustc");
    let version = String::from_utf8_lossy(&version.stdout);
    if version.starts_with(RUSTC) {
        cases.compile_fail("tests/ui/fail/*.rs");
    } else {
        println!("SKIPPED: ui/fail, whose errors are those of {RUSTC}x; this is {version}");
    }
}
