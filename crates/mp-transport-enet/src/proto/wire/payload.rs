//! The payload of a packet to send: a short prefix, and bytes that several packets may share.

use bytes::Bytes;
use mp_core::{Prefix, queued_bytes};

/// The payload of a packet to send.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    prefix: Prefix,
    bytes: Bytes,
    connections: u16,
}

impl Payload {
    /// Returns the payload `prefix` followed by `bytes`.
    pub const fn new(prefix: Prefix, bytes: Bytes) -> Self {
        Self { prefix, bytes, connections: 1 }
    }

    /// Divides the memory among `connections` connections that queue the payload.
    pub(crate) fn shared_by(self, connections: usize) -> Self {
        let connections = u16::try_from(connections).unwrap_or(u16::MAX);
        Self { connections, ..self }
    }

    /// Returns the memory in bytes of `len` payload bytes while they are queued.
    pub(crate) const fn queued_bytes(&self, len: usize) -> usize {
        queued_bytes(len, self.connections as usize)
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.prefix.as_slice().len() + self.bytes.len()
    }

    /// Returns whether the payload has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the bytes from `offset` on to `out`.
    pub(crate) fn copy_to(&self, offset: usize, out: &mut [u8]) {
        let prefix = self.prefix.as_slice();
        let from_prefix = prefix.get(offset..).unwrap_or_default();
        let first = from_prefix.len().min(out.len());
        out[..first].copy_from_slice(&from_prefix[..first]);
        let start = (offset + first) - prefix.len().min(offset + first);
        let rest = out.len() - first;
        out[first..].copy_from_slice(&self.bytes[start..start + rest]);
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::new(Prefix::EMPTY, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_can_be_copied() {
        let payload = Payload::new(Prefix::new(b"head"), Bytes::from_static(b"and tail"));
        let whole = b"headand tail";
        for start in 0..=whole.len() {
            for end in start..=whole.len() {
                let mut out = vec![0; end - start];
                payload.copy_to(start, &mut out);
                assert_eq!(out, whole[start..end], "{start}..{end}");
            }
        }
    }
}
