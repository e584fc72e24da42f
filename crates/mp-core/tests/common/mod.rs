//! A conformance rig of the memory network, with virtual time.

use std::time::Duration;

use mp_core::conformance::{Capabilities, Rig};
use mp_core::{Instant, MemoryAddress, MemoryMultiplayerPeer, MultiplayerPeer, PeerId};

/// A function that wraps the peers of a rig.
pub(crate) type Wrap = fn(MemoryMultiplayerPeer) -> Box<dyn MultiplayerPeer>;

pub(crate) struct MemoryRig {
    address: Option<MemoryAddress>,
    clients: i32,
    now: Instant,
    wrap: Wrap,
}

impl MemoryRig {
    pub(crate) fn new() -> Self {
        Self::wrapped(|peer| Box::new(peer))
    }

    pub(crate) fn wrapped(wrap: Wrap) -> Self {
        Self { address: None, clients: 0, now: Instant::ZERO, wrap }
    }
}

impl Rig for MemoryRig {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let server = MemoryMultiplayerPeer::server();
        self.address = Some(server.address());
        (self.wrap)(server)
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        self.clients += 1;
        let id = PeerId::new(1 + self.clients).expect("positive");
        (self.wrap)(self.address.as_ref().expect("the server is created first").connect(id))
    }

    fn step(&mut self) -> Instant {
        self.now += Duration::from_millis(5);
        self.now
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { patience: Duration::from_secs(1), ..Capabilities::default() }
    }
}
