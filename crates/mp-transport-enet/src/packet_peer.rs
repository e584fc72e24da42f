//! [`EnetPacketPeer`]: one peer of a host.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{CloseMode, ConnectionId, DisconnectReason};

use crate::proto::command::ThrottleParameters;
use crate::proto::{Host, HostSendError, PacketFlags, PeerState, PeerStatistic, TimeoutConfig};

/// A peer of a host (Godot: `ENetPacketPeer`), for what `MultiplayerPeer` does not offer: packet
/// flags and ENet channels, disconnecting with data for the remote peer, timeouts, pings,
/// statistics.
///
/// Queued packets are sent by the host's next `flush`. Received packets are events of the host.
#[derive(Debug)]
pub struct EnetPacketPeer<'a> {
    host: &'a mut Host,
    connection: ConnectionId,
}

/// The reason why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerSendError {
    /// The flags are unknown.
    #[error(
        "unknown packet flags {0:#x}; use reliable (1), unsequenced (2) and unreliable fragment (8)"
    )]
    Flags(u8),
    /// The host rejected the packet.
    #[error(transparent)]
    Host(#[from] HostSendError),
    /// The connection is not established, or is closing.
    #[error("not connected")]
    NotConnected,
}

/// The error of invalid timeout settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid timeout: limit {limit}, minimum {minimum:?}, maximum {maximum:?}; in milliseconds, limit ≤ minimum ≤ maximum"
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

    /// Queues a packet on an ENet channel.
    ///
    /// # Errors
    ///
    /// The flags or the channel are invalid, the peer is not connected, or the packet is too large.
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

    /// Queues a reliable packet on channel 0.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn put_packet(&mut self, packet: impl Into<Bytes>) -> Result<(), PeerSendError> {
        self.send(0, packet, PacketFlags::RELIABLE)
    }

    /// Sends a PING.
    pub fn ping(&mut self) {
        self.host.ping(self.connection);
    }

    /// Sets the time without an acknowledgement after which the idle peer is pinged; zero means the
    /// default of 500 ms.
    pub fn ping_interval(&mut self, interval: Duration) {
        self.host.set_ping_interval(self.connection, interval);
    }

    /// Sets when the peer times out, see [`TimeoutConfig`]. Zeros mean the defaults of 32, 5 s and
    /// 30 s.
    ///
    /// # Errors
    ///
    /// `limit` ≤ `minimum` ≤ `maximum` in milliseconds is violated. Godot checks this, too,
    /// although `limit` is not a time.
    pub fn set_timeout(
        &mut self,
        limit: u32,
        minimum: Duration,
        maximum: Duration,
    ) -> Result<(), TimeoutError> {
        if u128::from(limit) > minimum.as_millis() || minimum > maximum {
            return Err(TimeoutError { limit, minimum, maximum });
        }
        let default = TimeoutConfig::default();
        let or = |time: Duration, default| if time.is_zero() { default } else { time };
        let config = TimeoutConfig {
            limit: if limit == 0 { default.limit } else { limit },
            minimum: or(minimum, default.minimum),
            maximum: or(maximum, default.maximum),
        };
        self.host.set_timeout(self.connection, config);
        Ok(())
    }

    /// Configures the packet throttle on both sides. The local side applies it if
    /// [`packet_throttle`](crate::proto::HostSettings::packet_throttle) is set.
    pub fn throttle_configure(&mut self, parameters: ThrottleParameters) {
        self.host.configure_throttle(self.connection, parameters);
    }

    /// Returns a statistic; 0 if the connection has ended.
    #[doc(alias = "get_statistic")]
    pub fn statistic(&self, statistic: PeerStatistic) -> u32 {
        self.host.peer_statistic(self.connection, statistic).unwrap_or(0)
    }

    /// Returns the state of the connection.
    #[doc(alias = "get_state")]
    pub fn state(&self) -> PeerState {
        self.host.peer_state(self.connection)
    }

    /// Returns the number of channels; 0 if the connection has ended.
    #[doc(alias = "get_channels")]
    pub fn channels(&self) -> u8 {
        self.host.channel_count(self.connection).unwrap_or(0)
    }

    /// Returns the remote address; `None` if the connection has ended.
    #[doc(alias = "get_remote_address")]
    #[doc(alias = "get_remote_port")]
    pub fn remote_address(&self) -> Option<SocketAddr> {
        let address = self.host.address(self.connection)?;
        Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// Returns whether the connection has not ended.
    pub fn is_active(&self) -> bool {
        self.state() != PeerState::Disconnected
    }

    /// Returns the connection id.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Closes the connection, and drops queued packets. DISCONNECT with `data` is sent until it is
    /// acknowledged. Then the end is reported.
    pub fn peer_disconnect(&mut self, data: u32) {
        let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Graceful);
        self.host.disconnect(self.connection, data, reason, close_mode);
    }

    /// Closes the connection after all reliable packets have been acknowledged.
    pub fn peer_disconnect_later(&mut self, data: u32) {
        self.host.disconnect_later(self.connection, data);
    }

    /// Closes the connection immediately. One DISCONNECT with `data` is sent, and the end is
    /// reported now.
    pub fn peer_disconnect_now(&mut self, data: u32) {
        self.host.disconnect_now(self.connection, data, DisconnectReason::Closed);
    }

    /// Removes the connection and reports the end now. Nothing is sent, so the remote peer times
    /// out.
    pub fn reset(&mut self) {
        self.host.reset(self.connection, DisconnectReason::Closed);
    }
}

/// All known flags: reliable, unsequenced, unreliable fragment.
const KNOWN_FLAGS: u8 = 1 | 2 | 8;
