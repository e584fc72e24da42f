//! The connections of a world, and the packets that were sent and received on them.

use std::collections::BTreeMap;

use mp_core::bytes::{BufMut, Bytes, BytesMut};
use mp_core::{DisconnectReason, TransferMode};

/// The number of a connection in the world. It is the peer id that the player claims, so that the
/// room knows it.
pub(super) type Serial = u32;

/// All connections, and the first violation.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    records: BTreeMap<Serial, Record>,
    violation: Option<String>,
    pub(super) delivered: u64,
    /// True in a world without faults: only the room ends connections, and only single ones.
    pub(super) is_faultless: bool,
}

#[derive(Debug, Default)]
struct Record {
    up: Direction,
    down: Direction,
    socket: End,
    room: End,
}

/// The packets of one direction.
#[derive(Debug, Default)]
struct Direction {
    /// Reliable packets sent and received; their numbers count from 0.
    sent: u32,
    received: u32,
    unreliable_sent: u32,
    /// Number of the next unreliable packet that may be received.
    unreliable_next: u32,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Unknown,
    Live,
    Ended,
}

/// The direction of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Room,
    Socket,
}

impl Ledger {
    /// Adds a connection of a socket.
    pub(super) fn connect(&mut self) -> Serial {
        // 0 is no peer id, and 1 the server.
        let serial = self.records.len() as Serial + 2;
        self.records.insert(serial, Record { socket: End::Live, ..Record::default() });
        serial
    }

    /// Returns the payload of a packet for one or several connections: for each its serial and the
    /// number of the packet.
    pub(super) fn send(&mut self, to: To, mode: TransferMode, serials: &[Serial]) -> Bytes {
        let mut payload = BytesMut::new();
        for serial in serials {
            let Some(record) = self.records.get_mut(serial) else { continue };
            let direction = record.direction(to);
            let count = if mode.is_reliable() {
                &mut direction.sent
            } else {
                &mut direction.unreliable_sent
            };
            payload.put_u32_le(*serial);
            payload.put_u32_le(*count);
            *count += 1;
        }
        payload.freeze()
    }

    /// Checks a packet that an end of a connection has received.
    pub(super) fn receive(&mut self, to: To, mode: TransferMode, serial: Serial, payload: &[u8]) {
        let number = payload.chunks_exact(8).find_map(|chunk| {
            let (head, tail) = chunk.split_at(4);
            let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
            (number(head) == Some(serial)).then(|| number(tail)).flatten()
        });
        let Some(number) = number else {
            return self.fail(format!("connection {serial} receives a packet of another one"));
        };
        let Some(record) = self.records.get_mut(&serial) else { return };
        let end = if to == To::Room { record.room } else { record.socket };
        if end != End::Live {
            return self.fail(format!("connection {serial} receives packet {number} as {end:?}"));
        }
        let direction = record.direction(to);
        let is_reliable = mode.is_reliable();
        let expected =
            if is_reliable { &mut direction.received } else { &mut direction.unreliable_next };
        let before = std::mem::replace(expected, number + 1);
        let is_right = number == before || !is_reliable && number > before;
        if !is_right {
            self.fail(format!(
                "connection {serial} receives {mode:?} packet {number} to the {to:?} instead of {before}"
            ));
        }
        self.delivered += 1;
    }

    /// Records that the room has a connection.
    pub(super) fn enter(&mut self, serial: Serial) {
        let Some(record) = self.records.get_mut(&serial) else {
            return self.fail(format!("the room has an unknown connection {serial}"));
        };
        let before = std::mem::replace(&mut record.room, End::Live);
        if before != End::Unknown {
            self.fail(format!("connection {serial} enters a room as {before:?}"));
        }
    }

    /// Records that the room has lost a connection.
    pub(super) fn leave(&mut self, serial: Serial) {
        let Some(record) = self.records.get_mut(&serial) else { return };
        let before = std::mem::replace(&mut record.room, End::Ended);
        if before != End::Live {
            self.fail(format!("connection {serial} leaves a room as {before:?}"));
        }
    }

    /// Checks the reason with which a room or its node closes connections.
    pub(super) fn check_end(&mut self, reason: DisconnectReason) {
        if self.is_faultless && reason != DisconnectReason::Kicked {
            self.fail(format!("connections of a world without faults end as {reason}"));
        }
    }

    /// Records that the socket of a connection was closed.
    pub(super) fn close(&mut self, serial: Serial) {
        if let Some(record) = self.records.get_mut(&serial) {
            record.socket = End::Ended;
        }
    }

    /// Records a violation if `is_right` is false.
    pub(super) fn check_that(&mut self, is_right: bool, what: &str) {
        if !is_right {
            self.fail(what.to_owned());
        }
    }

    /// Records a violation.
    pub(super) fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(super) fn connections(&self) -> u64 {
        self.records.len() as u64
    }

    /// Returns the first violation.
    ///
    /// # Errors
    ///
    /// The violation.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.violation.take().map_or(Ok(()), Err)
    }

    /// Checks that each connection is live on both ends and has received everything, or has ended
    /// on both.
    pub(super) fn check_settled(&self) -> Result<u64, String> {
        let mut live = 0;
        for (serial, record) in &self.records {
            match (record.socket, record.room) {
                (End::Live, End::Live) => {
                    live += 1;
                    for direction in [&record.up, &record.down] {
                        if direction.sent != direction.received {
                            return Err(format!(
                                "packets of connection {serial} are missing: {direction:?}"
                            ));
                        }
                    }
                }
                (End::Ended, End::Ended | End::Unknown) => {}
                (socket, room) => {
                    return Err(format!("connection {serial}: socket {socket:?}, room {room:?}"));
                }
            }
        }
        Ok(live)
    }
}

impl Record {
    fn direction(&mut self, to: To) -> &mut Direction {
        match to {
            To::Room => &mut self.up,
            To::Socket => &mut self.down,
        }
    }
}
