//! One peer of a host. Reception is in [`receive`], sending in [`sender`] and [`transmit`], closing
//! in [`closing`].

mod ack;
mod address_validation;
mod closing;
mod loss;
mod pause;
mod receive;
mod rtt;
mod sender;
mod sessions;
mod state;
mod statistics;
mod throttle;
mod timeout;
mod transmit;

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionId, ConnectionStats, SharedLimit};

use crate::limits::RELIABLE_FRAGMENTS_MAX;
use crate::proto::channel::{Channels, ReceiveBudget, Unsequenced};
use crate::proto::command::{Body, Connect, Terms, ThrottleParameters};
use crate::proto::settings::HostSettings;
use crate::proto::wire::Payload;
use crate::proto::{Millis, NO_PEER, NetworkPath, PacketFlags};
use ack::Acknowledgements;
pub(crate) use address_validation::AddressValidation;
use closing::Closing;
use loss::Loss;
pub(crate) use receive::{Context, clamp_mtu};
use rtt::RoundTrip;
use sender::Sender;
pub(crate) use sender::{QueueError, piece_len};
pub(crate) use sessions::Sessions;
pub(crate) use state::State;
pub use statistics::{HostStatistic, PeerState, PeerStatistic};
pub(crate) use throttle::SCALE;
use throttle::Throttle;
pub use timeout::TimeoutConfig;
pub(crate) use transmit::Packed;

/// One peer of a host.
#[derive(Debug)]
pub(crate) struct Peer {
    connection: ConnectionId,
    /// Remote address and, if known, the local address that the peer sends to.
    path: NetworkPath,
    state: State,
    connect_id: [u8; 4],
    /// `data` of the CONNECT.
    data: u32,
    /// Slot of this host at the remote peer; [`NO_PEER`] until it is known.
    outgoing_id: u16,
    sessions: Sessions,
    /// Maximum length of a datagram in bytes, without the checksum.
    mtu: u16,
    /// Maximum number of reliable bytes in flight.
    window: u32,
    /// Bytes per second that the remote peer receives and sends.
    bandwidth: (u32, u32),
    /// Bytes per second that were announced to the remote peer.
    announced_bandwidth: Option<(u32, u32)>,
    channels: Channels,
    sender: Sender,
    acknowledgements: Acknowledgements,
    unsequenced: Unsequenced,
    budget: ReceiveBudget,
    round_trip: RoundTrip,
    throttle: Throttle,
    loss: Loss,
    timeout: TimeoutConfig,
    /// Time without an acknowledgement after which an idle peer is pinged.
    ping_interval: Millis,
    /// Time of the last acknowledgement.
    last_acknowledged: Option<Millis>,
    validation: AddressValidation,
    stats: ConnectionStats,
    closing: Closing,
}

impl Peer {
    /// Returns the peer for a server that a client connects to.
    pub(crate) fn connecting(
        connection: ConnectionId,
        path: NetworkPath,
        sessions: Sessions,
        connect: Connect,
        settings: &HostSettings,
    ) -> Self {
        let Connect { terms, data } = connect;
        let mut peer = Self::new(connection, path, sessions, &terms, data, settings);
        peer.sender.queue_control(Body::Connect(connect));
        peer
    }

    /// Returns the peer for a client whose CONNECT is answered with `terms`.
    pub(crate) fn half_open(
        connection: ConnectionId,
        path: NetworkPath,
        sessions: Sessions,
        connect: &Connect,
        terms: Terms,
        settings: &HostSettings,
        validation: AddressValidation,
    ) -> Self {
        let mut peer = Self::new(connection, path, sessions, &terms, connect.data, settings);
        peer.state = State::HalfOpen;
        peer.outgoing_id = connect.terms.peer_id;
        peer.validation = validation;
        peer.set_bandwidth(
            connect.terms.incoming_bandwidth,
            connect.terms.outgoing_bandwidth,
            settings,
        );
        peer.sender.queue_control(Body::VerifyConnect(terms));
        peer
    }

    fn new(
        connection: ConnectionId,
        path: NetworkPath,
        sessions: Sessions,
        terms: &Terms,
        data: u32,
        settings: &HostSettings,
    ) -> Self {
        let mtu = settings.room(terms.mtu as u16);
        Self {
            connection,
            path,
            state: State::Connecting,
            connect_id: terms.connect_id,
            data,
            outgoing_id: NO_PEER,
            sessions,
            mtu,
            window: terms.window_size,
            bandwidth: (0, 0),
            announced_bandwidth: None,
            channels: Channels::new(terms.channel_count as u8),
            sender: Sender::new(mtu),
            acknowledgements: Acknowledgements::default(),
            unsequenced: Unsequenced::default(),
            budget: ReceiveBudget::new(settings),
            round_trip: RoundTrip::new(),
            throttle: Throttle::new(terms.throttle, settings.packet_throttle),
            loss: Loss::default(),
            timeout: settings.timeout,
            ping_interval: millis(settings.ping_interval),
            last_acknowledged: None,
            validation: AddressValidation::default(),
            stats: ConnectionStats::default(),
            closing: Closing::default(),
        }
    }

