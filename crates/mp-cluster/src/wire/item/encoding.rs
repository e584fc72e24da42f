//! The bytes of an [`Item`].

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mp_core::{
    AnnouncedId, AssignedId, CarriedSession, Channel, ConnectionId, ConnectionOrigin,
    ConnectionStatus, Connections, EndpointId, EndpointInfo, OutgoingPacket, Packet, PeerEvent,
    PeerId, Prefix, TransferMode,
};
use serde::{Deserialize, Serialize};

use super::Item;
use crate::limits::{CARRIED_IDS_MAX, CONNECTIONS_MAX, PATH_BYTES_MAX, URL_BYTES_MAX};
use crate::wire::bounded::{List, Payload, Text};
use crate::wire::frame::FrameRefusal;
use crate::wire::reason::{WireCloseMode, WireReason};

impl Item {
    /// Appends the bytes of the item.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let bytes = postcard::to_extend(&self.to_wire(), std::mem::take(out));
        // An encoding into memory has no errors.
        *out = bytes.unwrap_or_default();
    }

    /// Returns the item of `bytes`. Bytes after it are of a later version, and are ignored if
    /// `is_newer`.
    pub(crate) fn decode(bytes: &Bytes, is_newer: bool) -> Result<Self, FrameRefusal> {
        let (item, rest) =
            postcard::take_from_bytes(bytes).map_err(|_| FrameRefusal::MalformedItem)?;
        if !rest.is_empty() && !is_newer {
            return Err(FrameRefusal::MalformedItem);
        }
        from_wire(item, bytes).ok_or(FrameRefusal::MalformedItem)
    }

    fn to_wire(&self) -> WireItem<'_> {
        match self {
            Self::Opened(endpoint, info) => WireItem::Opened(info_to_wire(*endpoint, info)),
            Self::Reopened(endpoint, info, connections) => {
                WireItem::Reopened(info_to_wire(*endpoint, info), List(connections.clone()))
            }
            Self::Freeze => WireItem::Freeze,
            Self::Frozen => WireItem::Frozen,
            Self::Closed(reason) => WireItem::Closed((*reason).into()),
            Self::Event(event) => event_to_wire(event),
            Self::Send(packet) => WireItem::Send {
                to: List(packet.to.as_slice().to_vec()),
                mode: packet.mode,
                channel: packet.channel,
                prefix: Payload(packet.prefix.as_slice()),
                payload: Payload(&packet.payload),
            },
            Self::Disconnect { connection, reason, close_mode } => WireItem::Disconnect {
                connection: *connection,
                reason: (*reason).into(),
                close_mode: (*close_mode).into(),
            },
            Self::Hold(connection) => WireItem::Hold(*connection),
            Self::Return(connection) => WireItem::Return(*connection),
            Self::Refuse(refuses) => WireItem::Refuse(*refuses),
            Self::Leave { reason, close_mode } => {
                WireItem::Leave { reason: (*reason).into(), close_mode: (*close_mode).into() }
            }
        }
    }
}

