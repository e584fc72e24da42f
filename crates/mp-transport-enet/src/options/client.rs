//! The options of clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mp_core::{OutOfRange, PeerId};

use super::{ClientOptions, CreateError, bind_any, checked};
#[cfg(feature = "dtls")]
use crate::dtls::DtlsClientOptions;
use crate::io::BindError;
use crate::limits;
use crate::mapping::LAST_CHANNEL;
use crate::proto::command::ThrottleParameters;
use crate::proto::{Admission, CompressionMode, HostSettings, TimeoutConfig};

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            host: HostSettings {
                // One for each attempt to connect.
                max_peers: limits::ADDRESSES_MAX as u16,
                admission: Admission::Nobody,
                ..HostSettings::default()
            },
            queued_bytes: None,
            channels: LAST_CHANNEL.0,
            bind_ip: None,
            local_port: 0,
            unique_id: None,
            datagrams_per_poll: limits::DATAGRAMS_PER_POLL,
            seed: None,
            #[cfg(feature = "dtls")]
            dtls: None,
        }
    }
}

impl ClientOptions {
    /// Sets the number of transfer channels besides 0, at most 253 (default). In Godot this is
    /// `channel_count`, where 0 means all.
    pub const fn channels(mut self, channels: u8) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the address to send from (default: any; Godot: `set_bind_ip`).
    #[doc(alias = "set_bind_ip")]
    pub const fn bind_ip(mut self, ip: IpAddr) -> Self {
        self.bind_ip = Some(ip);
        self
    }

    /// Sets the port to send from; 0 lets the operating system choose (default).
    pub const fn local_port(mut self, port: u16) -> Self {
        self.local_port = port;
        self
    }

    /// Sets the client's peer id (default: random, as in Godot). A server rejects an id that is in
    /// use, and the server's id 1.
    pub const fn unique_id(mut self, id: PeerId) -> Self {
        self.unique_id = Some(id);
        self
    }

    /// Sets the packet throttle that the client proposes to the server.
    pub const fn throttle(mut self, parameters: ThrottleParameters) -> Self {
        self.host.throttle = parameters;
        self
    }

    /// Enables encryption, and sets how the server is verified. If it is not trusted, the
    /// connection fails immediately, and [`Dtls::untrusted`](crate::dtls::Dtls::untrusted) returns
    /// the reason.
    #[cfg(feature = "dtls")]
    #[doc(alias = "dtls_client_setup")]
    pub fn dtls(mut self, options: DtlsClientOptions) -> Self {
        self.dtls = Some(options);
        self
    }

    common_setters!();

    /// Returns the settings of the client's host.
    pub fn host_settings(&self) -> HostSettings {
        let queued_bytes = self.queued_bytes.unwrap_or(self.host.queued_bytes);
        HostSettings { queued_bytes, ..self.host.clone() }
    }

    /// Returns the address to send from to `server`.
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

    /// Binds a socket with `bind` for a server whose address is unknown: for both families, unless
    /// an address is set or the system has no IPv6.
    pub(crate) fn bind_for_name<S>(
        &self,
        host: &str,
        port: u16,
        bind: impl Fn(SocketAddr) -> Result<S, BindError>,
    ) -> Result<S, CreateError> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(bind(self.local_address((ip, port).into())?)?);
        }
        match self.bind_ip {
            Some(ip) => Ok(bind((ip, self.local_port).into())?),
            None => Ok(bind_any(self.local_port, bind)?),
        }
    }

    pub(crate) fn checked_settings(&self) -> Result<HostSettings, CreateError> {
        OutOfRange::check("channels", self.channels, ..=LAST_CHANNEL.0)?;
        OutOfRange::check("datagrams_per_poll", self.datagrams_per_poll, 1..)?;
        checked(self.host_settings())
    }
}
