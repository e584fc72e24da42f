//! Reasons for which a peer refuses received datagrams and messages.

mp_core::reasons! {
    /// The reason for which a received datagram was ignored.
    pub enum DatagramRefusal {
        /// The datagram is longer than
        /// [`DATAGRAM_BYTES_MAX`](crate::limits::DATAGRAM_BYTES_MAX).
        TooLong = "too_long" => "the datagram is too long",
        /// The datagram is neither STUN nor DTLS (RFC 7983).
        UnknownProtocol = "unknown_protocol" => "the datagram is neither STUN nor DTLS",
        /// The datagram begins like STUN, but cannot be parsed.
        MalformedStun = "malformed_stun" => "the STUN message is malformed",
        /// No connection has the ICE user name or sent the request of the STUN message.
        UnknownConnection = "unknown_connection" => "the STUN message belongs to no connection",
        /// ICE did not accept the STUN message: its integrity check failed, it responds to no
        /// request, or it is an indication, which needs no response.
        RejectedByIce = "rejected_by_ice" => "ICE does not accept the STUN message",
        /// Another connection uses the source address of the STUN message.
        AddressInUse = "address_in_use" => "another connection uses the address",
        /// The connection has used [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX) addresses.
        TooManyAddresses = "too_many_addresses" => "the connection has used too many addresses",
        /// A DTLS datagram of an address from which no connectivity check was received within
        /// [`DEFERRED_TIME`](crate::limits::DEFERRED_TIME). Also counts datagrams beyond
        /// [`EARLY_DATAGRAMS_PER_ADDRESS`](crate::limits::EARLY_DATAGRAMS_PER_ADDRESS) and
        /// [`EARLY_ADDRESSES_MAX`](crate::limits::EARLY_ADDRESSES_MAX).
        UnknownAddress = "unknown_address" => "no connection uses the address",
        /// The DTLS record is malformed, or contradicts the state of the handshake.
        RejectedByDtls = "rejected_by_dtls" => "DTLS does not accept the record",
    }
}

mp_core::reasons! {
    /// The reason for which a received message was ignored.
    pub enum MessageRefusal {
        /// The remote peer opened the channel itself. It does not belong to the multiplayer peer.
        ForeignChannel = "foreign_channel" => "the remote peer opened the channel itself",
        /// The data was for an SCTP stream beyond [`STREAMS_MAX`](crate::limits::STREAMS_MAX). It
        /// closed the connection.
        StreamBeyondLimit = "stream_beyond_limit" => "the id of the SCTP stream is too large",
        /// The local peer is closing the connection.
        Closing = "closing" => "the connection is closing",
    }
}

#[cfg(test)]
mod tests {
    use mp_core::testing::assert_labels_are_names;

    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        assert_labels_are_names::<DatagramRefusal>();
        assert_labels_are_names::<MessageRefusal>();
    }
}
