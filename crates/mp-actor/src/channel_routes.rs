//! The header by which a packet names its channel (see [`ChannelActor`](crate::ChannelActor)), and
//! the routing of a branch's packets to its channels.

use std::collections::BTreeMap;

use actix::dev::SendError;
use actix::prelude::*;
use bytes::Bytes;
use mp_core::PeerId;

use crate::channel::{BranchEnded, ChannelPackets};
use crate::limits::CHANNEL_NAME_BYTES_MAX;
use crate::mail::control_to;

/// The open channels of a branch by name.
#[derive(Default)]
pub(crate) struct ChannelRoutes(pub(crate) BTreeMap<String, ChannelRoute>);

pub(crate) struct ChannelRoute {
    pub(crate) mail: Recipient<ChannelPackets>,
    pub(crate) end: Recipient<BranchEnded>,
    /// Packets received since the last flush: at most one batch of an endpoint.
    pub(crate) pending: Vec<(PeerId, Bytes)>,
}

impl ChannelRoutes {
    /// Queues a message for an open channel. Returns false if there is no such channel.
    pub(crate) fn push(&mut self, name: &str, from: PeerId, message: Bytes) -> bool {
        let Some(route) = self.0.get_mut(name) else { return false };
        route.pending.push((from, message));
        true
    }

    /// Ends the channels after they have received their queued packets.
    pub(crate) fn end(&mut self) {
        self.flush();
        for route in std::mem::take(&mut self.0).into_values() {
            control_to(&route.end, BranchEnded);
        }
    }

    pub(crate) fn flush(&mut self) {
        for route in self.0.values_mut().filter(|route| !route.pending.is_empty()) {
            match route.mail.try_send(ChannelPackets(std::mem::take(&mut route.pending))) {
                Ok(()) | Err(SendError::Closed(_)) => {}
                // The channel's actor runs between two turns of the branch, and empties its mailbox
                // then.
                Err(SendError::Full(ChannelPackets(packets))) => route.pending = packets,
            }
        }
    }
}

/// Returns channel name and message of a packet with a channel header.
pub(crate) fn split_header(packet: &Bytes) -> Option<(&str, Bytes)> {
    let rest = packet.strip_prefix(&MAGIC)?;
    let (&len, rest) = rest.split_first()?;
    let name = rest.get(..usize::from(len)).filter(|name| name.len() <= CHANNEL_NAME_BYTES_MAX)?;
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    Some((name, packet.slice(MAGIC.len() + 1 + name.len()..)))
}

pub(crate) fn header(name: &str) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.push(name.len() as u8);
    header.extend_from_slice(name.as_bytes());
    header
}

/// "mp" and the version of the layout.
const MAGIC: [u8; 3] = [0x6D, 0x70, 0x01];
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_matches_the_documentation() {
        let packet = postcard::to_extend("hi", header("chat")).unwrap();
        assert_eq!(packet, b"mp\x01\x04chat\x02hi");
        let packet = Bytes::from(packet);
        assert_eq!(split_header(&packet), Some(("chat", Bytes::from_static(b"\x02hi"))));
    }

    #[test]
    fn other_packets_have_no_header() {
        let long = [b"mp\x01\x21".as_slice(), &[b'x'; 40]].concat();
        let others: [&[u8]; 8] =
            [b"", b"m", b"mp", b"mp\x01", b"mp\x01\x00", b"mp\x02\x01a", b"mp\x01\x02a", &long];
        for other in others {
            assert_eq!(split_header(&Bytes::copy_from_slice(other)), None, "{other:?}");
        }
        assert_eq!(split_header(&Bytes::from_static(b"mp\x01\x01\xFF")), None);
    }
}
