//! [`Notice`]: the reasons and announcements that a server sends to its players.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, OutgoingPacket, Reason as _};
use serde_json::{Value, json};

use crate::auth_packet::{json_of, packet};
use crate::limits::NOTICE_BYTES_MAX;
use crate::refusal::Removal;
use crate::resume::ResumeTicket;

/// A text of an operator for players: 1 to [`NOTICE_BYTES_MAX`] bytes, without control characters
/// other than line feeds and tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeText(Arc<str>);

/// A text that is empty, too long, or has control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidNoticeText;

impl fmt::Display for InvalidNoticeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text for players has 1 to {NOTICE_BYTES_MAX} bytes without control characters")
    }
}

impl std::error::Error for InvalidNoticeText {}

impl NoticeText {
    /// Returns the text.
    ///
    /// # Errors
    ///
    /// [`InvalidNoticeText`].
    pub fn new(text: &str) -> Result<Self, InvalidNoticeText> {
        let is_control = |it: char| it.is_control() && !matches!(it, '\n' | '\t');
        let is_valid = !text.trim().is_empty() && text.len() <= NOTICE_BYTES_MAX;
        (is_valid && !text.contains(is_control)).then(|| Self(text.into())).ok_or(InvalidNoticeText)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reason or an announcement of the server for players in rooms with
/// [`Template::notify`](crate::Template::notify).
///
/// A player receives it as a raw packet from peer 1, which Godot passes to `peer_packet`. Its data
/// is a JSON object such as `{"code": "kicked", "text": "be nice"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice(Bytes);

impl Notice {
    /// Returns the reason for which the server disconnects a player. The code is the label of
    /// `removal`; `text` replaces its text.
    pub fn removal(removal: Removal, text: Option<&NoticeText>) -> Self {
        let text = text.map_or_else(|| removal.text(), NoticeText::as_str);
        Self(json_of(removal.label(), text).into())
    }

    /// Returns the reason for which a client is rejected before it is in a room.
    pub(crate) fn rejection(code: &str, text: &str) -> Self {
        Self(json_of(code, text).into())
    }

    /// Returns an announcement of an operator, with the code `announcement`.
    pub fn announcement(text: &NoticeText) -> Self {
        Self(json_of("announcement", text.as_str()).into())
    }

    /// Returns the announcement that the server closes its rooms after a time, with the code
    /// `draining`, and the time in whole seconds as `seconds`.
    pub fn draining(close_after: Duration) -> Self {
        let seconds = close_after.as_secs();
        let text = format!("the server shuts down in {seconds} s");
        let data = json!({ "code": "draining", "text": text, "seconds": seconds });
        Self(data.to_string().into())
    }

    /// Returns the ticket with which the player resumes its session after a lost connection, with
    /// the code `resume`, and the time for which its place is then kept, in whole seconds as
    /// `seconds`. `servers`: addresses of other servers that accept the ticket, if there are any.
    pub fn resume(ticket: &ResumeTicket, time: Duration, servers: &[Value]) -> Self {
        let text = "reconnect with this ticket if the connection is lost";
        Self::of_session("resume", text, ticket, time, servers)
    }

    /// Returns the reason for which a server that ends disconnects a player, with the code
    /// `reconnect`, and the ticket with which the player resumes its session at one of `servers`,
    /// as in [`resume`](Self::resume).
    pub fn reconnect(ticket: &ResumeTicket, time: Duration, servers: &[Value]) -> Self {
        Self::of_session("reconnect", RECONNECT_TEXT, ticket, time, servers)
    }

    /// Same as [`reconnect`](Self::reconnect), for a player whose place is not kept, and who joins
    /// again at one of `servers`.
    pub fn rejoin(servers: &[Value]) -> Self {
        let data = json!({ "code": "reconnect", "text": RECONNECT_TEXT, "servers": servers });
        Self(data.to_string().into())
    }

    fn of_session(
        code: &str,
        text: &str,
        ticket: &ResumeTicket,
        time: Duration,
        servers: &[Value],
    ) -> Self {
        let (ticket, seconds) = (ticket.reveal(), time.as_secs());
        let mut data = json!({ "code": code, "text": text, "ticket": ticket, "seconds": seconds });
        if !servers.is_empty() {
            data["servers"] = servers.into();
        }
        Self(data.to_string().into())
    }

    /// Returns the data of the packet, for a room that sends it to its players.
    pub fn data(&self) -> &Bytes {
        &self.0
    }

    /// Returns the packet for a player who has joined a room.
    pub fn packet(&self, to: ConnectionId) -> OutgoingPacket {
        packet(to, [RAW, &self.0[..]].concat().into())
    }
}

/// Text of the notice with the code `reconnect`.
const RECONNECT_TEXT: &str = "this server ends; reconnect to another one";

/// First byte of a raw packet.
const RAW: &[u8] = &[3];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> NoticeText {
        NoticeText::new(text).unwrap()
    }

    #[test]
    fn texts_are_bounded_and_printable() {
        let longest = "x".repeat(NOTICE_BYTES_MAX);
        for valid in ["x", "two\nlines\tand a tab", "Grüße", &longest] {
            assert_eq!(text(valid).as_str(), valid);
        }
        let too_long = "x".repeat(NOTICE_BYTES_MAX + 1);
        for invalid in ["", " \n", "a\u{1b}[2J", "\0", "\u{85}", &too_long] {
            assert_eq!(NoticeText::new(invalid), Err(InvalidNoticeText), "{invalid:?}");
        }
    }

    #[test]
    fn notices_are_json_with_a_code_and_a_text() {
        let own = r#"{"code":"banned","text":"you are banned from this server"}"#;
        assert_eq!(Notice::removal(Removal::Banned, None).data(), own);
        let kicked = Notice::removal(Removal::Kicked, Some(&text("say \"please\"")));
        assert_eq!(kicked.data(), r#"{"code":"kicked","text":"say \"please\""}"#);
        let announced = Notice::announcement(&text("a\nb"));
        assert_eq!(announced.data(), r#"{"code":"announcement","text":"a\nb"}"#);
        let draining = Notice::draining(Duration::from_millis(30_900));
        let expected = json!({
            "code": "draining", "text": "the server shuts down in 30 s", "seconds": 30
        });
        assert_eq!(serde_json::from_slice::<Value>(draining.data()).unwrap(), expected);
    }

    #[test]
    fn notices_with_tickets_have_the_servers_that_accept_them() {
        let ticket = ResumeTicket::random(
            &mut mp_core::Rng::seed_from_u64(1),
            mp_core::PeerId::new(5).unwrap(),
        );
        let time = Duration::from_millis(10_900);
        let read = |notice: &Notice| serde_json::from_slice::<Value>(notice.data()).unwrap();
        let alone = read(&Notice::resume(&ticket, time, &[]));
        assert_eq!((&alone["code"], &alone["seconds"]), (&json!("resume"), &json!(10)));
        assert!(alone["ticket"] == ticket.reveal() && alone.get("servers").is_none());
        let servers = [json!({ "websocket": "ws://a/" })];
        let reconnect = read(&Notice::reconnect(&ticket, time, &servers));
        assert_eq!(
            (&reconnect["code"], &reconnect["ticket"]),
            (&json!("reconnect"), &alone["ticket"])
        );
        assert_eq!(reconnect["servers"], json!(servers));
        let rejoin = read(&Notice::rejoin(&servers));
        assert_eq!(rejoin["code"], "reconnect");
        assert!(rejoin.get("ticket").is_none());
    }

    #[test]
    fn packet_is_raw_reliable_and_on_channel_0() {
        let to = ConnectionId { slot: 1, generation: 2 };
        let sent = Notice::announcement(&text("x")).packet(to);
        assert_eq!(&sent.payload[..], b"\x03{\"code\":\"announcement\",\"text\":\"x\"}");
        assert_eq!(
            (sent.mode, sent.channel),
            (mp_core::TransferMode::Reliable, mp_core::Channel(0))
        );
    }
}