    pub(crate) const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Returns the remote address and, if known, the local address that the peer sends to.
    pub(crate) const fn path(&self) -> NetworkPath {
        self.path
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Returns the connect id that the client drew.
    pub(crate) const fn connect_id(&self) -> [u8; 4] {
        self.connect_id
    }

    /// Returns the `data` of the CONNECT.
    pub(crate) const fn data(&self) -> u32 {
        self.data
    }

    /// Returns the slot of this host at the remote peer; [`NO_PEER`] until it is known.
    pub(crate) const fn outgoing_id(&self) -> u16 {
        self.outgoing_id
    }

    pub(crate) const fn sessions(&self) -> Sessions {
        self.sessions
    }

    /// Returns whether a datagram from an address, with `session` in its header, belongs to this
    /// peer.
    pub(crate) fn expects(&self, from: SocketAddr, session: u8) -> bool {
        let is_expected = self.outgoing_id == NO_PEER || self.sessions.expects(session);
        self.path.remote == from && is_expected
    }

    /// Returns the number of channels that the peers agreed on.
    pub(crate) const fn channel_count(&self) -> u8 {
        self.channels.count()
    }

    /// Returns the bytes per second that the remote peer receives; 0 is unlimited.
    pub(crate) const fn receive_bandwidth(&self) -> u32 {
        self.bandwidth.0
    }

    /// Returns the bytes per second that the remote peer sends; 0 is unlimited.
    pub(crate) const fn send_bandwidth(&self) -> u32 {
        self.bandwidth.1
    }

    /// Returns the maximum length of a reliable packet in bytes.
    pub(crate) const fn reliable_packet_max(&self) -> usize {
        RELIABLE_FRAGMENTS_MAX * piece_len(self.mtu)
    }

    /// Returns the bytes queued to send since the last [`reset_demand`](Self::reset_demand).
    pub(crate) const fn demand(&self) -> u64 {
        self.sender.demand()
    }

    pub(crate) const fn reset_demand(&mut self) {
        self.sender.reset_demand();
    }

    /// Limits the throttle: at most `limit` 32nds of the unreliable packets are sent.
    pub(crate) fn limit_throttle(&mut self, limit: u32) {
        self.throttle.set_limit(limit);
    }

    /// Sets the window for a host that sends `outgoing` bytes per second.
    pub(crate) fn set_outgoing_bandwidth(&mut self, outgoing: u32) {
        self.window = HostSettings::send_window(outgoing, self.bandwidth.0);
    }

    /// Announces the host's bandwidth limits if they have changed. Returns whether they have.
    pub(crate) fn announce_bandwidth(&mut self, incoming: u32, outgoing: u32) -> bool {
        let has_changed = self.announced_bandwidth != Some((incoming, outgoing));
        if has_changed {
            self.announced_bandwidth = Some((incoming, outgoing));
            self.sender.queue_control(Body::BandwidthLimit { incoming, outgoing });
        }
        has_changed
    }

    pub(crate) const fn set_timeout(&mut self, config: TimeoutConfig) {
        self.timeout = config;
    }

    /// Sets the time without an acknowledgement after which an idle peer is pinged.
    pub(crate) fn set_ping_interval(&mut self, interval: Duration) {
        self.ping_interval = millis(interval);
    }

    /// Queues a PING if the peer is connected.
    pub(crate) fn ping(&mut self) {
        if self.state == State::Connected {
            self.sender.queue_control(Body::Ping);
        }
    }

    /// Configures the packet throttle of both sides if the peer is connected.
    pub(crate) fn configure_throttle(&mut self, parameters: ThrottleParameters) {
        if self.state == State::Connected {
            self.throttle.configure(parameters);
            self.configure_remote_throttle(parameters);
        }
    }

    /// Requests the remote peer to configure its packet throttle.
    pub(crate) fn configure_remote_throttle(&mut self, parameters: ThrottleParameters) {
        self.sender.queue_control(Body::ThrottleConfigure(parameters));
    }

    /// Brings about an impossible state: packets are queued for channels that do not exist.
    #[cfg(test)]
    pub(crate) fn lose_channels(&mut self) {
        self.channels = Channels::new(0);
    }

    /// Counts an unreliable packet that cannot be sent.
    pub(crate) const fn count_send_drop(&mut self) {
        self.stats.send_drops += 1;
    }

    /// Updates the shares of this peer in the limits of all peers on queued and received data.
    pub(crate) fn record(&mut self, queued: &mut SharedLimit, received: &mut SharedLimit) {
        self.sender.record(queued);
        self.budget.record(received);
    }

    /// Stores the bandwidth limits of the remote peer and adapts the window.
    fn set_bandwidth(&mut self, incoming: u32, outgoing: u32, settings: &HostSettings) {
        self.bandwidth = (incoming, outgoing);
        self.window = HostSettings::send_window(settings.outgoing_bandwidth, incoming);
    }

    /// Queues a packet if the peer is connected. Drops the oldest unreliable packets beyond the
    /// limit of their queue, and beyond `limit`, the limit of all peers.
    pub(crate) fn send(
        &mut self,
        channel: u8,
        flags: PacketFlags,
        payload: Payload,
        settings: &HostSettings,
        limit: &mut SharedLimit,
    ) -> Result<(), QueueError> {
        if self.state != State::Connected {
            return Ok(());
        }
        let is_reliable = self.sender.queue_packet(&mut self.channels, channel, flags, payload)?;
        self.stats.send_drops +=
            self.sender.shed_unreliable(settings.unreliable_queue_bytes, limit);
        let is_shed = is_reliable && !self.sender.is_within(limit);
        if is_shed || self.sender.is_over(settings.reliable_queue_bytes) {
            return Err(QueueError::Full { is_shed });
        }
        Ok(())
    }

    /// Returns the statistics for the application.
    pub(crate) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        let round_trip = self.round_trip.measured();
        stats.round_trip_time = round_trip.map(|mean| Duration::from_millis(mean.into()));
        stats.queued_bytes = self.sender.queued_bytes();
        stats
    }
}

/// Returns a duration in milliseconds, saturating.
fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
