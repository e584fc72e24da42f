//! A datagram with a single DISCONNECT that requests no acknowledgement.

use super::command::{Body, CONTROL_CHANNEL, Command, FLAG_UNSEQUENCED};
use super::header::Header;
use crate::proto::{MTU_MAX, NetworkPath};

/// A datagram with a single DISCONNECT, for an address without a peer.
#[derive(Debug)]
pub(crate) struct LoneDisconnect {
    path: NetworkPath,
    connect_id: [u8; 4],
    bytes: [u8; LEN],
}

impl LoneDisconnect {
    /// Returns a DISCONNECT of connection `connect_id`. `path` is that of the remote host, and
    /// `peer_id` the slot of this host there.
    pub(crate) fn new(
        path: NetworkPath,
        connect_id: [u8; 4],
        peer_id: u16,
        session: u8,
        sequence: u16,
        data: u32,
    ) -> Self {
        let mut bytes = [0; LEN];
        let header = Header { peer_id, session, compressed: false, sent_time: None };
        let len = header.emit(&mut bytes);
        let body = Body::Disconnect { data };
        let command = Command { flags: FLAG_UNSEQUENCED, channel: CONTROL_CHANNEL, sequence, body };
        command.emit(&mut bytes[len..]);
        Self { path, connect_id, bytes }
    }

    /// Returns the destination, and the local address to send from.
    pub(crate) const fn path(&self) -> NetworkPath {
        self.path
    }

    /// Returns the connect id of the connection, which is the key of the checksum.
    pub(crate) const fn connect_id(&self) -> [u8; 4] {
        self.connect_id
    }

    /// Writes the datagram to the start of `out`. Returns its length.
    pub(crate) fn emit(&self, out: &mut [u8]) -> usize {
        out[..LEN].copy_from_slice(&self.bytes);
        LEN
    }
}

/// Length of a header without time and of a DISCONNECT.
const LEN: usize = 10;
const _: () = assert!(MTU_MAX as usize >= LEN);
