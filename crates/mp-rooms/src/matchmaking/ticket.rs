//! [`Ticket`]: the secret with which a player takes a reserved seat.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use mp_core::Rng;
use sha2::{Digest, Sha256};

/// The secret with which a player takes a reserved seat: 128 random bits. Its text is `mpt_` and 22
/// characters of base64url. `Debug` does not show it.
///
/// The registry keeps only the [`hash`](Self::hash). It finds a seat by the hash, so that the time
/// of a search reveals nothing about the tickets of others.
#[derive(Clone)]
pub struct Ticket([u8; TICKET_BYTES]);

/// The SHA-256 hash of a [`Ticket`]. It does not allow to take the seat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketHash([u8; 32]);

impl Ticket {
    /// First characters of the text of each ticket.
    pub const PREFIX: &str = "mpt_";

    /// Returns a new ticket. The generator must be seeded by the operating system
    /// ([`os_seed`](mp_core::host::os_seed)).
    pub fn random(rng: &mut Rng) -> Self {
        Self((u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())).to_be_bytes())
    }

    /// Returns the same ticket with another tag. The servers of a cluster tag tickets by the server
    /// that has the seat; 96 bits stay random.
    #[must_use]
    pub fn with_tag(&self, tag: u32) -> Self {
        let [_, _, _, _, random @ ..] = self.0;
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(&tag.to_be_bytes());
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    /// Returns the tag: the first 32 bits, which are random if none was set.
    pub fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the ticket with this text; `None` if it is not the text of a ticket.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?;
        if digits.len() != DIGITS {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(digits.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Returns the text of the ticket, which is secret.
    pub fn reveal(&self) -> String {
        format!("{}{}", Self::PREFIX, BASE64URL_NOPAD.encode(&self.0))
    }

    /// Returns the hash by which the registry finds the seat.
    pub fn hash(&self) -> TicketHash {
        TicketHash(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl TicketHash {
    /// Returns the hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TicketHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

const TICKET_BYTES: usize = 16;
/// Length of 16 bytes in base64url without padding.
const DIGITS: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_is_read_from_its_text_and_not_shown() {
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let text = ticket.reveal();
        assert_eq!((text.len(), &text[..4]), (26, "mpt_"));
        let read = Ticket::parse(&text).unwrap();
        assert_eq!(read.hash(), ticket.hash());
        assert_eq!(format!("{ticket:?}"), "Ticket");
        let other = Ticket::random(&mut Rng::seed_from_u64(2));
        assert_ne!(other.hash(), ticket.hash());
    }

    #[test]
    fn tagged_ticket_keeps_its_random_bits_and_has_another_hash() {
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let tagged = ticket.with_tag(7);
        let read = Ticket::parse(&tagged.reveal()).unwrap();
        assert_eq!((read.tag(), &read.0[4..]), (7, &ticket.0[4..]));
        assert_ne!(tagged.hash(), ticket.hash());
        assert_eq!(tagged.with_tag(ticket.tag()).hash(), ticket.hash());
    }

    #[test]
    fn hash_is_sha_256_of_the_bits() {
        let ticket = Ticket::parse("mpt_AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        // printf '\0%.0s' {1..16} | sha256sum
        let expected = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb";
        assert_eq!(data_encoding::HEXLOWER.encode(&ticket.hash().0), expected);
    }

    #[test]
    fn texts_that_are_no_tickets_are_refused() {
        for text in [
            "",
            "mpt_",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "mpt_AAAAAAAAAAAAAAAAAAAAA",
            "mpt_AAAAAAAAAAAAAAAAAAAAAAA",
            "mpt_AAAAAAAAAAAAAAAAAAAAAB",
            "mpt_AAAAAAAAAAAAAAAAAAAA==",
            "mpt_AAAAAAAAAAAAAAAAAAAA+/",
            "MPT_AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(Ticket::parse(text).is_none(), "{text}");
        }
    }
}
