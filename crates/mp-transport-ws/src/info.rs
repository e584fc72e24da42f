//! Details of a connection.

use std::net::SocketAddr;

/// Details of a connection, as Godot's `WebSocketPeer` reports them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketPeerInfo {
    /// Address of the remote peer, or the one that a trusted proxy reports (Godot:
    /// `get_connected_host`, `get_connected_port`).
    #[doc(alias = "get_connected_host")]
    #[doc(alias = "get_connected_port")]
    pub address: SocketAddr,
    /// URL that the client requested.
    #[doc(alias = "get_requested_url")]
    pub requested_url: String,
    /// Subprotocol that client and server agreed on.
    #[doc(alias = "get_selected_protocol")]
    pub selected_protocol: Option<String>,
    /// Bytes of accepted packets that the socket has not accepted yet.
    #[doc(alias = "get_current_outbound_buffered_amount")]
    pub current_outbound_buffered_amount: usize,
}
