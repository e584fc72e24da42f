//! Transports of bots.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use mp_core::link_shaper::LinkConditions;
use mp_core::{ConnectionConditions, ErrorChain, PeerId, Rng};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::io::DatagramSocket;
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer};
use mp_transport_ws::WebSocketMultiplayerPeer;
use mp_transport_ws::io::TokioTcp;
use mp_udp::{ShapedSocket, TokioUdpSocket};

use super::webrtc::WebRtcBotPeer;
use crate::bot::{BotPeer, Dial, Transport};
use crate::scenario::{BotTransport, Scenario, ServerAddress, TlsSettings};

/// The servers of a scenario, with their names resolved and certificates read.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    servers: Arc<[(ServerAddress, SocketAddr)]>,
    tls: ClientTlsOptions,
    /// Name that a certificate must have.
    tls_name: Option<String>,
    link: LinkConditions,
    first_peer_id: Option<i32>,
}

impl Servers {
    /// Resolves the names of servers and reads certificates.
    ///
    /// # Errors
    ///
    /// A line that names the server or the file, if that fails.
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, String> {
        let web_socket = scenario.servers.iter().find(|it| it.transport == BotTransport::WebSocket);
        if let Some(server) = web_socket
            && scenario.link != LinkConditions::default()
        {
            return Err(format!("[link] does not apply to WebSocket ({})", server.url));
        }
        let resolved = scenario.servers.iter().map(|server| {
            let address = (server.host.as_str(), server.port).to_socket_addrs();
            let address =
                address.map_err(|error| format!("cannot resolve {}: {error}", server.host))?;
            // Most servers listen on IPv4, also if `localhost` has both.
            let all: Vec<_> = address.collect();
            let first = all.iter().find(|address| address.is_ipv4()).or_else(|| all.first());
            let first = first.ok_or_else(|| format!("{} has no address", server.host))?;
            Ok((server.clone(), *first))
        });
        Ok(Self {
            servers: resolved.collect::<Result<_, String>>()?,
            tls: tls(&scenario.tls)?,
            tls_name: scenario.tls.name.clone(),
            link: scenario.link,
            first_peer_id: scenario.first_peer_id,
        })
    }

    /// Returns the server of a player, counted from 1.
    pub(crate) fn url(&self, number: u32) -> &str {
        &self.of(number).0.url
    }

    fn of(&self, number: u32) -> &(ServerAddress, SocketAddr) {
        &self.servers[(number as usize - 1) % self.servers.len()]
    }

    /// Returns the function that creates the transport of a player.
    pub(crate) fn dial(&self, number: u32) -> Dial {
        let servers = self.clone();
        Rc::new(move |rng| servers.create(number, rng))
    }

    fn create(&self, number: u32, rng: &mut Rng) -> Result<Transport, String> {
        let (server, address) = self.of(number);
        if server.transport == BotTransport::WebRtc {
            let peer = WebRtcBotPeer::new(server, *address, &self.tls, (self.link, rng))?;
            return Ok(Box::new(peer));
        }
        if server.transport == BotTransport::WebSocket {
            let options = mp_transport_ws::ClientOptions::default()
                .seed(rng.next_seed())
                .tls(self.tls.clone());
            let peer = WebSocketMultiplayerPeer::create_async_client(&server.url, options);
            return Ok(Box::new(peer.map_err(|error| ErrorChain::new(&error).to_string())?));
        }
        let mut options = ClientOptions::default().seed(rng.next_seed());
        if let Some(first) = self.first_peer_id {
            let id = first.saturating_add_unsigned(number - 1);
            options = options.unique_id(PeerId::new(id).unwrap_or(PeerId::SERVER));
        }
        if server.transport == BotTransport::EnetDtls {
            let hostname = self.tls_name.clone().unwrap_or_else(|| server.host.clone());
            options = options.dtls(DtlsClientOptions { hostname, tls: self.tls.clone() });
        }
        if self.link == LinkConditions::default() {
            let peer = EnetMultiplayerPeer::create_async_client(*address, options);
            return Ok(Box::new(peer.map_err(|error| ErrorChain::new(&error).to_string())?));
        }
        let socket = TokioUdpSocket::bind_for(*address, 0);
        let socket = socket.map_err(|error| ErrorChain::new(&error).to_string())?;
        let conditions = ConnectionConditions::both(self.link);
        let socket = ShapedSocket::new(socket).with_conditions(conditions, rng);
        let peer = EnetMultiplayerPeer::client(socket, *address, options);
        Ok(Box::new(peer.map_err(|error| ErrorChain::new(&error).to_string())?))
    }
}

fn tls(settings: &TlsSettings) -> Result<ClientTlsOptions, String> {
    let mut tls = match settings.insecure {
        true => ClientTlsOptions::new_unsafe(),
        false => ClientTlsOptions::new(),
    };
    if let Some(file) = &settings.ca {
        let pem =
            fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
        tls = tls.trusted_chain(&pem).map_err(|e| format!("{file}: {}", ErrorChain::new(&e)))?;
    }
    if let Some(name) = &settings.name {
        let named = tls.common_name_override(name);
        tls = named.map_err(|error| ErrorChain::new(&error).to_string())?;
    }
    Ok(tls)
}

impl<S: DatagramSocket> BotPeer for EnetMultiplayerPeer<S> {
    fn failure(&mut self) -> Option<String> {
        let untrusted = self.host().dtls().and_then(|dtls| dtls.untrusted());
        untrusted.map(|error| ErrorChain::new(error).to_string())
    }

    fn closes_at_once(&self) -> bool {
        true
    }
}

impl BotPeer for WebSocketMultiplayerPeer<TokioTcp> {
    fn failure(&mut self) -> Option<String> {
        None
    }
}
