//! The unencrypted parts of DTLS datagrams (RFC 6347, 4.1 and 4.2.2).

/// Length of a record header: type, version, epoch, sequence number, length.
const HEADER_LEN: usize = 13;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Maximum overhead of a record in bytes: its header, the explicit nonce of AES-GCM (8) and the tag
/// (16).
pub const RECORD_OVERHEAD: usize = HEADER_LEN + 8 + 16;

/// Returns whether a datagram starts with a ClientHello.
pub(super) fn is_client_hello(datagram: &[u8]) -> bool {
    first_message(datagram) == Some(CLIENT_HELLO)
}

/// Returns whether a datagram starts with a ServerHello, which a server only sends to a validated
/// address.
pub(super) fn is_server_hello(datagram: &[u8]) -> bool {
    first_message(datagram) == Some(SERVER_HELLO)
}

/// Returns whether all records of a datagram are protected and complete.
pub(super) fn is_protected(mut datagram: &[u8]) -> bool {
    let mut records = 0;
    while let Some((header, rest)) = datagram.split_first_chunk::<HEADER_LEN>() {
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        if epoch(header) == 0 || rest.len() < len {
            return false;
        }
        datagram = &rest[len..];
        records += 1;
    }
    records > 0 && datagram.is_empty()
}

/// Returns the type of the unprotected handshake message at the start of a datagram.
fn first_message(datagram: &[u8]) -> Option<u8> {
    let (header, body) = datagram.split_first_chunk::<HEADER_LEN>()?;
    (header[0] == HANDSHAKE && epoch(header) == 0).then_some(*body.first()?)
}

fn epoch(header: &[u8; HEADER_LEN]) -> u16 {
    u16::from_be_bytes([header[3], header[4]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0, 0, body.len() as u8];
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn a_hello_is_an_unprotected_handshake_record_that_begins_with_its_type() {
        assert!(is_client_hello(&record(22, 0, &[1, 0])));
        assert!(is_server_hello(&record(22, 0, &[2, 0])));
        for other in
            [record(22, 1, &[1]), record(23, 0, &[1]), record(22, 0, &[3]), record(22, 0, &[])]
        {
            assert!(!is_client_hello(&other) && !is_server_hello(&other), "{other:?}");
        }
        assert!(!is_client_hello(&record(22, 0, &[1])[..12]));
    }

    #[test]
    fn a_datagram_is_protected_when_each_of_its_records_is() {
        let (plain, sealed) = (record(21, 0, &[2, 40]), record(23, 1, &[7; 30]));
        assert!(is_protected(&sealed));
        assert!(is_protected(&[&sealed[..], &sealed].concat()));
        assert!(!is_protected(&[&sealed[..], &plain].concat()));
        assert!(!is_protected(&sealed[..20]) && !is_protected(&[]));
        assert!(!is_protected(&[&sealed[..], &[23]].concat()));
    }
}
