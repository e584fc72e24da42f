//! Messages: JSON objects with `type`, `id` and `data`.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields and kinds are those of Godot's protocol"
)]

use mp_core::PeerId;
use serde::{Deserialize, Serialize};

use crate::ice_server::IceServer;
use crate::limits::MESSAGE_BYTES_MAX;

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Kind of the message.
    pub kind: MessageKind,
    /// The receiver (from a client), the sender or subject (from the server), or a mode (JOIN from
    /// a client).
    pub id: i32,
    /// Lobby name, session description or candidate.
    pub data: String,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Join or create a lobby; confirmed with the lobby's name (0).
    Join = 0,
    /// The receiver's own id (1).
    Id = 1,
    /// A peer joined (2).
    PeerConnect = 2,
    /// A peer left (3).
    PeerDisconnect = 3,
    /// A session description of kind `offer` (4).
    Offer = 4,
    /// A session description of kind `answer` (5).
    Answer = 5,
    /// An ICE candidate: `\n` mid `\n` index `\n` candidate (6).
    Candidate = 6,
    /// No more members may join (7).
    Seal = 7,
}

/// The reason why a text is not a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The text is longer than [`MESSAGE_BYTES_MAX`].
    #[error("message of {0} bytes exceeds the limit of {MESSAGE_BYTES_MAX} bytes")]
    TooLong(usize),
    /// The text is not a JSON object with the three keys.
    #[error("not a JSON object with a number \"type\", a number \"id\" and a string \"data\"")]
    Json(#[from] serde_json::Error),
    /// `type` is not a known kind.
    #[error("{0} is not a message type; types are 0 to 7")]
    Kind(f64),
    /// `id` is negative or too large.
    #[error("{0} is not an id; ids are 0 to 2147483647")]
    Id(f64),
}

/// The JSON form. Godot's scripts sort the keys, and write whole numbers as integers or floats.
#[derive(Deserialize)]
struct Received {
    data: String,
    id: f64,
    #[serde(rename = "type")]
    kind: f64,
}

#[derive(Serialize)]
struct Sent<'a> {
    data: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ice_servers: &'a [IceServer],
    id: i32,
    #[serde(rename = "type")]
    kind: u8,
}

impl Message {
    /// Returns a message of `kind` about `id`.
    pub fn new(kind: MessageKind, id: i32, data: impl Into<String>) -> Self {
        Self { kind, id, data: data.into() }
    }

    /// Parses a message. Numbers may be floats; their integer part counts, as in Godot.
    ///
    /// # Errors
    ///
    /// See [`MessageError`].
    pub fn from_text(text: &str) -> Result<Self, MessageError> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong(text.len()));
        }
        let Received { data, id, kind } = serde_json::from_str(text)?;
        let number = kind.trunc();
        let kind = KINDS.iter().find(|kind| f64::from(**kind as u8) == number);
        let kind = *kind.ok_or(MessageError::Kind(number))?;
        if !(0.0..=f64::from(i32::MAX)).contains(&id) {
            return Err(MessageError::Id(id));
        }
        Ok(Self { kind, id: id as i32, data })
    }

    /// Returns the JSON text of the message, byte for byte as Godot's scripts write it.
    pub fn to_text(&self) -> String {
        self.to_text_with(&[])
    }

    /// Returns the JSON text of the message with the additional key `ice_servers`, unless there are
    /// none. Clients of the demo ignore the key.
    pub fn to_text_with(&self, ice_servers: &[IceServer]) -> String {
        let Self { kind, id, data } = self;
        let sent = Sent { data, ice_servers, id: *id, kind: *kind as u8 };
        serde_json::to_string(&sent).expect("strings and integers always have a JSON form")
    }

    /// Returns the peer with this `id`, or `None` for 0.
    pub fn peer(&self) -> Option<PeerId> {
        PeerId::new(self.id)
    }

    /// Returns the mid, index and text of the candidate in `data`. The demo's clients split it at
    /// line feeds and need three parts, of which the second is a number.
    pub(crate) fn candidate_parts(&self) -> Option<(&str, u16, &str)> {
        let mut parts = self.data.split('\n').filter(|part| !part.is_empty());
        let (media, index, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some((media, index.parse().ok()?, name)).filter(|_| parts.next().is_none())
    }
}

const KINDS: [MessageKind; 8] = [
    MessageKind::Join,
    MessageKind::Id,
    MessageKind::PeerConnect,
    MessageKind::PeerDisconnect,
    MessageKind::Offer,
    MessageKind::Answer,
    MessageKind::Candidate,
    MessageKind::Seal,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_like_godot() {
        let message = Message::new(MessageKind::Candidate, 1, "\n0\n0\ncandidate:1");
        let text = r#"{"data":"\n0\n0\ncandidate:1","id":1,"type":6}"#;
        assert_eq!(message.to_text(), text);
        assert_eq!(Message::from_text(text).unwrap(), message);
    }

    #[test]
    fn additional_keys_are_ignored() {
        let message = Message::new(MessageKind::Id, 7, "");
        let servers = [IceServer::stun(vec!["stun:stun.example".to_owned()])];
        let text = message.to_text_with(&servers);
        let expected =
            r#"{"data":"","ice_servers":[{"urls":["stun:stun.example"]}],"id":7,"type":1}"#;
        assert_eq!(text, expected);
        assert_eq!(Message::from_text(&text).unwrap(), message);
    }

    #[test]
    fn numbers_may_be_floats() {
        let text = r#"{"type": 4.0, "id": 1648061223.0, "data": "SDP"}"#;
        let message = Message::new(MessageKind::Offer, 1_648_061_223, "SDP");
        assert_eq!(Message::from_text(text).unwrap(), message);
    }

    #[test]
    fn errors_describe_malformed_messages() {
        for (text, error) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            (r#"{"type":0,"id":0}"#, "not a JSON object"),
            (r#"{"type":"0","id":0,"data":""}"#, "not a JSON object"),
            (r#"{"type":8,"id":0,"data":""}"#, "8 is not a message type"),
            (r#"{"type":-1,"id":0,"data":""}"#, "-1 is not a message type"),
            (r#"{"type":0,"id":-1,"data":""}"#, "-1 is not an id"),
            (r#"{"type":0,"id":1e300,"data":""}"#, "is not an id"),
        ] {
            let message = Message::from_text(text).unwrap_err().to_string();
            assert!(message.contains(error), "{text}: {message}");
        }
        let long = format!(r#"{{"type":0,"id":0,"data":"{}"}}"#, "x".repeat(MESSAGE_BYTES_MAX));
        assert!(matches!(Message::from_text(&long), Err(MessageError::TooLong(_))));
    }

    #[test]
    fn candidates_have_three_parts() {
        let is_usable =
            |data: &str| Message::new(MessageKind::Candidate, 1, data).candidate_parts().is_some();
        assert!(is_usable("\n0\n0\ncandidate:1 1 UDP 1 192.0.2.1 9 typ host"));
        for data in ["", "\n0\n0\n", "\n\n0\ncandidate:1", "\n0\nx\ncandidate:1", "\n0\n0\na\nb"] {
            assert!(!is_usable(data), "{data:?}");
        }
    }
}
