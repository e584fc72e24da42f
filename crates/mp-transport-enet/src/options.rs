//! What a peer can be told when it is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mp_core::Rng;
#[cfg(feature = "dtls")]
use mp_tls::CertificateStore;

#[cfg(feature = "dtls")]
use crate::dtls::{DtlsClientOptions, DtlsError};
use crate::io::BindError;
use crate::limits;
use crate::proto::command::ThrottleParameters;
use crate::proto::{Admission, HostSettings, MTU_MAX, MTU_MIN, PEERS_MAX};

/// Options of a server (Godot: the arguments of `create_server`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The host: clients (32), channels (255), bandwidth (no limit), timeouts, budgets. Unlike a bare host it asks its clients
    /// not to drop unreliable packets themselves ([`peer_throttle`](HostSettings::peer_throttle)).
    pub host: HostSettings,
    /// Most datagrams taken from the socket in one `poll` (1,024). The next one is then due at once.
    pub datagrams_per_poll: usize,
    /// How long packets may wait for others so that they leave together (1 ms; 16 ms at most), when at least eight clients
    /// are connected. Where eight datagrams per interval come and go and arrivals wake the thread more than 1.5 times in it,
    /// by fewer than four each, the socket is looked at once per interval, which adds half of it on average to what passes
    /// through; fewer wake-ups and datagrams carry the same packets. So it is for one interval after eight clients were sent
    /// something that they acknowledge. (Only a socket that [can let arrivals wait](crate::io::DatagramSocket::pause) is left
    /// alone like this: tokio's, on Linux.) After a flush that 512 clients or more acknowledge the next one waits for about
    /// as long as that one took, 16 ms at most. Otherwise, and with [`Duration::ZERO`], everything leaves at the end of the
    /// turn.
    pub flush_interval: Duration,
    /// What randomness comes from; `None` asks the operating system. Encryption always does.
    pub seed: Option<[u8; 32]>,
    /// Encrypts everything, with this certificate (`None`: nothing). See
    /// [`EnetConnection::dtls_server_setup`](crate::EnetConnection::dtls_server_setup).
    #[cfg(feature = "dtls")]
    #[doc(alias = "dtls_server_setup")]
    pub dtls: Option<CertificateStore>,
}

/// Options of a client (Godot: the arguments of `create_client`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The host: bandwidth (no limit), timeouts, budgets. Its clients and its admission do not matter.
    pub host: HostSettings,
    /// Transfer channels besides 0 (default 253: all there are). Godot's `channel_count`, of which 0 means all.
    pub channels: u8,
    /// The address to send from (`None`: any). Godot's `set_bind_ip`.
    pub bind_ip: Option<IpAddr>,
    /// The port to send from (0: any).
    pub local_port: u16,
    /// As [`ServerOptions::datagrams_per_poll`].
    pub datagrams_per_poll: usize,
    /// As [`ServerOptions::seed`].
    pub seed: Option<[u8; 32]>,
    /// Encrypts everything, for a server that is verified like this (`None`: nothing). When it is not to be trusted, the
    /// connection fails at once, and [`Dtls::untrusted`](crate::dtls::Dtls::untrusted) says why.
    #[cfg(feature = "dtls")]
    pub dtls: Option<DtlsClientOptions>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let never_drop = ThrottleParameters { deceleration: 0, ..ThrottleParameters::default() };
        Self {
            host: HostSettings { peer_throttle: Some(never_drop), ..HostSettings::default() },
            datagrams_per_poll: limits::DATAGRAMS_PER_POLL,
            flush_interval: limits::FLUSH_INTERVAL,
            seed: None,
            #[cfg(feature = "dtls")]
            dtls: None,
        }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            host: HostSettings::default(),
            channels: crate::mapping::LAST_CHANNEL.0,
            bind_ip: None,
            local_port: 0,
            datagrams_per_poll: limits::DATAGRAMS_PER_POLL,
            seed: None,
            #[cfg(feature = "dtls")]
            dtls: None,
        }
    }
}

impl ServerOptions {
    /// The defaults with room for `clients`, 1 to 4,095, and for what they are sent when they come
    /// at once: [`queued_bytes`](HostSettings::queued_bytes) of 256 KiB for each, 256 MiB at least.
    pub fn with_max_clients(clients: u16) -> Self {
        let mut options = Self::default();
        options.host.max_peers = clients;
        let of_all = usize::from(clients) * limits::QUEUED_BYTES_OF_EACH;
        options.host.queued_bytes = options.host.queued_bytes.max(of_all);
        options
    }

