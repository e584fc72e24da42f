//! The elements of SYNC and DELTA packets, for a program that keeps the last values of
//! synchronizers without their configuration.

use bytes::{BufMut, Bytes, BytesMut};

use super::compressed::decode_compressed;
use super::sync::{
    DELTA_HEAD, SYNC_HEAD, next_delta_element, next_sync_element, put_delta_element,
    put_sync_element,
};
use super::variant::Limits;

pub use super::sync::BY_PATH;

/// Returns the elements of a SYNC: the id of the synchronizer, which is a path id with the bit
/// [`BY_PATH`] or a net id, and its encoded values. An element beyond the end of the packet ends
/// it.
pub fn sync_elements(packet: &Bytes) -> impl Iterator<Item = (u32, Bytes)> {
    let mut rest = packet.slice(SYNC_HEAD.min(packet.len())..);
    std::iter::from_fn(move || next_sync_element(&mut rest)?.ok())
}

/// Returns the elements of a DELTA: the id of the synchronizer as in [`sync_elements`], the mask of
/// its changed properties, and their encoded values. An element beyond the end of the packet ends
/// it.
pub fn delta_elements(packet: &Bytes) -> impl Iterator<Item = (u32, u64, Bytes)> {
    let mut rest = packet.slice(DELTA_HEAD.min(packet.len())..);
    std::iter::from_fn(move || next_delta_element(&mut rest)?.ok())
}

/// Returns the encoded values of a DELTA's element by the bit of their property. Returns `None` if
/// there are not as many values as bits in `mask`.
pub fn split_values(mask: u64, values: &Bytes) -> Option<Vec<(u8, Bytes)>> {
    let mut rest = &values[..];
    let mut split = Vec::new();
    for bit in (0..64).filter(|bit| mask & (1 << bit) != 0) {
        let start = values.len() - rest.len();
        decode_compressed(&mut rest, &Limits::default()).ok()?;
        // The padding of a last value may be absent, and then counts as read.
        split.push((bit, values.slice(start..values.len() - rest.len())));
    }
    rest.is_empty().then_some(split)
}

/// Appends an element of a SYNC.
pub fn put_sync(id: u32, values: &[u8], out: &mut BytesMut) {
    let put = |out: &mut BytesMut| -> Result<(), std::convert::Infallible> {
        out.put_slice(values);
        Ok(())
    };
    let Ok(()) = put_sync_element(id, out, put);
}

/// Appends an element of a DELTA with values by the bit of their property, in ascending order.
pub fn put_delta<'v>(
    id: u32,
    values: impl Iterator<Item = (u8, &'v [u8])> + Clone,
    out: &mut BytesMut,
) {
    let mask = values.clone().fold(0, |mask, (bit, _)| mask | 1 << bit);
    let size = values.clone().map(|(_, value)| value.len()).sum();
    put_delta_element(id, mask, size, values.map(|(_, value)| value), out);
}

#[cfg(test)]
mod tests {
    use mp_core::Variant;

    use super::*;
    use crate::SceneMessage;
    use crate::codec::godot::compressed::encode_compressed_list;
    use crate::codec::{Codec, Objects};

    fn encode(message: &SceneMessage) -> Bytes {
        let mut packet = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut packet).unwrap();
        packet.freeze()
    }

    #[test]
    fn values_of_a_delta_are_split_by_property_and_joined_again() {
        let values = [Variant::Int(300), Variant::from("text"), Variant::Bool(true)];
        let mut encoded = BytesMut::new();
        encode_compressed_list(&values, Objects::Ids, &mut encoded).unwrap();
        let encoded = encoded.freeze();
        let mask = 1 << 2 | 1 << 40 | 1 << 63;
        let split = split_values(mask, &encoded).unwrap();
        let sizes: Vec<_> = split.iter().map(|(bit, value)| (*bit, value.len())).collect();
        assert_eq!(sizes, [(2, 3), (40, 12), (63, 1)]);
        assert_eq!(split_values(mask | 1, &encoded), None, "a value is missing");
        assert_eq!(split_values(1, &encoded), None, "values are left");

        let mut elements = BytesMut::new();
        put_delta(7, split.iter().map(|(bit, value)| (*bit, &value[..])), &mut elements);
        let packet = encode(&SceneMessage::Delta(elements.freeze()));
        let read: Vec<_> = delta_elements(&packet).collect();
        assert_eq!(read, [(7, mask, encoded)]);
    }

    #[test]
    fn elements_of_a_sync_are_read_until_the_packet_ends() {
        let mut elements = BytesMut::new();
        put_sync(7, &[2, 5], &mut elements);
        put_sync(BY_PATH | 8, &[2, 6], &mut elements);
        let packet = encode(&SceneMessage::Sync { time: 9, elements: elements.freeze() });
        let ids = |packet: &Bytes| sync_elements(packet).map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(&packet), [7, BY_PATH | 8]);
        assert_eq!(ids(&packet.slice(..packet.len() - 1)), [7]);
        assert_eq!(ids(&Bytes::new()), []);
    }
}
