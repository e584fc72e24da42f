//! Masking: bytes of an authentication are replaced with zeros before they are recorded.

use mp_scene::{Codec, PacketKind};

/// Size in bytes of the command and the kind of an AUTH.
const AUTH_HEAD: usize = 2;
/// Size in bytes of a RELAY before its content.
const RELAY_HEAD: usize = 6;

/// The bytes of a packet, with the position of the first secret.
pub(crate) struct Masked<'a> {
    bytes: &'a [u8],
    /// Position from which all bytes are secret.
    secret: usize,
}

impl<'a> Masked<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, secret: secret_at(bytes) }
    }

    /// Returns the packet without its secret; `None` if there is none.
    pub(crate) fn masked(&self) -> Option<Vec<u8>> {
        let visible = self.bytes.get(..self.secret).filter(|it| it.len() < self.bytes.len())?;
        let mut masked = visible.to_vec();
        masked.resize(self.bytes.len(), 0);
        Some(masked)
    }

    /// Returns the packet as it is.
    pub(crate) fn visible(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Returns the position of the bytes of an AUTH, or of an AUTH in a RELAY.
fn secret_at(packet: &[u8]) -> usize {
    let kind = |packet: &[u8]| Codec::default().kind(packet);
    match kind(packet) {
        Some(PacketKind::Auth) => AUTH_HEAD,
        Some(PacketKind::Relay) => {
            let content = packet.get(RELAY_HEAD..).unwrap_or_default();
            match kind(content) {
                Some(PacketKind::Auth | PacketKind::Relay) => RELAY_HEAD + AUTH_HEAD,
                _ => packet.len(),
            }
        }
        _ => packet.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_of_an_authentication_are_masked() {
        for (packet, masked) in [
            (&b"\x07\x00secret"[..], Some(&b"\x07\x00\0\0\0\0\0\0"[..])),
            (b"\x07\x03\x02\0\0\0\x07\x00secret", Some(b"\x07\x03\x02\0\0\0\x07\x00\0\0\0\0\0\0")),
            // A RELAY in a RELAY means nothing, and may contain anything.
            (
                b"\x07\x03\x02\0\0\0\x07\x03\x02\0\0\0\x07",
                Some(b"\x07\x03\x02\0\0\0\x07\x03\0\0\0\0\0"),
            ),
            (b"\x07\x00", None),
            (b"\x07\x03\x02\0\0\0\x03chat", None),
            (b"\x03chat", None),
            (b"\x07\x01\x02\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(Masked::of(packet).masked().as_deref(), masked, "{packet:x?}");
        }
    }
}
