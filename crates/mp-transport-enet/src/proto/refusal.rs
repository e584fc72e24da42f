//! Reasons for which a host refuses datagrams, commands and handshakes.

mp_core::reasons! {
    /// The reason for which a whole datagram was ignored.
    pub enum DatagramRefusal {
        /// The datagram is shorter than its header.
        Truncated = "truncated" => "the datagram is shorter than its header",
        /// No peer has the peer id, address and session of the datagram.
        UnknownPeer = "unknown_peer" => "no peer has this id, address and session",
        /// The datagram is compressed, but this host does not use compression.
        UnexpectedCompression = "unexpected_compression" =>
            "the datagram is compressed, but the host does not use compression",
        /// The datagram cannot be decompressed in this host's mode, or decompresses to more than
        /// one datagram. ENet does not negotiate the mode, so this counts the datagrams of peers
        /// that use another one.
        NotDecompressible = "not_decompressible" =>
            "the datagram cannot be decompressed in the mode of the host",
        /// The checksum is missing or wrong.
        WrongChecksum = "wrong_checksum" => "the checksum is missing or wrong",
    }
}

mp_core::reasons! {
    /// The reason for which a command of a peer, and the rest of its datagram, was ignored.
    pub enum CommandRefusal {
        /// The datagram ends within the command.
        Truncated = "truncated" => "the datagram ends within a command",
        /// The command number is unknown.
        UnknownCommand = "unknown_command" => "the command number is unknown",
        /// The command is not allowed in the state of the connection, for example data before the
        /// handshake is complete.
        UnexpectedCommand = "unexpected_command" =>
            "the command is not allowed in the state of the connection",
        /// A VERIFY_CONNECT with terms that the client did not offer. Closes the connection.
        UnofferedTerms = "unoffered_terms" => "the server accepts terms that were not offered",
        /// The channel does not exist.
        UnknownChannel = "unknown_channel" => "the channel does not exist",
        /// The packet is longer than the host accepts.
        PacketTooLong = "packet_too_long" => "the packet is too long",
        /// A fragment that is invalid or contradicts others of its packet.
        InvalidFragment = "invalid_fragment" => "the fragment is invalid or contradicts others",
        /// The command requests an acknowledgement, but the datagram has no sent time.
        NoSentTime = "no_sent_time" => "the datagram has no sent time to acknowledge",
    }
}

mp_core::reasons! {
    /// The reason for which a handshake was refused.
    ///
    /// A client that is refused for one of the last seven reasons is sent a DISCONNECT. The others
    /// are ignored.
    pub enum HandshakeRefusal {
        /// The host accepts no connections: it is a client.
        NotListening = "not_listening" => "the host accepts no connections",
        /// A datagram without a peer id does not begin with a CONNECT.
        NoConnect = "no_connect" => "the datagram does not begin with a CONNECT",
        /// The CONNECT has an invalid channel count or peer id.
        InvalidTerms = "invalid_terms" => "the terms of the CONNECT are invalid",
        /// The Godot peer id is not valid for a client.
        InvalidPeerId = "invalid_peer_id" => "the peer id is not valid for a client",
        /// Another client has this Godot peer id.
        PeerIdTaken = "peer_id_taken" => "the peer id is in use",
        /// The host refuses new connections.
        Refusing = "refusing" => "the host refuses new connections",
        /// The maximum number of peers is connected.
        HostFull = "host_full" => "the host has the maximum number of peers",
        /// The IP address has the maximum number of connections.
        AddressFull = "address_full" => "the address has the maximum number of connections",
        /// The [gate](super::HostSettings::gate) refuses the address. It counts the reasons.
        Gate = "gate" => "the gate refuses the address",
        /// All slots are occupied, some of them by connections that are closing.
        NoSlot = "no_slot" => "all slots are occupied",
    }
}

#[cfg(test)]
mod tests {
    use mp_core::testing::assert_labels_are_names;

    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        assert_labels_are_names::<DatagramRefusal>();
        assert_labels_are_names::<CommandRefusal>();
        assert_labels_are_names::<HandshakeRefusal>();
    }
}
