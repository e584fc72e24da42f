//! Sockets, settings and randomness from options.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mp_core::{OutOfRange, Rng};

use super::CreateError;
use crate::io::BindError;
use crate::limits;
use crate::proto::{HostSettings, MTU_MAX, MTU_MIN, PEERS_MAX};

/// Binds a socket with `bind` to `port` of all addresses of this host: of both families, or of IPv4
/// if the system has no IPv6.
pub(crate) fn bind_any<S>(
    port: u16,
    bind: impl Fn(SocketAddr) -> Result<S, BindError>,
) -> Result<S, BindError> {
    bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.source.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
        _ => bind((Ipv4Addr::UNSPECIFIED, port).into()),
    })
}

/// Returns `settings` if they are in range.
pub(crate) fn checked(settings: HostSettings) -> Result<HostSettings, CreateError> {
    OutOfRange::check("max_clients", settings.max_peers, 1..=PEERS_MAX)?;
    OutOfRange::check("max_clients_per_address", settings.max_peers_per_address, 1..)?;
    OutOfRange::check("channel_limit", settings.channel_limit, 1..=255)?;
    OutOfRange::check("mtu", settings.mtu, MTU_MIN..=MTU_MAX)?;
    OutOfRange::check("max_half_open", settings.max_half_open, 1..)?;
    OutOfRange::check("max_half_open_per_address", settings.max_half_open_per_address, 1..)?;
    let packet_sizes = 1..=limits::PACKET_BYTES_MAX;
    OutOfRange::check("max_packet_size", settings.max_packet_size, packet_sizes)?;
    OutOfRange::check("receive_queue_packets", settings.receive_queue_packets, 1..)?;
    Ok(settings)
}

pub(crate) fn rng(seed: Option<[u8; 32]>) -> Result<Rng, CreateError> {
    let seed = match seed {
        Some(seed) => seed,
        None => mp_core::host::os_seed().map_err(CreateError::Randomness)?,
    };
    Ok(Rng::from_seed(seed))
}