/// An [`Item`] as it is encoded. New kinds are appended, and sent only to nodes of a version that
/// has them.
#[derive(Debug, Serialize, Deserialize)]
enum WireItem<'a> {
    Opened(WireInfo),
    #[serde(borrow)]
    Closed(WireReason<'a>),
    UniqueId(i32),
    Connected(#[serde(borrow)] WireConnection<'a>),
    Held(ConnectionId),
    Moved(#[serde(borrow)] WireConnection<'a>, #[serde(borrow)] WireSession<'a>),
    Resumed(#[serde(borrow)] WireConnection<'a>, i32),
    Received {
        from: ConnectionId,
        mode: TransferMode,
        channel: Channel,
        #[serde(borrow)]
        payload: Payload<'a>,
    },
    Disconnected {
        connection: ConnectionId,
        #[serde(borrow)]
        reason: WireReason<'a>,
    },
    Send {
        to: List<ConnectionId, CONNECTIONS_MAX>,
        mode: TransferMode,
        channel: Channel,
        #[serde(borrow)]
        prefix: Payload<'a>,
        #[serde(borrow)]
        payload: Payload<'a>,
    },
    Disconnect {
        connection: ConnectionId,
        #[serde(borrow)]
        reason: WireReason<'a>,
        close_mode: WireCloseMode,
    },
    Hold(ConnectionId),
    Return(ConnectionId),
    Refuse(bool),
    Leave {
        #[serde(borrow)]
        reason: WireReason<'a>,
        close_mode: WireCloseMode,
    },
    Reopened(WireInfo, List<ConnectionId, CONNECTIONS_MAX>),
    Freeze,
    Frozen,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireInfo {
    endpoint: u32,
    unique_id: i32,
    status: u8,
    relay_supported: bool,
    max_packet_size: u64,
    outlives_program: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireConnection<'a> {
    connection: ConnectionId,
    claimed_id: Option<i32>,
    address: Option<SocketAddr>,
    #[serde(borrow)]
    url: Option<Text<'a, URL_BYTES_MAX>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSession<'a> {
    announced: List<(u32, bool), CARRIED_IDS_MAX>,
    #[serde(borrow)]
    assigned: List<WireAssigned<'a>, CARRIED_IDS_MAX>,
    last_net_id: u32,
    sync_time: u16,
    malformed_packets: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireAssigned<'a> {
    id: u32,
    #[serde(borrow)]
    path: Option<Text<'a, PATH_BYTES_MAX>>,
    checksum: [u8; 32],
}

fn info_to_wire(endpoint: EndpointId, info: &EndpointInfo) -> WireInfo {
    WireInfo {
        endpoint: endpoint.0,
        unique_id: info.unique_id.get(),
        status: info.status as u8,
        relay_supported: info.relay_supported,
        max_packet_size: info.max_packet_size as u64,
        outlives_program: info.outlives_program,
    }
}

fn event_to_wire(event: &PeerEvent) -> WireItem<'_> {
    match event {
        PeerEvent::UniqueId(id) => WireItem::UniqueId(id.get()),
        PeerEvent::Connected { connection, claimed_id, origin } => {
            WireItem::Connected(connection_to_wire(*connection, *claimed_id, origin))
        }
        PeerEvent::Moved { connection, claimed_id, origin, carried } => WireItem::Moved(
            connection_to_wire(*connection, *claimed_id, origin),
            session_to_wire(carried),
        ),
        PeerEvent::Resumed { connection, claimed_id, origin, of } => {
            WireItem::Resumed(connection_to_wire(*connection, *claimed_id, origin), of.get())
        }
        PeerEvent::Held { connection } => WireItem::Held(*connection),
        PeerEvent::Packet(packet) => WireItem::Received {
            from: packet.from,
            mode: packet.mode,
            channel: packet.channel,
            payload: Payload(&packet.payload),
        },
        PeerEvent::Disconnected { connection, reason } => {
            WireItem::Disconnected { connection: *connection, reason: (*reason).into() }
        }
        _ => {
            mp_core::bug!("an event has no encoding: {event:?}");
            WireItem::UniqueId(0)
        }
    }
}

/// Returns the encoding of a connection. Secrets do not cross the bus: the query and the fragment
/// of a URL may have tokens, and its authority a password. The router of the endpoint has read
/// them.
fn connection_to_wire(
    connection: ConnectionId,
    claimed_id: Option<PeerId>,
    origin: &ConnectionOrigin,
) -> WireConnection<'_> {
    let url = origin.url().map(|url| url.split(['?', '#']).next().unwrap_or_default());
    let url = url.filter(|url| url.len() <= URL_BYTES_MAX && !url.contains('@')).map(Text);
    let claimed_id = claimed_id.map(PeerId::get);
    WireConnection { connection, claimed_id, address: origin.address(), url }
}

fn session_to_wire(carried: &CarriedSession) -> WireSession<'_> {
    let assigned = carried.assigned.iter().map(|it| WireAssigned {
        id: it.id,
        path: it.path.as_deref().map(Text),
        checksum: it.checksum,
    });
    WireSession {
        announced: List(carried.announced.iter().map(|it| (it.id, it.is_confirmed)).collect()),
        assigned: List(assigned.collect()),
        last_net_id: carried.last_net_id,
        sync_time: carried.sync_time,
        malformed_packets: carried.malformed_packets,
    }
}

/// Returns the item that was encoded; `None` if a value is not allowed. Payloads share `bytes`.
fn from_wire(item: WireItem<'_>, bytes: &Bytes) -> Option<Item> {
    let payload = |payload: Payload<'_>| bytes.slice_ref(payload.0);
    let event = match item {
        WireItem::Opened(info) => {
            let endpoint = EndpointId(info.endpoint);
            return info_from_wire(&info).map(|info| Item::Opened(endpoint, info));
        }
        WireItem::Reopened(info, connections) => {
            let endpoint = EndpointId(info.endpoint);
            let reopened = |info| Item::Reopened(endpoint, info, connections.0);
            return info_from_wire(&info).map(reopened);
        }
        WireItem::Freeze => return Some(Item::Freeze),
        WireItem::Frozen => return Some(Item::Frozen),
        WireItem::Closed(reason) => return Some(Item::Closed(reason.into())),
        WireItem::UniqueId(id) => PeerEvent::UniqueId(PeerId::new(id)?),
        WireItem::Connected(it) => {
            let (connection, claimed_id, origin) = connection_from_wire(&it)?;
            PeerEvent::Connected { connection, claimed_id, origin }
        }
        WireItem::Held(connection) => PeerEvent::Held { connection },
        WireItem::Moved(it, session) => {
            let (connection, claimed_id, origin) = connection_from_wire(&it)?;
            let carried = Box::new(session_from_wire(session));
            PeerEvent::Moved { connection, claimed_id, origin, carried }
        }
        WireItem::Resumed(it, of) => {
            let (connection, claimed_id, origin) = connection_from_wire(&it)?;
            PeerEvent::Resumed { connection, claimed_id, origin, of: PeerId::new(of)? }
        }
        WireItem::Received { from, mode, channel, payload: received } => {
            PeerEvent::Packet(Packet { from, mode, channel, payload: payload(received) })
        }
        WireItem::Disconnected { connection, reason } => {
            PeerEvent::Disconnected { connection, reason: reason.into() }
        }
        WireItem::Send { to, mode, channel, prefix, payload: sent } => {
            let to = match to.0[..] {
                [one] => Connections::One(one),
                _ => Connections::Many(Arc::from(to.0)),
            };
            let is_prefix = prefix.0.len() <= Prefix::CAPACITY;
            let prefix = is_prefix.then(|| Prefix::new(prefix.0))?;
            let packet = OutgoingPacket { to, mode, channel, prefix, payload: payload(sent) };
            return Some(Item::Send(packet));
        }
        WireItem::Disconnect { connection, reason, close_mode } => {
            let (reason, close_mode) = (reason.into(), close_mode.into());
            return Some(Item::Disconnect { connection, reason, close_mode });
        }
        WireItem::Hold(connection) => return Some(Item::Hold(connection)),
        WireItem::Return(connection) => return Some(Item::Return(connection)),
        WireItem::Refuse(refuses) => return Some(Item::Refuse(refuses)),
        WireItem::Leave { reason, close_mode } => {
            return Some(Item::Leave { reason: reason.into(), close_mode: close_mode.into() });
        }
    };
    Some(Item::Event(event))
}

fn info_from_wire(info: &WireInfo) -> Option<EndpointInfo> {
    let statuses =
        [ConnectionStatus::Disconnected, ConnectionStatus::Connecting, ConnectionStatus::Connected];
    Some(EndpointInfo {
        unique_id: PeerId::new(info.unique_id)?,
        status: *statuses.get(usize::from(info.status))?,
        relay_supported: info.relay_supported,
        max_packet_size: usize::try_from(info.max_packet_size).unwrap_or(usize::MAX),
        outlives_program: info.outlives_program,
    })
}

fn connection_from_wire(
    it: &WireConnection<'_>,
) -> Option<(ConnectionId, Option<PeerId>, ConnectionOrigin)> {
    let claimed_id = match it.claimed_id {
        Some(id) => Some(PeerId::new(id)?),
        None => None,
    };
    let origin = match (it.address, it.url) {
        (Some(address), Some(url)) => ConnectionOrigin::Url { address, url: url.0.into() },
        (Some(address), None) => ConnectionOrigin::Address(address),
        (None, _) => ConnectionOrigin::Process,
    };
    Some((it.connection, claimed_id, origin))
}

fn session_from_wire(session: WireSession<'_>) -> CarriedSession {
    let announced = session.announced.0.into_iter();
    let assigned = session.assigned.0.into_iter();
    CarriedSession {
        announced: announced.map(|(id, is_confirmed)| AnnouncedId { id, is_confirmed }).collect(),
        assigned: assigned
            .map(|it| AssignedId {
                id: it.id,
                path: it.path.map(|path| path.0.into()),
                checksum: it.checksum,
            })
            .collect(),
        last_net_id: session.last_net_id,
        sync_time: session.sync_time,
        malformed_packets: session.malformed_packets,
    }
}
