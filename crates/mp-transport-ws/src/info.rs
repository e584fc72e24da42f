//! What is known of a link.

use std::net::SocketAddr;

/// Figures and facts of a link: what Godot's `WebSocketPeer` tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketPeerInfo {
    /// The other side's address, or the one that trusted proxies act for (Godot: `get_connected_host`, `get_connected_port`).
    #[doc(alias = "get_connected_host")]
    #[doc(alias = "get_connected_port")]
    pub address: SocketAddr,
    /// The URL that the client asked for.
    #[doc(alias = "get_requested_url")]
    pub requested_url: String,
    /// The subprotocol that both agreed on.
    #[doc(alias = "get_selected_protocol")]
    pub selected_protocol: Option<String>,
    /// Bytes that were accepted and that the socket has not taken.
    #[doc(alias = "get_current_outbound_buffered_amount")]
    pub current_outbound_buffered_amount: usize,
}
