//! Options of servers and clients, and the errors of creating them.

mod checks;
mod create_error;

use std::net::IpAddr;
use std::time::Duration;

use mp_core::{ConnectionGate, OutOfRange, PeerId};
#[cfg(feature = "dtls")]
use mp_tls::CertificateStore;

pub(crate) use self::checks::{bind_any, checked, rng};
pub use self::create_error::CreateError;
#[cfg(feature = "dtls")]
use crate::dtls::DtlsClientOptions;
use crate::limits;
use crate::proto::command::ThrottleParameters;
use crate::proto::{CompressionMode, HostSettings, TimeoutConfig};

/// Options of a server (Godot: the arguments of `create_server`).
///
/// ```
/// use mp_transport_enet::ServerOptions;
/// use mp_transport_enet::proto::CompressionMode;
///
/// let options =
///     ServerOptions::default().max_clients(64).compression(CompressionMode::RangeCoder);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a setter returns the changed options"]
pub struct ServerOptions {
    host: HostSettings,
    /// Maximum number of bytes queued for all clients. `None`: in proportion to the number of
    /// clients.
    queued_bytes: Option<usize>,
    pub(crate) datagrams_per_poll: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) seed: Option<[u8; 32]>,
    #[cfg(feature = "dtls")]
    pub(crate) dtls: Option<CertificateStore>,
}

/// Options of a client (Godot: the arguments of `create_client`).
///
/// ```
/// use mp_transport_enet::ClientOptions;
///
/// let options = ClientOptions::default().channels(3).outgoing_bandwidth(64 * 1024);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a setter returns the changed options"]
pub struct ClientOptions {
    host: HostSettings,
    /// Maximum number of bytes queued. `None`: the default of [`HostSettings`].
    queued_bytes: Option<usize>,
    pub(crate) channels: u8,
    bind_ip: Option<IpAddr>,
    local_port: u16,
    pub(crate) unique_id: Option<PeerId>,
    pub(crate) datagrams_per_poll: usize,
    pub(crate) seed: Option<[u8; 32]>,
    #[cfg(feature = "dtls")]
    pub(crate) dtls: Option<DtlsClientOptions>,
}

