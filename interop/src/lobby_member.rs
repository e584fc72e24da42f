//! A member of a signaling lobby.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mp_core::PeerId;
use mp_signaling::{Message, MessageKind};
use mp_transport_webrtc::{SdpKind, WebRtcMultiplayerPeer};
use tungstenite::{Error, WebSocket};

use crate::lobby::PATH;
use crate::world::{ScenarioError, ScenarioResult};

/// Time limit for the answer to a JOIN.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Id of a JOIN that creates a mesh, and of one that creates a lobby with a server.
const MESH: i32 = 0;
const WITH_SERVER: i32 = 1;

/// A signaling session that has joined a lobby.
pub(crate) struct LobbyMember {
    socket: WebSocket<TcpStream>,
    /// Id that the lobby has assigned.
    pub(crate) id: PeerId,
    /// True if all members of the lobby connect to each other.
    pub(crate) is_mesh: bool,
}

impl LobbyMember {
    /// Joins the lobby whose signaling is at `address`, or creates it.
    pub(crate) fn join(address: SocketAddr, creates_mesh: bool) -> ScenarioResult<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(JOIN_TIMEOUT))?;
        let opened = tungstenite::client(format!("ws://{address}{PATH}"), stream);
        let (mut socket, _) = opened.map_err(|error| ScenarioError(error.to_string()))?;
        let kind = if creates_mesh { MESH } else { WITH_SERVER };
        send(&mut socket, &Message::new(MessageKind::Join, kind, ""))?;
        loop {
            let Some(message) = parse(socket.read()?)? else { continue };
            let Some(id) = message.peer().filter(|_| message.kind == MessageKind::Id) else {
                continue;
            };
            socket.get_ref().set_nonblocking(true)?;
            return Ok(Self { socket, id, is_mesh: message.data == "true" });
        }
    }

    /// Passes messages of other members to `peer`, and its signals to them. A member with a larger
    /// id offers a connection, so the creator never does.
    pub(crate) fn run(&mut self, peer: &mut WebRtcMultiplayerPeer) -> ScenarioResult {
        loop {
            match self.socket.read() {
                Ok(message) => {
                    if let Some(message) = parse(message)? {
                        self.receive(message, peer)?;
                    }
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                // The lobby ends when its creator leaves. Connections stay.
                Err(_) => break,
            }
        }
        while let Some(signal) = peer.next_signal() {
            if let Some(message) = Message::from_signal(signal) {
                send(&mut self.socket, &message)?;
            }
        }
        Ok(())
    }

    fn receive(&self, message: Message, peer: &mut WebRtcMultiplayerPeer) -> ScenarioResult {
        let Some(id) = message.peer() else { return Ok(()) };
        match message.kind {
            MessageKind::PeerConnect => {
                peer.add_peer(id, UNRELIABLE_LIFETIME_MS)?;
                if id < self.id {
                    peer.create_offer(id)?;
                }
            }
            MessageKind::Offer => peer.set_remote_description(id, SdpKind::Offer, &message.data)?,
            MessageKind::Answer => {
                peer.set_remote_description(id, SdpKind::Answer, &message.data)?;
            }
            MessageKind::Candidate => {
                if let Some(candidate) = message.candidate() {
                    peer.add_ice_candidate(id, &candidate)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Time in milliseconds for which unreliable packets are repeated: Godot's default.
const UNRELIABLE_LIFETIME_MS: u16 = 1;

fn send(socket: &mut WebSocket<TcpStream>, message: &Message) -> ScenarioResult {
    Ok(socket.send(message.to_text().into())?)
}

/// Returns the signaling message of a text.
fn parse(message: tungstenite::Message) -> ScenarioResult<Option<Message>> {
    match message {
        tungstenite::Message::Text(text) => Ok(Some(Message::from_text(&text)?)),
        tungstenite::Message::Close(_) => Ok(None),
        _ => Ok(None),
    }
}
