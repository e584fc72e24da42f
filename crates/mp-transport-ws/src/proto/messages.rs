//! Messages on an open connection. tungstenite has the rules of RFC 6455: frames, fragments, masks, UTF-8, control frames, the
//! closing handshake. It is given bytes and a place for bytes.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use crate::limits::{FRAME_READ_BYTES, FRAMES_PER_RECEIVE_MAX};

/// An open connection's messages.
#[derive(Debug)]
pub(crate) struct Messages {
    context: WebSocketContext,
    kind: MessageKind,
    /// Bytes received since the last whole message, or a little more.
    unfinished: usize,
}

/// The kind of the messages on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// Sends binary messages; accepts text as well, as Godot does.
    Binary,
    /// Sends and accepts text messages only.
    Text,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A whole message, binary or text. That of a [`MessageKind::Text`] connection is UTF-8.
    Message(Bytes),
    /// The answer to a ping.
    Pong,
    /// The other side's goodbye, which has been answered. The code is 0 when it gave none.
    Close { code: u16, reason: String },
}

impl Messages {
    /// Messages of at most `inbound_max` bytes. What a client masks its frames with is drawn by tungstenite, from the system's
    /// randomness: it changes bytes on the wire, not what happens.
    pub(crate) fn new(role: Role, kind: MessageKind, inbound_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(FRAME_READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(inbound_max))
            .max_frame_size(Some(inbound_max));
        Self { context: WebSocketContext::new(role, Some(config)), kind, unfinished: 0 }
    }

    /// Bytes of a message that is not complete, about.
    pub(crate) const fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Takes the next of what `bytes` bring; `None` when all of them are taken. Answers are appended to `output`.
    ///
    /// # Errors
    ///
    /// The close code of what the other side did wrong. It must be closed with it, and nothing more be taken in.
    pub(crate) fn receive(
        &mut self,
        bytes: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, u16> {
        for _ in 0..FRAMES_PER_RECEIVE_MAX {
            let len = bytes.len();
            let read = self.context.read(&mut Wire { bytes, output });
            self.unfinished += len - bytes.len();
            let incoming = match read {
                Ok(Message::Binary(_)) if self.kind == MessageKind::Text => {
                    return Err(CloseCode::Unsupported.into());
                }
                Ok(Message::Binary(payload)) => self.finished(&payload),
                Ok(Message::Text(text)) => self.finished(text.as_bytes()),
                Ok(Message::Pong(_)) => Incoming::Pong,
                Ok(Message::Ping(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    // The answer waits within until it is asked for. A server is then told that this was the last.
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
                Err(error) => return Err(code_of(&error)),
            };
            return Ok(Some(incoming));
        }
        // Frames without bytes: the library makes no progress.
        Err(CloseCode::Protocol.into())
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

    /// Appends an empty pong, which answers nothing, to `output`.
    pub(crate) fn pong(&mut self, output: &mut Vec<u8>) {
        self.write(Message::Pong(Bytes::new()), output);
    }

    /// Appends a goodbye to `output`, unless one has been said.
    pub(crate) fn close(&mut self, code: u16, reason: &str, output: &mut Vec<u8>) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let _ = self.context.close(&mut Wire { bytes: &mut &[][..], output }, Some(frame));
    }

    /// A whole message. The copy is its own, so that a small packet that is kept does not keep the
    /// buffer it came in.
    fn finished(&mut self, payload: &[u8]) -> Incoming {
        self.unfinished = 0;
        Incoming::Message(Bytes::copy_from_slice(payload))
    }

    fn write(&mut self, message: Message, output: &mut Vec<u8>) {
        // It fails after a goodbye only: then nothing more is to be said.
        let _ = self.context.write(&mut Wire { bytes: &mut &[][..], output }, message);
    }
}

/// What RFC 6455 (7.4.1) and Godot say of an error.
fn code_of(error: &Error) -> u16 {
    match error {
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseCode::Size,
        _ => CloseCode::Protocol,
    }
    .into()
}

/// What tungstenite takes for its stream: the bytes that are there, and a buffer that takes everything.
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
