//! Packets between clients, relayed by a server in memory.

use std::cell::Cell;
use std::rc::Rc;

use mp::prelude::*;
use mp::scene::BuildError;
use mp::scene::testing::Lan;

use crate::{Counts, counted};

/// Sends 64 bytes from one client to the next `operations` times, eight per step. If `is_viewed`,
/// the server counts them for an operator.
pub(crate) fn run(operations: u32, is_viewed: bool) -> Result<Counts, BuildError> {
    let received = Rc::new(Cell::new(0));
    let mut lan = Lan::new(Branch::builder("/root"))?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let received = Rc::clone(&received);
        let count = move |_: &mut Scene, _: PeerId, data: &[u8]| {
            received.set(received.get() + data.len());
        };
        clients.push(lan.join(Branch::builder("/root").on_peer_packet(count))?);
    }
    lan.settle();
    let multiplayer = lan.scene(PeerId::SERVER).multiplayer_mut();
    let _viewer = is_viewed.then(|| multiplayer.view_traffic());
    let mut counts = counted(operations, |operation| {
        let index = operation as usize % CLIENTS;
        let (from, to) = (clients[index], clients[(index + 1) % CLIENTS]);
        let mode = TransferMode::Unreliable;
        let sent = lan.scene(from).send_bytes(&[7; LEN], to, mode, Channel(0));
        sent.expect("the client is connected");
        if index == CLIENTS - 1 {
            lan.step();
        }
        0
    });
    lan.settle();
    counts.bytes = received.get();
    assert_eq!(counts.bytes, operations as usize * LEN, "every packet is delivered");
    Ok(counts)
}

const CLIENTS: usize = 8;
const LEN: usize = 64;
