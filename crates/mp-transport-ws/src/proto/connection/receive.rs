//! Receiving: the remote peer's part of the handshake, and messages.

use bytes::Bytes;
use mp_core::{
    ConnectionOrigin, ConnectionStatus, DisconnectReason, ErrorChain, Instant, Packet, PeerEvent,
    PeerId, TransferMode,
};
use tungstenite::protocol::Role;

use super::{Closing, Connection, ConnectionEnd, Phase};
use crate::proto::messages::{Incoming, MessageKind, Messages};
use crate::proto::refusal::{MessageRefusal, RefusedRequest, RequestRefusal};
use crate::proto::request::{self, RequestOutcome};
use crate::proto::response::{ResponseOutcome, SentRequest};
use crate::proto::session::{LastClose, Session};
use crate::proto::text::TextEvent;

impl Connection {
    /// Handles received bytes after decryption.
    pub(super) fn receive_plain(&mut self, now: Instant, bytes: &[u8], session: &mut Session) {
        match &mut self.phase {
            Phase::Handshake { head, sent } => {
                let (mut head, sent) = (std::mem::take(head), sent.take());
                head.extend_from_slice(bytes);
                match sent {
                    None => self.receive_request(now, head, session),
                    Some(sent) => self.receive_response(now, head, sent, session),
                }
            }
            Phase::Ended(_) => {}
            _ => self.receive_messages(now, bytes, session),
        }
    }

    fn receive_request(&mut self, now: Instant, head: Vec<u8>, session: &mut Session) {
        let upgrade = match request::parse(&head, &session.rules, self.text_only) {
            RequestOutcome::Incomplete => {
                self.phase = Phase::Handshake { head, sent: None };
                return;
            }
            RequestOutcome::Respond(response) => return self.respond(&response),
            RequestOutcome::Refuse(refused) => return self.refuse(refused, session),
            RequestOutcome::Upgrade(upgrade) if upgrade.is_text && session.text.has_capacity() => {
                upgrade
            }
            RequestOutcome::Upgrade(upgrade) if upgrade.is_text => {
                return self.refuse(RequestRefusal::ServerFull.into(), session);
            }
            RequestOutcome::Upgrade(_) if session.is_refusing => {
                return self.refuse(RequestRefusal::Refusing.into(), session);
            }
            RequestOutcome::Upgrade(_) if !session.has_capacity() => {
                return self.refuse(RequestRefusal::ServerFull.into(), session);
            }
            RequestOutcome::Upgrade(upgrade) => upgrade,
        };
        let peer = match self.origin.address() {
            Some(address) if session.rules.is_proxy(address.ip()) => {
                upgrade.forwarded_for.unwrap_or(address)
            }
            Some(address) => address,
            None => return,
        };
        // A text session is no player: its WebRTC connection counts.
        let entered = match upgrade.is_text {
            true => session.check_ban(peer.ip()).map(|()| None),
            false => session.enter(now, peer.ip()),
        };
        match entered {
            Ok(pass) => self.pass = pass,
            Err(_) => return self.refuse(RequestRefusal::Gate.into(), session),
        }
        self.origin = ConnectionOrigin::Url { address: peer, url: upgrade.url.clone() };
        self.protocol = upgrade.protocol;
        self.queue_output(&upgrade.response);
        if upgrade.is_text {
            self.kind = MessageKind::Text;
            let max = session.text.message_bytes_max;
            self.messages = Some(Box::new(Messages::new(Role::Server, self.kind, max)));
            self.start(now);
            session.text.open(self.id, peer.ip());
        } else {
            let id = session.draw_id(&upgrade.url);
            self.client = Some(id);
            let max = session.settings.inbound_max;
            let mut messages = Messages::new(Role::Server, self.kind, max);
            let mut first = Vec::new();
            messages.send(Bytes::copy_from_slice(&id.get().to_le_bytes()), &mut first);
            self.queue_output(&first);
            self.messages = Some(Box::new(messages));
            self.open(now, id, session);
        }
        self.receive_messages(now, &head[upgrade.len..], session);
    }

    fn receive_response(
        &mut self,
        now: Instant,
        head: Vec<u8>,
        sent: Box<SentRequest>,
        session: &mut Session,
    ) {
        match sent.parse(&head) {
            ResponseOutcome::Incomplete => self.phase = Phase::Handshake { head, sent: Some(sent) },
            ResponseOutcome::Rejected(error) => {
                let error = ErrorChain::new(&error);
                tracing::debug!(server = %self.origin, %error, "the server rejected the handshake");
                self.phase = Phase::Ended(ConnectionEnd { reason: None });
            }
            ResponseOutcome::Open { len, protocol } => {
                self.protocol = protocol.map(Into::into);
                let max = session.settings.inbound_max;
                let messages = Messages::new(Role::Client, self.kind, max);
                self.messages = Some(Box::new(messages));
                self.phase = Phase::AwaitingId;
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
                    self.receive_message(now, payload, &mut out, session);
                }
                Ok(Some(Incoming::Pong { is_receipt })) => {
                    self.heartbeat.is_unanswered = false;
                    self.receipt.handle_pong(is_receipt);
                }
                Ok(Some(Incoming::Close { code, reason })) => {
                    let connection = self.id;
                    if !self.is_text() {
                        session.last_close = Some(LastClose { connection, code, reason });
                    }
                    self.handle_disconnect(DisconnectReason::Remote(code.into()));
                }
                Err(refusal) => {
                    self.stats.receive_drops += 1;
                    session.refused_messages.count(refusal);
                    messages.close(refusal.code(), "", &mut out);
                    self.close_ignoring_input(now, DisconnectReason::ProtocolViolation);
                }
            }
        }
        match self.unfinished_bytes() {
            0 => self.unfinished = None,
            _ => _ = self.unfinished.get_or_insert(now),
        }
        self.queue_output(&out);
    }

    fn receive_message(
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
            Phase::AwaitingId => match parse_id(&payload) {
                Some(id) => {
                    session.unique_id = id;
                    session.status = ConnectionStatus::Connected;
                    session.events.push_back(PeerEvent::UniqueId(id));
                    self.open(now, PeerId::SERVER, session);
                }
                None => {
                    tracing::debug!(server = %self.origin, "the server's first message is not a peer id");
                    let refusal = MessageRefusal::NoPeerId;
                    session.refused_messages.count(refusal);
                    if let Some(messages) = &mut self.messages {
                        messages.close(refusal.code(), "", out);
                    }
                    self.close_ignoring_input(now, DisconnectReason::ProtocolViolation);
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

    /// Counts a refused request and responds to it.
    fn refuse(&mut self, refused: RefusedRequest, session: &mut Session) {
        session.refused_requests.count(refused.refusal);
        self.respond(&refused.response);
    }

    /// Responds to a request that opens no WebSocket. The connection ends when the remote peer
    /// closes it, at the latest at its handshake deadline: closing it with unread bytes could make
    /// the remote host discard the response.
    fn respond(&mut self, response: &[u8]) {
        self.queue_output(response);
        let end = ConnectionEnd { reason: None };
        self.phase = Phase::Closing(Closing { end, is_draining: false, shuts_down: true });
    }
}

/// Parses the first message of a server: the client's id in 4 bytes, little-endian.
fn parse_id(payload: &[u8]) -> Option<PeerId> {
    let raw = i32::from_le_bytes(payload.try_into().ok()?);
    PeerId::new(raw).filter(|id| !id.is_server())
}
