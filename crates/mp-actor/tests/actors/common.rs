//! What the tests share.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{Arbiter, System};
use mp_actor::prelude::*;
use mp_actor::{BranchRef, Launch, Signals};
use mp_core::testing::ScriptedPeer;
use mp_core::{MemoryAddress, MemoryMultiplayerPeer};

/// Runs `test` in paused time on one thread; fails when it takes an hour of it.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    };
    System::with_tokio_rt(runtime).block_on(async {
        let hour = Duration::from_secs(3_600);
        tokio::time::timeout(hour, test).await.expect("it locked up")
    })
}

/// Runs `test`, which has threads or sockets of its own, in real time; fails when it takes two minutes.
pub(crate) fn run_in_real_time<T>(test: impl Future<Output = T>) -> T {
    System::new().block_on(async {
        let limit = Duration::from_secs(120);
        tokio::time::timeout(limit, test).await.expect("it locked up")
    })
}

/// What methods and hooks write down, in order.
#[derive(Debug)]
pub(crate) struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Notes<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    pub(crate) fn push(&self, note: T) {
        self.read().push(note);
    }

    pub(crate) fn read(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().expect("nobody panics while writing")
    }
}

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A node that notes who calls it with what.
pub(crate) struct Log(pub(crate) Notes<(PeerId, i64)>);

impl Node for Log {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("boom", RpcConfig::any_peer(), |_: &mut Self, _cx, (): ()| panic!("boom"))
            .method("note", RpcConfig::any_peer(), |log: &mut Self, cx, (number,): (i64,)| {
                log.0.push((cx.remote_sender(), number));
            })
    }
}

pub(crate) type Build = Box<dyn FnOnce() -> Result<Branch, TreeError> + Send>;

/// A branch with one [`Log`], on the test's thread.
pub(crate) fn log_branch(root: &'static str, notes: &Notes<(PeerId, i64)>) -> Launch<Build> {
    let notes = notes.clone();
    here(move || {
        Branch::builder(root).setup(|scene| scene.add("Log", Log(notes)).map(drop)).build()
    })
}

/// A branch without nodes, on the test's thread.
pub(crate) fn empty_branch(root: &'static str) -> Launch<Build> {
    here(move || Branch::builder(root).build())
}

/// A branch that notes the numbers in the packets it is sent.
pub(crate) fn counting_branch(notes: &Notes<u32>) -> Launch<Build> {
    let notes = notes.clone();
    here(move || {
        let note = move |_: &mut Scene, _, data: &[u8]| notes.push(number(data));
        Branch::builder("/root").on_peer_packet(note).build()
    })
}

pub(crate) fn here(
    build: impl FnOnce() -> Result<Branch, TreeError> + Send + 'static,
) -> Launch<Build> {
    mp_actor::branch(Box::new(build) as Build).on(Arbiter::current())
}

/// A server on a memory network, and where it is joined.
pub(crate) async fn serve(launch: Launch<Build>) -> (BranchRef, MemoryAddress) {
    let server = MemoryMultiplayerPeer::server();
    let address = server.address();
    (launch.serve(|| made(server)).await.expect("it starts"), address)
}

/// A client of a memory network.
pub(crate) async fn join(launch: Launch<Build>, address: &MemoryAddress, id: i32) -> BranchRef {
    let client = address.connect(peer(id));
    launch.connect(|| made(client)).await.expect("it connects")
}

/// A transport whose `poll` panics.
pub(crate) fn broken() -> ScriptedPeer {
    ScriptedPeer::server().on_poll(|_| panic!("broken transport"))
}

pub(crate) fn made<P>(peer: P) -> Result<P, Infallible> {
    Ok(peer)
}

pub(crate) fn peer(id: i32) -> PeerId {
    PeerId::new(id).expect("positive")
}

/// Sends the numbers `range` as reliable packets, a thousand per turn.
pub(crate) async fn send_numbers(from: &BranchRef, to: PeerId, range: std::ops::Range<u32>) {
    for start in range.clone().step_by(1_000) {
        let end = range.end.min(start + 1_000);
        let sent = from.with(move |scene| {
            (start..end).try_for_each(|n| {
                scene.send_bytes(&n.to_le_bytes(), to, TransferMode::Reliable, Channel(0))
            })
        });
        sent.await.expect("it lives").expect("it is connected");
    }
}

pub(crate) fn number(data: &[u8]) -> u32 {
    u32::from_le_bytes(data.try_into().expect("4 bytes"))
}

/// Calls `note` of the other side's log.
pub(crate) async fn note(from: &BranchRef, to: PeerId, number: i64) {
    let called = from.with(move |scene| {
        let log = scene.find("Log").expect("it has one");
        scene.rpc_id(to, log, "note", (number,))
    });
    called.await.expect("it lives").expect("it is connected");
}

/// Waits until `condition` holds; an hour of paused time passes at once if it never does.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for a signal that `wanted` accepts.
pub(crate) async fn wait_for(signals: &mut Signals, wanted: impl Fn(&Signal) -> bool) -> Signal {
    while let Some(signal) = signals.next().await {
        if wanted(&signal) {
            return signal;
        }
    }
    panic!("the branch ended before the signal came");
}
