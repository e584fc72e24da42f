//! Programs with the macros that compile (`ui/pass`) and that do not (`ui/fail`), with the
//! compiler's errors (`ui/fail/*.stderr`).
//!
//! The errors are those of one compiler, so with another one the failing programs are skipped, with
//! a line on standard output. `TRYBUILD=overwrite cargo test -p mp --test ui` writes new errors.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// The compiler of the `.stderr` files.
const RUSTC: &str = "rustc 1.95.";

fn main() {
    copy_game().expect("a writable target folder");
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

/// Copies the Godot project to the crate of which trybuild makes the programs a part: attributes
/// name its files relative to that crate.
fn copy_game() -> io::Result<()> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let copy = target.join("tests/trybuild/mp/tests/ui/godot");
    fs::create_dir_all(&copy)?;
    for file in fs::read_dir("tests/ui/godot")? {
        let file = file?;
        fs::copy(file.path(), copy.join(file.file_name()))?;
    }
    Ok(())
}
