//! Reads the messages of one direction of a WebSocket connection, without taking part in it.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::Direction;
use crate::limits::MESSAGE_BYTES_MAX;

/// The messages of one direction. tungstenite decodes the frames; its responses to pings and close
/// frames are discarded.
#[derive(Debug)]
pub(super) struct MessageTap {
    /// `None` after a close frame, or once the direction cannot be decoded.
    context: Option<WebSocketContext>,
}

/// Something in the bytes of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tapped {
    Message(Bytes),
    /// A close frame with this code; 0 without one.
    Close(u16),
    /// The framing is invalid, compressed, or a message is too long.
    Undecodable,
}

impl MessageTap {
    pub(super) fn new(direction: Direction) -> Self {
        let role = match direction {
            Direction::ToServer => Role::Server,
            Direction::ToClient => Role::Client,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        Self { context: Some(WebSocketContext::new(role, Some(config))) }
    }

    /// Decodes the next message from `bytes`; `None` when all of them are consumed.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Tapped> {
        let context = self.context.as_mut()?;
        // Each frame has at least two bytes, of these or of the read buffer.
        for _ in 0..bytes.len() + READ_BUFFER_BYTES {
            let tapped = match context.read(&mut Discarding(bytes)) {
                Ok(Message::Binary(payload)) => Tapped::Message(payload),
                Ok(Message::Text(text)) => Tapped::Message(text.into()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    self.context = None;
                    Tapped::Close(frame.map_or(0, |frame| frame.code.into()))
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {
                    self.context = None;
                    Tapped::Undecodable
                }
            };
            return Some(tapped);
        }
        None
    }
}

/// The stream of tungstenite: received bytes, and no output.
struct Discarding<'a, 'b>(&'a mut &'b [u8]);

impl Read for Discarding<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buf)
    }
}

impl Write for Discarding<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const READ_BUFFER_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(tap: &mut MessageTap, mut bytes: &[u8]) -> Vec<Tapped> {
        std::iter::from_fn(|| tap.next(&mut bytes)).collect()
    }

    #[test]
    fn messages_are_read_through_pings_and_fragments_until_the_close_frame() {
        // "ab" in two fragments with a ping between them, "c", close 1000.
        let frames = [
            &[0x02, 1, b'a'][..],
            &[0x89, 0],
            &[0x80, 1, b'b'],
            &[0x82, 1, b'c'],
            &[0x88, 2, 0x03, 0xe8],
            &[0x82, 1, b'd'],
        ]
        .concat();
        let expected = [
            Tapped::Message(Bytes::from_static(b"ab")),
            Tapped::Message(Bytes::from_static(b"c")),
            Tapped::Close(1000),
        ];
        let mut tap = MessageTap::new(Direction::ToClient);
        assert_eq!(all(&mut tap, &frames), expected);
        let mut tap = MessageTap::new(Direction::ToClient);
        let tapped: Vec<_> = frames.chunks(1).flat_map(|byte| all(&mut tap, byte)).collect();
        assert_eq!(tapped, expected);
    }

    #[test]
    fn invalid_framing_is_reported_once() {
        let mut tap = MessageTap::new(Direction::ToClient);
        // Compressed: a reserved bit is set.
        assert_eq!(all(&mut tap, &[0xc2, 1, b'a', 0x82, 1, b'b']), [Tapped::Undecodable]);
        assert_eq!(all(&mut tap, &[0x82, 1, b'b']), []);
    }
}
