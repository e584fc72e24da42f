//! Creates transports by name.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use mp_core::MultiplayerPeer;
use mp_transport_enet::proto::TimeoutConfig;
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer, ServerOptions};
use mp_transport_ws::WebSocketMultiplayerPeer;
use mp_transport_ws::tls::{CertificateStore, ClientTlsOptions};

use crate::options::{Options, Transport};
use crate::webrtc;
use crate::world::{ScenarioError, ScenarioResult};

/// Creates a server as Godot's `create_server` does; ENet times out silent peers by `timeout`.
pub(crate) fn server(
    options: &Options,
    timeout: TimeoutConfig,
) -> ScenarioResult<Box<dyn MultiplayerPeer>> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port));
    match options.transport {
        Transport::Enet => {
            let settings =
                ServerOptions::default().timeout(timeout).compression(options.compression.mode());
            Ok(Box::new(EnetMultiplayerPeer::create_server(address, settings)?))
        }
        Transport::Ws | Transport::Wss => {
            let mut settings = mp_transport_ws::ServerOptions::default().buffer_sizes(BUFFER_SIZES);
            if options.transport == Transport::Wss {
                let (certificate, key) = (given(&options.tls_cert)?, given(&options.tls_key)?);
                settings = settings.tls(CertificateStore::from_files(certificate, key)?);
            }
            Ok(Box::new(WebSocketMultiplayerPeer::create_server(address, settings)?))
        }
        Transport::Webrtc => Ok(Box::new(webrtc::server(address)?)),
    }
}

/// Creates a client as Godot's `create_client` does.
pub(crate) fn client(
    options: &Options,
    timeout: TimeoutConfig,
) -> ScenarioResult<Box<dyn MultiplayerPeer>> {
    match options.transport {
        Transport::Enet => {
            let address = SocketAddr::from((options.host, options.port));
            let mut settings =
                ClientOptions::default().timeout(timeout).compression(options.compression.mode());
            if options.tls_cert.is_some() {
                let tls = trusting(options)?;
                settings = settings.dtls(DtlsClientOptions { hostname: "localhost".into(), tls });
            }
            Ok(Box::new(EnetMultiplayerPeer::create_client(address, settings)?))
        }
        Transport::Ws | Transport::Wss => {
            let mut settings = mp_transport_ws::ClientOptions::default().buffer_sizes(BUFFER_SIZES);
            if options.transport == Transport::Wss {
                settings = settings.tls(trusting(options)?);
            }
            let host = match options.host {
                IpAddr::V4(host) => host.to_string(),
                IpAddr::V6(host) => format!("[{host}]"),
            };
            let url = format!("{}://{host}:{}", options.transport.name(), options.port);
            Ok(Box::new(WebSocketMultiplayerPeer::create_client(&url, settings)?))
        }
        Transport::Webrtc => {
            let address = SocketAddr::from((options.host, options.port));
            Ok(Box::new(webrtc::member(address, false)?))
        }
    }
}

/// Creates the first peer of a mesh over WebRTC, whose signaling is another process.
pub(crate) fn mesh(options: &Options) -> ScenarioResult<Box<dyn MultiplayerPeer>> {
    let address = SocketAddr::from((options.host, options.port));
    Ok(Box::new(webrtc::member(address, true)?))
}

/// Returns options that trust the given certificate.
fn trusting(options: &Options) -> ScenarioResult<ClientTlsOptions> {
    let trusted = fs::read_to_string(given(&options.tls_cert)?)
        .map_err(|error| ScenarioError(error.to_string()))?;
    Ok(ClientTlsOptions::new().trusted_chain(&trusted)?)
}

/// Buffer sizes as in the suites.
const BUFFER_SIZES: usize = 1 << 22;

fn given(file: &Option<PathBuf>) -> ScenarioResult<&PathBuf> {
    file.as_ref().ok_or_else(|| ScenarioError("wss needs --tls-cert and --tls-key".into()))
}
