//! [`GatewayEnd`]: the reason why a pair of gateways ends.

mp_core::reasons! {
    /// The reason why a link between two gateways, or a connection over it, ended. Connections are
    /// closed with its label and text. It is a byte of a frame: new reasons are appended.
    pub enum GatewayEnd {
        /// The branch or the endpoint has closed.
        Closed = "closed" => "the room or the listener has closed",
        /// Reliable data was lost between two nodes.
        DataLost = "data_lost" => "data was lost between two servers",
        /// The other node does not respond.
        NodeLost = "node_lost" => "the server of the room does not respond",
        /// The node of the room has lost its lease.
        LeaseLost = "lease_lost" => "the server of the room has lost its lease",
        /// The room has another owner.
        RoomMoved = "room_moved" => "the room has moved to another server",
        /// The other node does not have the room, and has not had the link.
        UnknownLink = "unknown_link" => "the server does not have the room",
        /// A frame of the other node is malformed.
        MalformedFrame = "malformed_frame" => "another server has sent a malformed frame",
        /// The other node has had the link, which has ended there.
        LinkEnded = "link_ended" => "the link to the server of the room has ended",
    }
}
