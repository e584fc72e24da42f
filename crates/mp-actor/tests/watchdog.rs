//! A turn that never ends aborts a debug build and prints the stack of its thread.

#![cfg(all(debug_assertions, target_os = "linux"))]

#[path = "actors/common.rs"]
#[allow(dead_code, unused_imports, reason = "this binary uses only a part")]
mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use mp_actor::prelude::*;
use mp_core::testing::ScriptedPeer;

#[test]
fn hook_that_never_returns_aborts_the_process_with_its_stack() {
    check_abort("hook_that_never_returns_aborts_the_process_with_its_stack", loop_in_a_hook);
}

#[test]
fn transport_that_never_returns_aborts_the_process_with_its_stack() {
    check_abort("transport_that_never_returns_aborts_the_process_with_its_stack", || {
        run(async {
            let looping = ScriptedPeer::server().on_poll(|_| loop_without_progress());
            let branch = empty_branch("/root").serve(|| made(looping)).await.unwrap();
            branch.closed().await;
        });
    });
}

#[test]
fn endless_turn_is_aborted_although_standard_error_is_full() {
    let name = "endless_turn_is_aborted_although_standard_error_is_full";
    if std::env::var_os(CHILD).is_some() {
        return check_abort(name, loop_in_a_hook);
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = child(name).stdout(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(status.signal(), Some(6), "SIGABRT: {status}");
}

fn loop_in_a_hook() {
    run(async {
        let starter =
            here(|| Branch::builder("/root").on_process(|_, _| loop_without_progress()).build());
        starter.start().await.unwrap().closed().await;
    });
}

/// A loop without progress, like a library call that does not return.
#[inline(never)]
fn loop_without_progress() {
    loop {
        std::hint::spin_loop();
    }
}

/// Runs the test `name` again in its own process, which `run` blocks forever.
fn check_abort(name: &str, run: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(300));
            std::process::exit(9);
        });
        return run();
    }
    let output = child(name).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "SIGABRT: {printed}");
    assert!(printed.contains(&format!("a turn on thread \"{name}\"")), "{printed}");
    assert!(
        printed.contains("loop_without_progress"),
        "no stack in the output; on Debian: apt-get install gdb\n{printed}"
    );
}

/// Returns a command that runs the test `name` in a process with a turn limit of one second.
fn child(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .env("MP_TURN_LIMIT_SECONDS", "1");
    command
}

/// Environment variable that is set in the blocked processes.
const CHILD: &str = "MP_LOCKED_UP_CHILD";
