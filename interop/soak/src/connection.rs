//! Connections of players to a room, over ENet or WebSocket.

use std::error::Error;
use std::net::SocketAddr;

use mp_core::link_shaper::LinkConditions;
use mp_core::{ConnectionConditions, MultiplayerPeer, Rng};
use mp_transport_enet::EnetMultiplayerPeer;
use mp_transport_ws::WebSocketMultiplayerPeer;
use mp_udp::{ShapedSocket, UdpSocket};

/// Transport of a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The room is selected by an authentication packet.
    Enet,
    /// The room is selected by the path of the URL.
    WebSocket,
}

/// The addresses of a server, and the network to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) enet: SocketAddr,
    pub(crate) ws: SocketAddr,
    /// Probability that an ENet datagram is lost, for each direction.
    pub(crate) loss_permille: u32,
}

impl Server {
    /// Starts to connect.
    ///
    /// # Errors
    ///
    /// Returns an error if a socket or a thread cannot be created.
    pub(crate) fn connect(
        &self,
        transport: Transport,
        room: &str,
        rng: &mut Rng,
    ) -> Result<Box<dyn MultiplayerPeer>, Box<dyn Error>> {
        Ok(match transport {
            Transport::Enet => {
                let loss_permille = self.loss_permille;
                let conditions = LinkConditions { loss_permille, ..LinkConditions::default() };
                let socket = ShapedSocket::new(UdpSocket::bind_for(self.enet, 0)?)
                    .with_conditions(ConnectionConditions::both(conditions), rng);
                let options = mp_transport_enet::ClientOptions::default();
                Box::new(EnetMultiplayerPeer::client(socket, self.enet, options)?)
            }
            Transport::WebSocket => {
                let url = format!("ws://{}/{room}", self.ws);
                let options = mp_transport_ws::ClientOptions::default();
                Box::new(WebSocketMultiplayerPeer::create_client(&url, options)?)
            }
        })
    }
}