/// Setters of both servers and clients.
macro_rules! common_setters {
    () => {
        /// Sets the maximum incoming bandwidth in bytes per second; 0 is unlimited (default). It
        /// reduces the windows of the peers.
        pub const fn incoming_bandwidth(mut self, bytes_per_second: u32) -> Self {
            self.host.incoming_bandwidth = bytes_per_second;
            self
        }

        /// Sets the maximum outgoing bandwidth in bytes per second; 0 is unlimited (default). It
        /// reduces the windows to the peers.
        pub const fn outgoing_bandwidth(mut self, bytes_per_second: u32) -> Self {
            self.host.outgoing_bandwidth = bytes_per_second;
            self
        }

        /// Sets the maximum length of a datagram in bytes, 576 to 4,096 (default: 1,392). Peers use
        /// the smaller one.
        pub const fn mtu(mut self, bytes: u16) -> Self {
            self.host.mtu = bytes;
            self
        }

        /// Sets the compression of datagrams (default: none). The remote peer must use the same.
        pub const fn compression(mut self, mode: CompressionMode) -> Self {
            self.host.compression = mode;
            self
        }

        /// Sets whether datagrams have a CRC-32 checksum (default: no, as in Godot). The remote
        /// peer must use the same.
        pub const fn checksum(mut self, checksum: bool) -> Self {
            self.host.checksum = checksum;
            self
        }

        /// Sets when unresponsive peers time out; see [`TimeoutConfig`].
        pub const fn timeout(mut self, timeout: TimeoutConfig) -> Self {
            self.host.timeout = timeout;
            self
        }

        /// Sets the time without an acknowledgement after which an idle peer is pinged (default:
        /// 500 ms), up to an eighth earlier in a datagram that is sent anyway.
        pub const fn ping_interval(mut self, interval: Duration) -> Self {
            self.host.ping_interval = interval;
            self
        }

        /// Sets whether to drop unreliable packets when round-trip times grow, as ENet does
        /// (default: no).
        pub const fn packet_throttle(mut self, throttle: bool) -> Self {
            self.host.packet_throttle = throttle;
            self
        }

        /// Sets the maximum length of a packet in bytes, sent and received: 1 byte to 32 MiB
        /// (default).
        pub const fn max_packet_size(mut self, bytes: usize) -> Self {
            self.host.max_packet_size = bytes;
            self
        }

        /// Sets the maximum number of reliable bytes queued for a peer (default: 64 MiB). At the
        /// limit the connection is closed with `QueueFull`.
        pub const fn reliable_queue_bytes(mut self, bytes: usize) -> Self {
            self.host.reliable_queue_bytes = bytes;
            self
        }

        /// Sets the maximum time without an acknowledgement of reliable data (default: 30 s). Then
        /// the connection is closed; see [`HostSettings::reliable_progress_timeout`].
        pub const fn reliable_progress_timeout(mut self, timeout: Duration) -> Self {
            self.host.reliable_progress_timeout = timeout;
            self
        }

        /// Sets the maximum number of unreliable bytes queued for a peer (default: 256 KiB). At the
        /// limit the oldest packets are dropped.
        pub const fn unreliable_queue_bytes(mut self, bytes: usize) -> Self {
            self.host.unreliable_queue_bytes = bytes;
            self
        }

        /// Sets the maximum number of bytes queued for all peers (default: 256 MiB, and for a
        /// server at least 256 KiB per client); see [`HostSettings::queued_bytes`].
        pub const fn queued_bytes(mut self, bytes: usize) -> Self {
            self.queued_bytes = Some(bytes);
            self
        }

        /// Sets the maximum number of bytes received and not polled, of all peers (default: 256
        /// MiB); see [`HostSettings::waiting_bytes`].
        pub const fn waiting_bytes(mut self, bytes: usize) -> Self {
            self.host.waiting_bytes = bytes;
            self
        }

        /// Sets the maximum number of packets received from a peer and not polled, at least 1
        /// (default: 4,096). At the limit unreliable packets are dropped, and reliable ones are not
        /// acknowledged.
        pub const fn receive_queue_packets(mut self, packets: usize) -> Self {
            self.host.receive_queue_packets = packets;
            self
        }

        /// Sets the maximum number of bytes received from a peer and not polled (default: 4 MiB).
        /// The limit has the same effect as [`receive_queue_packets`](Self::receive_queue_packets).
        pub const fn receive_queue_bytes(mut self, bytes: usize) -> Self {
            self.host.receive_queue_bytes = bytes;
            self
        }

        /// Sets the maximum number of datagrams received in one `poll`, at least 1 (default:
        /// 1,024). If there are more, the next `poll` is due immediately.
        pub const fn datagrams_per_poll(mut self, datagrams: usize) -> Self {
            self.datagrams_per_poll = datagrams;
            self
        }

        /// Sets the seed of random numbers, except those for encryption (default: from the
        /// operating system).
        pub const fn seed(mut self, seed: [u8; 32]) -> Self {
            self.seed = Some(seed);
            self
        }
    };
}

// Below the macro that it uses.
mod client;

impl Default for ServerOptions {
    fn default() -> Self {
        let never_drop = ThrottleParameters { deceleration: 0, ..ThrottleParameters::default() };
        Self {
            host: HostSettings { peer_throttle: Some(never_drop), ..HostSettings::default() },
            queued_bytes: None,
            datagrams_per_poll: limits::DATAGRAMS_PER_POLL,
            flush_interval: limits::FLUSH_INTERVAL,
            seed: None,
            #[cfg(feature = "dtls")]
            dtls: None,
        }
    }
}