    pub(crate) fn into_settings(self) -> Result<HostSettings, CreateError> {
        if self.flush_interval > limits::FLUSH_INTERVAL_MAX {
            return Err(CreateError::FlushInterval(self.flush_interval));
        }
        checked(self.host)
    }
}

impl ClientOptions {
    /// Where to send from to `server`.
    pub(crate) fn local_address(&self, server: SocketAddr) -> Result<SocketAddr, CreateError> {
        let any = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let ip: IpAddr = self.bind_ip.unwrap_or(any);
        if ip.is_ipv4() && server.is_ipv6() {
            return Err(CreateError::Family { ip, server });
        }
        Ok((ip, self.local_port).into())
    }

    /// Binds a socket with `bind` for a server whose address is not known yet: for both families,
    /// unless an address is given or the system has no IPv6.
    pub(crate) fn bind_for_name<S>(
        &self,
        host: &str,
        port: u16,
        bind: impl Fn(SocketAddr) -> Result<S, BindError>,
    ) -> Result<S, CreateError> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(bind(self.local_address((ip, port).into())?)?);
        }
        let from = |ip| bind((ip, self.local_port).into());
        let any = || {
            let both = from(Ipv6Addr::UNSPECIFIED.into());
            both.or_else(|_| from(Ipv4Addr::UNSPECIFIED.into()))
        };
        Ok(self.bind_ip.map_or_else(any, from)?)
    }

    pub(crate) fn into_settings(self) -> Result<HostSettings, CreateError> {
        let mut settings = self.host;
        // One for each attempt to connect.
        settings.max_peers = limits::ADDRESSES_MAX as u16;
        settings.admission = Admission::Nobody;
        check(&settings)?;
        Ok(settings)
    }
}

/// The settings of a host that others connect to, if they are within range.
pub(crate) fn checked(settings: HostSettings) -> Result<HostSettings, CreateError> {
    if !(1..=PEERS_MAX).contains(&settings.max_peers) {
        return Err(CreateError::MaxClients(settings.max_peers));
    }
    check(&settings)?;
    Ok(settings)
}

fn check(settings: &HostSettings) -> Result<(), CreateError> {
    if settings.channel_limit == 0 {
        return Err(CreateError::ChannelLimit);
    }
    if !(MTU_MIN..=MTU_MAX).contains(&settings.mtu) {
        return Err(CreateError::Mtu(settings.mtu));
    }
    Ok(())
}

pub(crate) fn rng(seed: Option<[u8; 32]>) -> Result<Rng, CreateError> {
    let seed = match seed {
        Some(seed) => seed,
        None => mp_core::host::os_seed().map_err(CreateError::Randomness)?,
    };
    Ok(Rng::from_seed(seed))
}

/// Why a server or a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The socket could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Encryption cannot be had as asked.
    #[cfg(feature = "dtls")]
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// There must be a channel.
    #[error("a channel limit of 0 leaves no channel; use 1 to 255")]
    ChannelLimit,
    /// The address to send from cannot reach the server.
    #[error("{server} cannot be reached from {ip}, an IPv4 address; use an IPv6 address, or none")]
    Family {
        /// The address to send from.
        ip: IpAddr,
        /// The server.
        server: SocketAddr,
    },
    /// There is no address to connect to.
    #[error(
        "no address of the server can be reached from the client's socket; bind the socket to [::]"
    )]
    NoAddress,
    /// The thread of a lookup could not be started.
    #[error("cannot start the thread that looks up a name: {0}")]
    Thread(std::io::Error),
    /// The operating system does not tell where a socket is.
    #[error("the address of a socket is not known: {0}")]
    Address(std::io::Error),
    /// A number of parts that a server cannot have.
    #[error("a server cannot have {0} shards; use 1 to 64")]
    Shards(usize),
    /// Packets would wait too long.
    #[error("a flush interval of {0:?} is too long; use at most 16 ms")]
    FlushInterval(Duration),
    /// A number of clients that ENet cannot have.
    #[error("a server cannot have {0} clients; use 1 to 4095")]
    MaxClients(u16),
    /// An mtu that ENet does not allow.
    #[error("an mtu of {0} bytes is not allowed; use 576 to 4096")]
    Mtu(u16),
    /// The operating system has no randomness to give.
    #[error("the operating system gave no randomness; set a seed: {0}")]
    Randomness(std::io::Error),
}
