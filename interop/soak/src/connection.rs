//! Connections of players to a room, over ENet or WebSocket.

use std::error::Error;
use std::net::SocketAddr;

use mp_core::host::SystemClock;
use mp_core::{MultiplayerPeer, Rng};
use mp_transport_enet::EnetMultiplayerPeer;
use mp_transport_ws::WebSocketMultiplayerPeer;

use crate::lossy_socket::LossySocket;

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
        clock: SystemClock,
        rng: &mut Rng,
    ) -> Result<Box<dyn MultiplayerPeer>, Box<dyn Error>> {
        Ok(match transport {
            Transport::Enet => {
                let socket = LossySocket::bind(clock, self.loss_permille, rng)?;
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
