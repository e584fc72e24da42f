//! Options of the transports from the configuration.

use std::net::SocketAddr;

use mp_core::{ConnectionGate, ErrorChain};
use mp_signaling::limits::SOCKETS_PER_ADDRESS_MAX;
use mp_tls::CertificateStore;
use mp_transport_enet::ServerOptions;
use mp_transport_ws::AllowedOrigins;
use mp_transport_ws::limits::HALF_OPEN_MAX;

use crate::acme;
use crate::config::{Config, ListenConfig, ProxyConfig, Transport};
use crate::open_files;
use crate::reload::{self, LiveConfig};
use crate::webrtc::{WebRtcSettings, sessions_max};

/// Returns the maximum number of players of one transport.
pub(crate) fn max_clients(config: &Config) -> u16 {
    u16::try_from(config.limits.max_clients).unwrap_or(u16::MAX)
}

/// Returns the options of the ENet transport.
pub(crate) fn enet(
    config: &Config,
    listener: &ListenConfig,
    tls: Option<&CertificateStore>,
) -> ServerOptions {
    let limits = &config.limits;
    let options = ServerOptions::default()
        .max_clients(max_clients(config).min(ENET_CLIENTS_MAX))
        .max_packet_size(limits.max_packet_size as usize)
        .reliable_queue_bytes(limits.max_reliable_queue as usize)
        .flush_interval(config.enet.flush_interval);
    match tls.filter(|_| listener.tls) {
        Some(tls) => options.dtls(tls.clone()),
        None => options,
    }
}

/// Returns the options of the WebSocket transport, whose allowed origins follow the configuration.
/// Requires an actix system.
pub(crate) fn web_socket(
    live: &LiveConfig,
    listener: &ListenConfig,
    tls: Option<CertificateStore>,
) -> mp_transport_ws::ServerOptions {
    let config = live.borrow();
    let limits = &config.limits;
    let origins = AllowedOrigins::new(&config.websocket.allowed_origins);
    let followed = origins.clone();
    reload::follow(live.clone(), move |config| followed.set(&config.websocket.allowed_origins));
    let options = mp_transport_ws::ServerOptions::default()
        .max_clients(max_clients(&config))
        .buffer_sizes(limits.max_packet_size as usize)
        .reliable_queue_bytes(limits.max_reliable_queue as usize)
        .heartbeat_interval(config.websocket.ping)
        .trusted_proxies(listener.trusted_proxies.into())
        .proxy_networks(ProxyConfig::networks_or_local(&config.websocket.proxy_networks))
        .shared_origins(origins)
        .id_by_url(mp_rooms::resumed_id);
    match tls.filter(|_| listener.tls) {
        Some(tls) => options.tls(tls),
        None => options,
    }
}

/// Returns the settings of WebRTC on `address`.
pub(crate) fn webrtc(
    live: &LiveConfig,
    address: SocketAddr,
    gate: ConnectionGate,
) -> WebRtcSettings {
    let config = live.borrow();
    let per_address = config.limits.max_clients_per_address;
    let webrtc = &config.webrtc;
    WebRtcSettings {
        address,
        advertised: webrtc.advertise.clone(),
        channels: webrtc.channels.clone(),
        max_clients: max_clients(&config),
        gate,
        max_sockets_per_address: per_address.map_or(SOCKETS_PER_ADDRESS_MAX, usize::from),
        live: live.clone(),
    }
}

/// Returns the certificate, or an error message.
pub(crate) fn tls(config: &Config) -> Result<Option<CertificateStore>, String> {
    if let Some(config) = &config.acme {
        return acme::certificate_store(config).map(Some);
    }
    let Some(files) = &config.tls else { return Ok(None) };
    let store = CertificateStore::from_files(&files.cert, &files.key);
    store.map(Some).map_err(|error| ErrorChain::new(&error).to_string())
}

/// Returns the number of open files when the server is full and others shake hands.
pub(crate) fn open_files(config: &Config) -> u64 {
    let max_clients = usize::from(max_clients(config));
    let has = |transport| config.listen.iter().any(|it| it.transport == transport);
    // WebSocket players, and signaling of WebRTC players.
    let players = match (has(Transport::WebSocket), has(Transport::Signaling)) {
        (false, false) => 0,
        (false, true) => sessions_max(max_clients) + HALF_OPEN_MAX,
        (true, _) => sessions_max(max_clients) + max_clients + HALF_OPEN_MAX,
    };
    open_files::OWN + open_files::PER_SHARD * u64::from(config.enet.shards) + players as u64
}

/// Maximum number of players of an ENet listener: slots of the protocol.
const ENET_CLIENTS_MAX: u16 = 4_095;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn limits_reach_the_transports() {
        let config = Config::parse(
            "[enet]
            flush_interval = 4
            [limits]
            max_clients = 3
            max_clients_per_address = 2
            max_packet_size = 4096
            max_reliable_queue = 65536",
        );
        let config = config.unwrap();
        let enet = enet(&config, &config.listen[0], None);
        assert!(format!("{enet:?}").contains("flush_interval: 4ms"), "{enet:?}");
        let host = enet.host_settings();
        assert_eq!((host.max_peers, config.limits.gate_limits().per_address), (3, Some(2)));
        assert_eq!((host.max_packet_size, host.reliable_queue_bytes), (4_096, 65_536));
        let (_sender, live) = tokio::sync::watch::channel(Arc::new(config.clone()));
        actix::System::new().block_on(async {
            let ws = web_socket(&live, &config.listen[1], None);
            let ws = ws.web_socket_settings();
            assert_eq!((ws.inbound_buffer_size, ws.outbound_buffer_size), (4_096, 4_096));
            assert_eq!(ws.reliable_queue_bytes, 65_536);
        });
    }
}
