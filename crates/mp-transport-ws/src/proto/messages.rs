//! Messages of an open connection. tungstenite implements RFC 6455 (frames, fragments, masks,
//! UTF-8, control frames, closing handshake) on byte buffers.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use super::refusal::MessageRefusal;
use crate::limits::{FRAME_READ_BYTES, FRAMES_PER_RECEIVE_MAX};

/// Payload of the ping that requests a receipt. Other pings are empty.
const RECEIPT: &[u8] = b"received";

/// The framing of an open connection.
#[derive(Debug)]
pub(crate) struct Messages {
    context: WebSocketContext,
    kind: MessageKind,
    /// Approximate bytes of the incomplete message: those received since the last complete one.
    unfinished: usize,
}

/// Kind of the messages of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// Sends binary messages. Accepts text as well, as Godot does.
    Binary,
    /// Sends and accepts text messages only.
    Text,
}

/// A received message, or a control frame that concerns the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A complete message. That of a [`MessageKind::Text`] connection is UTF-8.
    Message(Bytes),
    /// The response to a ping, or a pong without one. `is_receipt` is true for the response to
    /// [`Messages::request_receipt`].
    Pong { is_receipt: bool },
    /// The remote peer's close frame. The response is written already. The code is 0 if the frame
    /// has none.
    Close { code: u16, reason: String },
}

impl Messages {
    /// Creates the framing for messages of at most `inbound_max` received bytes. tungstenite draws
    /// the masks of a client from the system's random generator; they change bytes on the wire
    /// only.
    pub(crate) fn new(role: Role, kind: MessageKind, inbound_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(FRAME_READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(inbound_max))
            .max_frame_size(Some(inbound_max));
        Self { context: WebSocketContext::new(role, Some(config)), kind, unfinished: 0 }
    }

    /// Returns the approximate size in bytes of the incomplete message.
    pub(crate) const fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Decodes the next message from `bytes`; `None` when all of them are consumed. Responses are
    /// appended to `output`.
    ///
    /// # Errors
    ///
    /// Returns the reason for which a message or frame is refused. The caller must close the
    /// connection with its code and pass no more bytes.
    pub(crate) fn receive(
        &mut self,
        bytes: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, MessageRefusal> {
        for _ in 0..FRAMES_PER_RECEIVE_MAX {
            let len = bytes.len();
            let read = self.context.read(&mut Wire { bytes, output });
            self.unfinished += len - bytes.len();
            let incoming = match read {
                Ok(Message::Binary(_)) if self.kind == MessageKind::Text => {
                    return Err(MessageRefusal::NotText);
                }
                Ok(Message::Binary(payload)) => self.finished(&payload),
                Ok(Message::Text(text)) => self.finished(text.as_bytes()),
                Ok(Message::Pong(payload)) => Incoming::Pong { is_receipt: payload == RECEIPT },
                Ok(Message::Ping(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    // tungstenite keeps its response until it is flushed. A server then reports the
                    // end.
                    let _ = self.context.flush(&mut Wire { bytes, output });
                    let (code, reason) = match frame {
                        Some(frame) => (frame.code.into(), frame.reason.as_str().to_owned()),
                        None => (0, String::new()),
                    };
                    Incoming::Close { code, reason }
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(error) => return Err(refusal_of(&error)),
            };
            return Ok(Some(incoming));
        }
        // tungstenite makes no progress: it returned frames without consuming bytes.
        Err(MessageRefusal::InvalidFrame)
    }

    /// Appends a message to `output`.
    pub(crate) fn send(&mut self, payload: Bytes, output: &mut Vec<u8>) {
        let message = match self.kind {
            MessageKind::Binary => Message::Binary(payload),
            MessageKind::Text => match Utf8Bytes::try_from(payload) {
                Ok(text) => Message::Text(text),
                Err(_) => {
                    mp_core::bug!("a text was queued that is not UTF-8");
                    return self.close(CloseCode::Error.into(), "", output);
                }
            },
        };
        self.write(message, output);
    }

    /// Appends an empty ping to `output`.
    pub(crate) fn ping(&mut self, output: &mut Vec<u8>) {
        self.write(Message::Ping(Bytes::new()), output);
    }

    /// Appends a ping whose response shows that the remote peer has received all messages before.
    pub(crate) fn request_receipt(&mut self, output: &mut Vec<u8>) {
        self.write(Message::Ping(Bytes::from_static(RECEIPT)), output);
    }

    /// Appends an unsolicited empty pong to `output`.
    pub(crate) fn pong(&mut self, output: &mut Vec<u8>) {
        self.write(Message::Pong(Bytes::new()), output);
    }

    /// Appends a close frame to `output`, unless one was sent.
    pub(crate) fn close(&mut self, code: u16, reason: &str, output: &mut Vec<u8>) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let _ = self.context.close(&mut Wire { bytes: &mut &[][..], output }, Some(frame));
    }

    /// Returns a complete message. The payload is copied, so that a stored small packet does not
    /// keep its receive buffer alive.
    fn finished(&mut self, payload: &[u8]) -> Incoming {
        self.unfinished = 0;
        Incoming::Message(Bytes::copy_from_slice(payload))
    }

    fn write(&mut self, message: Message, output: &mut Vec<u8>) {
        // It fails only after a close frame; further messages are dropped.
        let _ = self.context.write(&mut Wire { bytes: &mut &[][..], output }, message);
    }
}

fn refusal_of(error: &Error) -> MessageRefusal {
    match error {
        Error::Utf8(_) => MessageRefusal::NotUtf8,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => MessageRefusal::TooLong,
        _ => MessageRefusal::InvalidFrame,
    }
}

/// The stream of tungstenite: received bytes, and an output buffer that accepts everything.
struct Wire<'a, 'b> {
    bytes: &'a mut &'b [u8],
    output: &'a mut Vec<u8>,
}

impl Read for Wire<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.read(buf)
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
