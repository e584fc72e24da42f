//! Text sessions: passes events to their service and executes its actions.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::Bytes;
use mp_core::TransferMode;
use tungstenite::protocol::frame::coding::CloseCode;

use super::{Role, WebSocketMultiplayerPeer};
use crate::io::StreamSource;
use crate::options::{CreateError, ServerOptions};
use crate::proto::text::TextEvent;
use crate::text::{TextAction, TextOptions, TextService};

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    /// Passes requests for one path of a server to `service`, as plain WebSocket sessions with text
    /// messages. They share the listener, TLS, handshakes, timeouts and the limit of waiting bytes
    /// with the clients of the server, and are not reported as connections. A client peer ignores
    /// the call.
    ///
    /// Sessions are also accepted while the peer refuses new connections.
    pub fn serve_text(&mut self, options: TextOptions, service: Box<dyn TextService>) {
        if matches!(self.role, Role::Server(_)) {
            self.session.rules.text_path = Some(options.path.into());
            self.session.text.message_bytes_max = options.max_message_bytes;
            self.session.text.sessions_max = options.max_sessions;
            self.text = Some(service);
        }
    }

    /// Creates a server that accepts only the text sessions of [`serve_text`](Self::serve_text),
    /// from `source`. See [`listen_text`](Self::listen_text).
    ///
    /// # Errors
    ///
    /// Returns an error if an option is invalid.
    pub fn text_server(source: S, options: ServerOptions) -> Result<Self, CreateError> {
        let mut server = Self::server_of(source.readiness(), options)?;
        server.listen_text(source);
        Ok(server)
    }

    /// Accepts text sessions from `source` as well, a listener of their own: on the path of
    /// [`serve_text`](Self::serve_text) and on `/`. Requests for other paths receive HTTP status
    /// 404, except `/healthz`. Both listeners share the options and limits of the server. A client
    /// peer ignores the call.
    ///
    /// A multiplayer client that connects on `/` never receives its peer id, and times out unless
    /// the service closes the session before.
    pub fn listen_text(&mut self, source: S) {
        if matches!(self.role, Role::Server(_)) {
            self.text_source = Some(source);
            self.source_waker.wake_by_ref();
        }
    }

    /// Returns the address of the listener of text sessions.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system cannot report the address, or there is none.
    pub fn text_local_addr(&self) -> io::Result<SocketAddr> {
        match &self.text_source {
            Some(source) => source.local_addr(),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Returns the number of text sessions.
    pub fn text_sessions(&self) -> usize {
        self.session.text.len()
    }

    /// Passes queued events to the service and executes its actions.
    pub(super) fn run_text(&mut self) {
        let now = self.now;
        let Some(mut service) = self.text.take() else {
            if self.session.text.has_events() {
                mp_core::bug!("a text session has events, but there is no service");
            }
            return;
        };
        while let Some(event) = self.session.text.events.pop_front() {
            match event {
                TextEvent::Opened { session, address } => {
                    service.handle_opened(now, session, address);
                }
                TextEvent::Message { session, text } => match str::from_utf8(&text) {
                    Ok(text) => service.handle_message(now, session, text),
                    Err(_) => {
                        mp_core::bug!("a text was received that is not UTF-8");
                        self.close_peer(session, CloseCode::Error.into(), "");
                    }
                },
                TextEvent::Closed { session } => service.handle_closed(now, session),
            }
        }
        self.run_actions(&mut *service);
        self.text = Some(service);
    }

    /// Runs the service's timers and executes its actions.
    pub(super) fn run_text_timeout(&mut self) {
        let now = self.now;
        let Some(mut service) = self.text.take() else { return };
        service.handle_timeout(now);
        self.run_actions(&mut *service);
        self.text = Some(service);
    }

    fn run_actions(&mut self, service: &mut dyn TextService) {
        while let Some(action) = service.next_action() {
            match action {
                TextAction::Send { session, text } => {
                    self.send_to(session, TransferMode::Reliable, Bytes::from(text), 1);
                }
                TextAction::Close { session, code, reason } => {
                    self.close_peer(session, code, &reason);
                }
            }
        }
    }
}
