//! Sockets, settings and randomness from options.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mp_core::limits::PACKET_BYTES_MAX;
use mp_core::{OutOfRange, Rng};

use super::{CreateError, WebSocketSettings};
use crate::io::BindError;
use crate::limits;
use crate::proto::session::Settings;

impl WebSocketSettings {
    pub(crate) fn max_packet_size(&self) -> usize {
        match self.outbound_buffer_size {
            0 => PACKET_BYTES_MAX,
            bytes => bytes.min(PACKET_BYTES_MAX * 2),
        }
    }

    fn check(&self) -> Result<(), CreateError> {
        OutOfRange::check("handshake_timeout", self.handshake_timeout, HANDSHAKE_TIMEOUT_MIN..)?;
        OutOfRange::check("inbound_buffer_size", self.inbound_buffer_size, CONTROL_BYTES_MAX..)?;
        let queues = ..=limits::RELIABLE_QUEUE_BYTES_MAX;
        OutOfRange::check("reliable_queue_bytes", self.reliable_queue_bytes, queues)?;
        let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        let wrong = |protocol: &&String| protocol.is_empty() || !protocol.chars().all(is_token);
        if let Some(protocol) = self.supported_protocols.iter().find(wrong) {
            return Err(CreateError::Protocol(protocol.clone()));
        }
        let wrong = |header: &&String| {
            let name = header.split_once(':').map_or("", |(name, _)| name);
            name.is_empty() || !name.chars().all(is_token) || header.chars().any(char::is_control)
        };
        if let Some(header) = self.handshake_headers.iter().find(wrong) {
            return Err(CreateError::Header(header.clone()));
        }
        Ok(())
    }
}

pub(super) fn settings(
    from: &WebSocketSettings,
    max_clients: usize,
) -> Result<Settings, CreateError> {
    from.check()?;
    Ok(Settings {
        inbound_max: from.inbound_buffer_size,
        max_packet_size: from.max_packet_size(),
        max_queued_packets: from.max_queued_packets,
        buffered_bytes: from.buffered_bytes,
        reliable_queue_bytes: from.reliable_queue_bytes,
        max_clients,
        handshake_timeout: from.handshake_timeout,
        heartbeat_interval: from.heartbeat_interval,
        tcp_timeout: from.tcp_timeout,
    })
}

/// Listens with `listen` at `port` on all addresses of this machine: IPv6 and IPv4, or IPv4 alone
/// if the system has no IPv6.
pub(crate) fn listen_any<S>(
    port: u16,
    listen: impl Fn(SocketAddr) -> Result<S, BindError>,
) -> Result<S, BindError> {
    listen((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.source.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
        _ => listen((Ipv4Addr::UNSPECIFIED, port).into()),
    })
}

pub(crate) fn rng(seed: Option<[u8; 32]>) -> Result<Rng, CreateError> {
    let seed = match seed {
        Some(seed) => seed,
        None => mp_core::host::os_seed().map_err(CreateError::Randomness)?,
    };
    Ok(Rng::from_seed(seed))
}

/// Size in bytes of the largest control frame, which every peer must accept.
const CONTROL_BYTES_MAX: usize = 125;
const HANDSHAKE_TIMEOUT_MIN: Duration = Duration::from_millis(1);