impl ServerOptions {
    /// Sets the maximum number of clients, 1 to 4,095 (default: 32). Others are rejected
    /// immediately.
    pub const fn max_clients(mut self, clients: u16) -> Self {
        self.host.max_peers = clients;
        self
    }

    /// Sets the maximum number of clients from one IP address, at least 1 (default: 4,095).
    pub const fn max_clients_per_address(mut self, clients: u16) -> Self {
        self.host.max_peers_per_address = clients;
        self
    }

    /// Sets the gate that accepts or refuses addresses, which other transports may share (default:
    /// accepts all). Refused clients are rejected immediately.
    pub fn gate(mut self, gate: ConnectionGate) -> Self {
        self.host.gate = Some(gate);
        self
    }

    /// Sets the maximum number of ENet channels of a client, 1 to 255 (default).
    pub const fn channel_limit(mut self, channels: u8) -> Self {
        self.host.channel_limit = channels;
        self
    }

    /// Sets the packet throttle that is sent to clients (default: never drop); `None` sends
    /// nothing. See [`HostSettings::peer_throttle`].
    pub const fn peer_throttle(mut self, parameters: Option<ThrottleParameters>) -> Self {
        self.host.peer_throttle = parameters;
        self
    }

    /// Sets the maximum number of half-open connections, at least 1 (default: 1,024). At the limit
    /// the oldest is dropped.
    pub const fn max_half_open(mut self, clients: usize) -> Self {
        self.host.max_half_open = clients;
        self
    }

    /// Sets the maximum number of half-open connections from one IP address, at least 1 (default:
    /// 64). At the limit the oldest one of that address is dropped.
    pub const fn max_half_open_per_address(mut self, clients: usize) -> Self {
        self.host.max_half_open_per_address = clients;
        self
    }

    /// Sets the maximum time of a half-open connection (default: 10 s).
    pub const fn half_open_timeout(mut self, timeout: Duration) -> Self {
        self.host.half_open_timeout = timeout;
        self
    }

    /// Sets the maximum coalescing delay of packets (default: 1 ms; at most 16 ms), if at least
    /// eight clients are connected. With [`Duration::ZERO`] everything is sent at the end of the
    /// turn.
    ///
    /// If an interval has eight or more datagrams each way, received in small numbers at a time,
    /// the socket is polled once per interval. Fewer wake-ups and datagrams transfer the same
    /// packets, and a packet is delayed by half an interval on average. This requires a socket that
    /// [can pause](crate::io::DatagramSocket::pause), such as tokio's on Linux. On such a socket,
    /// the flush after one that 512 clients or more acknowledge is delayed for as long as that one
    /// took, at most 16 ms.
    pub const fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Enables encryption with this certificate; see
    /// [`EnetConnection::dtls_server_setup`](crate::EnetConnection::dtls_server_setup).
    #[cfg(feature = "dtls")]
    #[doc(alias = "dtls_server_setup")]
    pub fn dtls(mut self, certificate: impl Into<CertificateStore>) -> Self {
        self.dtls = Some(certificate.into());
        self
    }

    common_setters!();

    /// Returns the settings of the server's host.
    pub fn host_settings(&self) -> HostSettings {
        let for_all = usize::from(self.host.max_peers) * limits::QUEUED_BYTES_SHARE;
        let queued_bytes = self.queued_bytes.unwrap_or_else(|| self.host.queued_bytes.max(for_all));
        HostSettings { queued_bytes, ..self.host.clone() }
    }

    pub(crate) fn checked_settings(&self) -> Result<HostSettings, CreateError> {
        let flush_intervals = ..=limits::FLUSH_INTERVAL_MAX;
        OutOfRange::check("flush_interval", self.flush_interval, flush_intervals)?;
        OutOfRange::check("datagrams_per_poll", self.datagrams_per_poll, 1..)?;
        checked(self.host_settings())
    }
}
