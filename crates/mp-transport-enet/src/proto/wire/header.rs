//! The header of a datagram: two or four bytes.
//!
//! | bytes | field |
//! |---|---|
//! | 2 | bit 15 sent time follows · bit 14 compressed · bits 13..12 session · bits 11..0 peer id |
//! | 2 | sent time: low 16 bits of the sender's clock in milliseconds, only if bit 15 is set |
#![expect(clippy::exhaustive_structs, reason = "the fields are those of the wire")]

use std::fmt;

use crate::proto::NO_PEER;

/// The header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The receiver's slot for the sender; [`NO_PEER`] in a CONNECT.
    pub peer_id: u16,
    /// Session of that slot, 0 to 3.
    pub session: u8,
    /// `true` if the commands are compressed.
    pub compressed: bool,
    /// Low 16 bits of the sender's clock in milliseconds. `Some` if a command requests an
    /// acknowledgement.
    pub sent_time: Option<u16>,
}

impl Header {
    /// Maximum length of a header in bytes.
    pub const LEN_MAX: usize = 4;

    /// Parses the header at the start of `datagram`. Returns it and the bytes after it, or `None`
    /// if the datagram is shorter than its header.
    pub fn parse(datagram: &[u8]) -> Option<(Self, &[u8])> {
        let (&[high, low], mut rest) = datagram.split_first_chunk::<2>()?;
        let bits = u16::from_be_bytes([high, low]);
        let mut sent_time = None;
        if bits & SENT_TIME != 0 {
            let (&time, after) = rest.split_first_chunk::<2>()?;
            sent_time = Some(u16::from_be_bytes(time));
            rest = after;
        }
        let header = Self {
            peer_id: bits & NO_PEER,
            session: ((bits & SESSION) >> SESSION_SHIFT) as u8,
            compressed: bits & COMPRESSED != 0,
            sent_time,
        };
        Some((header, rest))
    }

    /// Returns whether an encoded datagram has a sent time: it is ack-eliciting.
    pub(crate) fn is_timed(datagram: &[u8]) -> bool {
        datagram.first().is_some_and(|&first| u16::from(first) << 8 & SENT_TIME != 0)
    }

    /// Returns the length of the header in bytes: 2, or 4 with a time.
    pub const fn encoded_len(&self) -> usize {
        if self.sent_time.is_some() { 4 } else { 2 }
    }

    /// Writes the header to the start of `out`, whose length must be at least
    /// [`encoded_len`](Self::encoded_len). Returns that length.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut bits = self.peer_id & NO_PEER;
        bits |= (u16::from(self.session) << SESSION_SHIFT) & SESSION;
        if self.compressed {
            bits |= COMPRESSED;
        }
        if let Some(time) = self.sent_time {
            bits |= SENT_TIME;
            out[2..4].copy_from_slice(&time.to_be_bytes());
        }
        out[..2].copy_from_slice(&bits.to_be_bytes());
        self.encoded_len()
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.peer_id == NO_PEER {
            f.write_str("peer none")?;
        } else {
            write!(f, "peer {} session {}", self.peer_id, self.session)?;
        }
        if self.compressed {
            f.write_str(" compressed")?;
        }
        if let Some(time) = self.sent_time {
            write!(f, " time {time}")?;
        }
        Ok(())
    }
}

const SENT_TIME: u16 = 0x8000;
const COMPRESSED: u16 = 0x4000;
const SESSION: u16 = 0x3000;
const SESSION_SHIFT: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], header: Header, display: &str) {
        assert_eq!(Header::parse(bytes), Some((header, &b"rest"[..0])));
        let mut out = [0; Header::LEN_MAX];
        let len = header.emit(&mut out);
        assert_eq!(&out[..len], bytes);
        assert_eq!(header.to_string(), display);
    }

    #[test]
    fn headers_of_godot_are_parsed_and_encoded() {
        let header =
            Header { peer_id: NO_PEER, session: 0, compressed: false, sent_time: Some(0x89ef) };
        check(&[0x8f, 0xff, 0x89, 0xef], header, "peer none time 35311");
        let header = Header { peer_id: 0, session: 1, compressed: false, sent_time: None };
        check(&[0x10, 0x00], header, "peer 0 session 1");
        let header =
            Header { peer_id: NO_PEER, session: 0, compressed: true, sent_time: Some(0x86ac) };
        check(&[0xcf, 0xff, 0x86, 0xac], header, "peer none compressed time 34476");
        // Sent by Godot in reply to a server that assigned session 3.
        let header = Header { peer_id: 5, session: 3, compressed: false, sent_time: None };
        check(&[0x30, 0x05], header, "peer 5 session 3");
    }

    #[test]
    fn a_header_longer_than_its_datagram_is_rejected() {
        for datagram in [&[][..], &[0x80], &[0x80, 0], &[0x80, 0, 1]] {
            assert_eq!(Header::parse(datagram), None, "{datagram:02x?}");
        }
        assert!(Header::parse(&[0, 0]).is_some());
    }
}
