//! Reasons for which DTLS ignores a datagram, or ends a handshake.

mp_core::reasons! {
    /// The reason for which DTLS ignored a datagram, or ended a handshake.
    pub enum DtlsRefusal {
        /// The datagram belongs to no association, and is not a ClientHello.
        NoAssociation = "no_association" => "the datagram belongs to no association",
        /// The limit of associations with keys was reached, and none of them was silent for long.
        AssociationsFull = "associations_full" => "the limit of associations was reached",
        /// The limit of handshakes was reached, and all addresses of those are validated.
        HandshakesFull = "handshakes_full" => "the limit of handshakes was reached",
        /// The remote peer violated the protocol or ended the handshake.
        HandshakeFailed = "handshake_failed" => "the handshake failed",
        /// The handshake was not complete within
        /// [`DTLS_HANDSHAKE_TIMEOUT`](crate::limits::DTLS_HANDSHAKE_TIMEOUT).
        HandshakeTimeout = "handshake_timeout" => "the handshake took too long",
        /// The certificate of the server is not trusted.
        UntrustedCertificate = "untrusted_certificate" => "the certificate is not trusted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        mp_core::testing::assert_labels_are_names::<DtlsRefusal>();
    }
}
