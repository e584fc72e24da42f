//! Helpers of the tests.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{Arbiter, System};
use mp_actor::prelude::*;
use mp_actor::{BranchRef, BranchStarter, Signals};
use mp_core::testing::ScriptedPeer;
use mp_core::{MemoryAddress, MemoryMultiplayerPeer};

/// Runs `test` in paused time on one thread. Fails after an hour of paused time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("cannot build a runtime")
    };
    System::with_tokio_rt(runtime).block_on(async {
        let hour = Duration::from_secs(3_600);
        tokio::time::timeout(hour, test).await.expect("the test timed out")
    })
}

/// Runs `test`, which uses threads or sockets, in real time. Fails after two minutes.
pub(crate) fn run_in_real_time<T>(test: impl Future<Output = T>) -> T {
    System::new().block_on(async {
        let limit = Duration::from_secs(120);
        tokio::time::timeout(limit, test).await.expect("the test timed out")
    })
}

/// Values that methods and hooks record, in order.
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
        self.0.lock().expect("no test panics while recording")
    }
}

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A node that records its callers and their arguments.
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

pub(crate) type Build = Box<dyn FnOnce() -> Result<Branch, BuildError> + Send>;

/// Returns a branch with one [`Log`], on the test's thread.
pub(crate) fn log_branch(root: &'static str, notes: &Notes<(PeerId, i64)>) -> BranchStarter<Build> {
    let notes = notes.clone();
    here(move || Branch::builder(root).setup(|scene| scene.add("Log", Log(notes))).build())
}

/// Returns a branch without nodes, on the test's thread.
pub(crate) fn empty_branch(root: &'static str) -> BranchStarter<Build> {
    here(move || Branch::builder(root).build())
}

/// Returns a branch that records the numbers in received packets.
pub(crate) fn counting_branch(notes: &Notes<u32>) -> BranchStarter<Build> {
    let notes = notes.clone();
    here(move || {
        let note = move |_: &mut Scene, _, data: &[u8]| notes.push(number(data));
        Branch::builder("/root").on_peer_packet(note).build()
    })
}

pub(crate) fn here(
    build: impl FnOnce() -> Result<Branch, BuildError> + Send + 'static,
) -> BranchStarter<Build> {
    mp_actor::branch(Box::new(build) as Build).on(Arbiter::current())
}

/// Starts a server on a memory network and returns its address.
pub(crate) async fn serve(starter: BranchStarter<Build>) -> (BranchRef, MemoryAddress) {
    let server = MemoryMultiplayerPeer::server();
    let address = server.address();
    (starter.serve(|| made(server)).await.expect("the server starts"), address)
}

/// Starts a client of a memory network.
pub(crate) async fn join(
    starter: BranchStarter<Build>,
    address: &MemoryAddress,
    id: i32,
) -> BranchRef {
    let client = address.connect(peer(id));
    starter.connect(|| made(client)).await.expect("the client connects")
}

/// Returns a transport whose `poll` panics.
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
        sent.await.expect("the branch runs").expect("the peer is connected");
    }
}

pub(crate) fn number(data: &[u8]) -> u32 {
    u32::from_le_bytes(data.try_into().expect("4 bytes"))
}

/// Calls `note` of the remote peer's [`Log`].
pub(crate) async fn note(from: &BranchRef, to: PeerId, number: i64) {
    let called = from.with(move |scene| {
        let log = scene.find("Log").expect("the branch has a Log");
        scene.rpc_id(to, log, "note", (number,))
    });
    called.await.expect("the branch runs").expect("the peer is connected");
}

/// Waits until `condition` holds. Fails after an hour of paused time.
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
    panic!("the branch ended before the signal");
}
