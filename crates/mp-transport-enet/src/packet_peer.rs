//! [`EnetPacketPeer`]: one peer of a host.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, Farewell};

use crate::proto::command::ThrottleParameters;
use crate::proto::{Host, HostSendError, PacketFlags, Patience, PeerState, PeerStatistic};

/// One peer of a host, for what Godot's `MultiplayerPeer` does not offer (Godot: `ENetPacketPeer`): raw flags and channels,
/// every kind of goodbye with a number for the other side, patience, pings, figures.
///
/// What is queued leaves with the host's next `flush`. Packets that arrive come out of the host, not from here.
#[derive(Debug)]
pub struct EnetPacketPeer<'a> {
    host: &'a mut Host,
    connection: ConnectionId,
}

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerSendError {
    /// There are other flags.
    #[error(
        "the flags {0:#x} are not known; use reliable (1), unsequenced (2) and unreliable fragment (8)"
    )]
    Flags(u8),
    /// The peer cannot take the packet.
    #[error(transparent)]
    Host(#[from] HostSendError),
    /// The connection is not there yet, or ends.
    #[error("not connected")]
    NotConnected,
}

/// A timeout that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a timeout with limit {limit}, minimum {minimum:?} and maximum {maximum:?} is none: in milliseconds, limit ≤ minimum ≤ maximum"
)]
pub struct TimeoutError {
    limit: u32,
    minimum: Duration,
    maximum: Duration,
}

impl<'a> EnetPacketPeer<'a> {
    pub(crate) const fn new(host: &'a mut Host, connection: ConnectionId) -> Self {
        Self { host, connection }
    }

    /// Queues a packet on a channel of ENet's.
    ///
    /// # Errors
    ///
    /// When there is no such flag, no such channel, no connection, or the packet is too large.
    pub fn send(
        &mut self,
        channel: u8,
        packet: impl Into<Bytes>,
        flags: PacketFlags,
    ) -> Result<(), PeerSendError> {
        if flags.0 & !KNOWN_FLAGS != 0 {
            return Err(PeerSendError::Flags(flags.0));
        }
        if self.state() != PeerState::Connected {
            return Err(PeerSendError::NotConnected);
        }
        Ok(self.host.send(self.connection, channel, flags, packet.into().into())?)
    }

    /// Queues a packet, reliable, on channel 0.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn put_packet(&mut self, packet: impl Into<Bytes>) -> Result<(), PeerSendError> {
        self.send(0, packet, PacketFlags::RELIABLE)
    }

    /// Asks at once whether it is there.
    pub fn ping(&mut self) {
        self.host.ping(self.connection);
    }

    /// How long after its last acknowledgement it is asked whether it is there, when it is idle; zero means the default of
    /// 500 ms.
    pub fn ping_interval(&mut self, interval: Duration) {
        self.host.set_ping_interval(self.connection, interval);
    }

    /// When it is given up: see [`Patience`]. Zeros mean the defaults of 32, 5 s and 30 s.
    ///
    /// # Errors
    ///
    /// Unless `limit` ≤ `minimum` ≤ `maximum`, in milliseconds (as in Godot, though `limit` is no time).
    pub fn set_timeout(
        &mut self,
        limit: u32,
        minimum: Duration,
        maximum: Duration,
    ) -> Result<(), TimeoutError> {
        if u128::from(limit) > minimum.as_millis() || minimum > maximum {
            return Err(TimeoutError { limit, minimum, maximum });
        }
        let default = Patience::default();
        let or = |time: Duration, default| if time.is_zero() { default } else { time };
        let patience = Patience {
            limit: if limit == 0 { default.limit } else { limit },
            minimum: or(minimum, default.minimum),
            maximum: or(maximum, default.maximum),
        };
        self.host.set_patience(self.connection, patience);
        Ok(())
    }

    /// Configures its packet throttle on both sides. This side follows it only when
    /// [`packet_throttle`](crate::proto::HostSettings::packet_throttle) is on.
    pub fn throttle_configure(&mut self, parameters: ThrottleParameters) {
        self.host.configure_throttle(self.connection, parameters);
    }

    /// A figure; 0 when it is gone.
    #[doc(alias = "get_statistic")]
    pub fn statistic(&self, statistic: PeerStatistic) -> u32 {
        self.host.peer_statistic(self.connection, statistic).unwrap_or(0)
    }

    /// Where the connection stands.
    #[doc(alias = "get_state")]
    pub fn state(&self) -> PeerState {
        self.host.peer_state(self.connection)
    }

    /// How many channels were agreed on; 0 when it is gone.
    #[doc(alias = "get_channels")]
    pub fn channels(&self) -> u8 {
        self.host.channel_count(self.connection).unwrap_or(0)
    }

    /// Where it is; `None` when it is gone.
    #[doc(alias = "get_remote_address")]
    #[doc(alias = "get_remote_port")]
    pub fn remote_address(&self) -> Option<SocketAddr> {
        let address = self.host.address(self.connection)?;
        Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// Whether it is there at all.
    pub fn is_active(&self) -> bool {
        self.state() != PeerState::Disconnected
    }

    /// Which connection this is.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Ends the connection; what is queued is lost. The other side is told, with `data`, until it acknowledges; then this
    /// side reports the end.
    pub fn peer_disconnect(&mut self, data: u32) {
        let (reason, farewell) = (DisconnectReason::Closed, Farewell::Polite);
        self.host.disconnect(self.connection, data, reason, farewell);
    }

    /// Ends the connection when everything that was queued reliably has been acknowledged.
    pub fn peer_disconnect_later(&mut self, data: u32) {
        self.host.disconnect_later(self.connection, data);
    }

    /// Ends the connection at once: the other side is told once, with `data`, this side reports the end now.
    pub fn peer_disconnect_now(&mut self, data: u32) {
        self.host.disconnect_now(self.connection, data, DisconnectReason::Closed);
    }

    /// Forgets the connection without a word: the other side notices by its timeout, this side reports the end now.
    pub fn reset(&mut self) {
        self.host.reset(self.connection, DisconnectReason::Closed);
    }
}

/// Reliable, unsequenced, unreliable fragment.
const KNOWN_FLAGS: u8 = 1 | 2 | 8;
