//! Receiving: the remote peer's part of the handshake, and messages.

use bytes::Bytes;
use mp_core::{
    ConnectionStatus, DisconnectReason, Instant, Origin, Packet, PeerEvent, PeerId, TransferMode,
};
use tungstenite::protocol::Role;

use super::{Connection, End, Leaving, Phase};
use crate::proto::messages::{Incoming, MessageKind, Messages};
use crate::proto::request::{self, Judgement};
use crate::proto::response::{Asked, Reply};
use crate::proto::session::{LastClose, Session};
use crate::proto::text::TextEvent;

impl Connection {
    /// Handles received bytes after decryption.
    pub(super) fn receive_plain(&mut self, now: Instant, bytes: &[u8], session: &mut Session) {
        match &mut self.phase {
            Phase::Handshake { head, asked } => {
                let (mut head, asked) = (std::mem::take(head), asked.take());
                head.extend_from_slice(bytes);
                match asked {
                    None => self.serve_request(now, head, session),
                    Some(asked) => self.take_reply(now, head, asked, session),
                }
            }
            Phase::Over(_) => {}
            _ => self.receive_messages(now, bytes, session),
        }
    }

    fn serve_request(&mut self, now: Instant, head: Vec<u8>, session: &mut Session) {
        let upgrade = match request::judge(&head, &session.rules) {
            Judgement::Incomplete => {
                self.phase = Phase::Handshake { head, asked: None };
                return;
            }
            Judgement::Answer(answer) => return self.answer(&answer),
            Judgement::Forbidden(answer) => {
                session.forbidden += 1;
                return self.answer(&answer);
            }
            Judgement::Upgrade(upgrade) if upgrade.is_text && session.text.has_room() => upgrade,
            Judgement::Upgrade(upgrade) if upgrade.is_text => {
                return self.answer(&request::unavailable("The server is full.\n"));
            }
            Judgement::Upgrade(_) if session.refusing => {
                return self.answer(&request::unavailable(
                    "The server accepts no new connections at the moment.\n",
                ));
            }
            Judgement::Upgrade(_) if !session.has_room() => {
                return self.answer(&request::unavailable("The server is full.\n"));
            }
            Judgement::Upgrade(upgrade) => upgrade,
        };
        let peer = match self.origin.address() {
            Some(address) => upgrade.forwarded_for.unwrap_or(address),
            None => return,
        };
        self.origin = Origin::Url { address: peer, url: upgrade.url };
        self.protocol = upgrade.protocol;
        self.say(&upgrade.response);
        if upgrade.is_text {
            self.kind = MessageKind::Text;
            let max = session.text.message_bytes_max;
            self.messages = Some(Box::new(Messages::new(Role::Server, self.kind, max)));
            self.start(now);
            session.text.open(self.id, peer.ip());
        } else {
            let id = session.draw_id();
            self.client = Some(id);
            let max = session.settings.inbound_max;
            let mut messages = Messages::new(Role::Server, self.kind, max);
            let mut first = Vec::new();
            messages.send(Bytes::copy_from_slice(&id.get().to_le_bytes()), &mut first);
            self.say(&first);
            self.messages = Some(Box::new(messages));
            self.open(now, id, session);
        }
        self.receive_messages(now, &head[upgrade.len..], session);
    }

    fn take_reply(
        &mut self,
        now: Instant,
        head: Vec<u8>,
        asked: Box<Asked>,
        session: &mut Session,
    ) {
        match asked.judge(&head) {
            Reply::Incomplete => self.phase = Phase::Handshake { head, asked: Some(asked) },
            Reply::Refused(why) => {
                tracing::debug!(server = %self.origin, why, "the server rejected the handshake");
                self.phase = Phase::Over(End { reason: None });
            }
            Reply::Open { len, protocol } => {
                self.protocol = protocol.map(Into::into);
                let max = session.settings.inbound_max;
                let messages = Messages::new(Role::Client, self.kind, max);
                self.messages = Some(Box::new(messages));
                self.phase = Phase::Identifying;
                self.receive_messages(now, &head[len..], session);
            }
        }
    }

    fn receive_messages(&mut self, now: Instant, mut bytes: &[u8], session: &mut Session) {
        let mut out = Vec::new();
        while self.end().is_none()
            && let Some(messages) = &mut self.messages
        {
            match messages.receive(&mut bytes, &mut out) {
                Ok(None) => break,
                Ok(Some(Incoming::Message(payload))) => {
                    self.unfinished = None;
                    self.take_message(now, payload, &mut out, session);
                }
                Ok(Some(Incoming::Pong)) => self.heartbeat.is_unanswered = false,
                Ok(Some(Incoming::Close { code, reason })) => {
                    let connection = self.id;
                    if !self.is_text() {
                        session.last_close = Some(LastClose { connection, code, reason });
                    }
                    self.break_off(DisconnectReason::Remote(code.into()));
                }
                Err(code) => {
                    self.stats.receive_drops += 1;
                    messages.close(code, "", &mut out);
                    self.turn_out(now, DisconnectReason::Misbehaved);
                }
            }
        }
        match self.unfinished_bytes() {
            0 => self.unfinished = None,
            _ => _ = self.unfinished.get_or_insert(now),
        }
        self.say(&out);
    }

    fn take_message(
        &mut self,
        now: Instant,
        payload: Bytes,
        out: &mut Vec<u8>,
        session: &mut Session,
    ) {
        match self.phase {
            Phase::Open => {
                self.stats.packets_received += 1;
                self.stats.bytes_received += payload.len() as u64;
                if self.is_text() {
                    let event = TextEvent::Message { session: self.id, text: payload };
                    return session.text.events.push_back(event);
                }
                session.events.push_back(PeerEvent::Packet(Packet {
                    from: self.id,
                    mode: TransferMode::Reliable,
                    channel: mp_core::Channel(0),
                    payload,
                }));
            }
            Phase::Identifying => match own_id(&payload) {
                Some(id) => {
                    session.unique_id = id;
                    session.status = ConnectionStatus::Connected;
                    session.events.push_back(PeerEvent::UniqueId(id));
                    self.open(now, PeerId::SERVER, session);
                }
                None => {
                    tracing::debug!(server = %self.origin, "the server's first message is not a peer id");
                    if let Some(messages) = &mut self.messages {
                        messages.close(1000, "", out);
                    }
                    self.turn_out(now, DisconnectReason::Misbehaved);
                }
            },
            _ => {}
        }
    }

    /// Starts the phase of messages.
    fn start(&mut self, now: Instant) {
        self.phase = Phase::Open;
        self.deadline = None;
        self.start_heartbeat(now);
        self.start_keepalive(now);
    }

    /// Starts the phase of messages and reports the connection as connected.
    fn open(&mut self, now: Instant, claimed_id: PeerId, session: &mut Session) {
        self.start(now);
        session.events.push_back(PeerEvent::Connected {
            connection: self.id,
            claimed_id: Some(claimed_id),
            origin: self.origin.clone(),
        });
    }

    /// Responds to a request that opens no WebSocket. The connection ends when the remote peer
    /// closes it, at the latest at its handshake deadline: closing it with unread bytes could make
    /// the remote host discard the response.
    fn answer(&mut self, answer: &[u8]) {
        self.say(answer);
        let end = End { reason: None };
        self.phase = Phase::Leaving(Leaving { end, drains: false, shuts: true });
    }
}

/// Parses the first message of a server: the client's id in 4 bytes, little-endian.
fn own_id(payload: &[u8]) -> Option<PeerId> {
    let raw = i32::from_le_bytes(payload.try_into().ok()?);
    PeerId::new(raw).filter(|id| !id.is_server())
}
