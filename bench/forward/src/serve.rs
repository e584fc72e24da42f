//! A multiplayer peer with its own socket in a tokio task, without branch and actor.

use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{ConnectionId, Connections, MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix};
use tokio::runtime;
use tokio::time::{Instant, sleep_until};

use crate::Forward;

/// Error of a server or a connection.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Runs `server` in a task on this thread.
///
/// # Errors
///
/// Returns the error of the server.
pub fn run(
    server: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // Waking a spawned task needs no system call; waking the future in `block_on` does.
    runtime.block_on(runtime.spawn(server))?
}

/// Forwards all packets of `peer`.
///
/// # Errors
///
/// Returns an error if a packet cannot be sent.
pub async fn forward(mut peer: impl MultiplayerPeer, pass: Forward) -> Result<(), Failure> {
    let mut targets = Targets::new(pass);
    let (clock, epoch) = (SystemClock::new(), Instant::now());
    let origin = clock.now();
    let mut sleep = pin!(sleep_until(epoch));
    loop {
        peer.poll(clock.now());
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => targets.add(connection),
                PeerEvent::Packet(packet) => peer.send(OutgoingPacket {
                    to: targets.of(packet.from),
                    mode: packet.mode,
                    channel: packet.channel,
                    prefix: Prefix::EMPTY,
                    payload: packet.payload,
                })?,
                _ => {}
            }
        }
        peer.flush(clock.now());
        // Without a timer the task sleeps until it is woken.
        let due = peer.poll_timeout().map_or(FAR, |due| due - origin);
        if sleep.deadline() != epoch + due {
            sleep.as_mut().reset(epoch + due);
        }
        poll_fn(|cx| match peer.poll_ready(cx) {
            Poll::Pending => sleep.as_mut().poll(cx),
            ready => ready,
        })
        .await;
    }
}

/// Longer than any benchmark.
const FAR: Duration = Duration::from_secs(86_400);

/// Receivers of each client's packets. Clients do not leave during a benchmark.
struct Targets {
    pass: Forward,
    clients: Vec<ConnectionId>,
    of: HashMap<ConnectionId, Connections>,
}

impl Targets {
    fn new(pass: Forward) -> Self {
        Self { pass, clients: Vec::new(), of: HashMap::new() }
    }

    fn add(&mut self, client: ConnectionId) {
        if self.pass != Forward::Echo {
            self.clients.push(client);
            self.of.clear();
        }
    }

    fn of(&mut self, from: ConnectionId) -> Connections {
        if self.pass == Forward::Echo {
            return from.into();
        }
        let targets = self.of.entry(from).or_insert_with(|| {
            let index = self.clients.iter().position(|&client| client == from).expect("connected");
            let targets = self.pass.targets(index, self.clients.len());
            Connections::Many(targets.map(|index| self.clients[index]).collect::<Arc<[_]>>())
        });
        targets.clone()
    }
}
