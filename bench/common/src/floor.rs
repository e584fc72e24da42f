//! Datagrams without a protocol, of messages with a constant length.

/// Maximum number of bytes in a datagram: those of the commands in a datagram of ENet.
const DATAGRAM_BYTES_MAX: usize = 1_388;

/// Start of a datagram of the length of ENet's acknowledgements. It is not forwarded. No message
/// starts with these bytes, because they are not the index of a client.
pub const ACKNOWLEDGEMENT: [u8; 2] = [0xff; 2];

/// Returns the number of bytes of the messages of `size` bytes that fit in a datagram.
pub const fn datagram_len(size: usize) -> usize {
    DATAGRAM_BYTES_MAX / size * size
}
