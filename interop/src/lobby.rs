//! Signaling for lobbies whose host is a member: a Godot server, or the first peer of a mesh.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{ConnectionId, Instant, MultiplayerPeer, Reason as _, Rng};
use mp_signaling::{MessageKind, Output, SignalingOptions, SignalingServer, SocketId};
use mp_transport_ws::io::Tcp;
use mp_transport_ws::{
    ServerOptions, TextAction, TextOptions, TextService, WebSocketMultiplayerPeer,
};
use serde_json::json;

use crate::options::Options;
use crate::report::Report;
use crate::world::ScenarioResult;

/// Path of signaling, as that of mp-server.
pub(crate) const PATH: &str = "/webrtc";

/// Time between two turns.
const TURN: Duration = Duration::from_millis(2);

/// Serves signaling until the time limit of the process, or until it is killed.
pub(crate) fn serve(options: &Options, report: &Report) -> ScenarioResult {
    let listener = Tcp::listen((Ipv4Addr::UNSPECIFIED, options.port).into())?;
    let mut server = WebSocketMultiplayerPeer::text_server(listener, ServerOptions::default())?;
    server.serve_text(TextOptions::new(PATH), Box::new(LobbyService::new(options.port.into())));
    report.say(&json!({ "event": "listening", "transport": "signaling", "port": options.port }));
    let end = options.timeout();
    run(server, |time| time >= end);
    Ok(())
}

/// Runs a server of signaling until `is_over` returns true for the time since its start.
pub(crate) fn run(mut server: WebSocketMultiplayerPeer, mut is_over: impl FnMut(Duration) -> bool) {
    let clock = SystemClock::new();
    let start = clock.now();
    while !is_over(clock.now() - start) {
        server.poll(clock.now());
        server.flush(clock.now());
        std::thread::sleep(TURN);
    }
}

/// A signaling server in which a JOIN without a name creates a lobby, or joins the created one.
#[derive(Debug)]
struct LobbyService {
    server: SignalingServer,
    actions: VecDeque<TextAction>,
}

impl LobbyService {
    fn new(seed: u64) -> Self {
        let server = SignalingServer::new(SignalingOptions::default(), Rng::seed_from_u64(seed));
        Self { server, actions: VecDeque::new() }
    }

    fn run_outputs(&mut self) {
        while let Some(output) = self.server.next_output() {
            match output {
                Output::Send { socket, message } => {
                    if message.kind == MessageKind::Join {
                        self.server.set_default_lobby(Some(message.data.clone()));
                    }
                    let (session, text) = (session_of(socket), message.to_text());
                    self.actions.push_back(TextAction::Send { session, text });
                }
                Output::Close { socket, reason } => {
                    let (session, code) = (session_of(socket), reason.code());
                    let reason = reason.text().to_owned();
                    self.actions.push_back(TextAction::Close { session, code, reason });
                }
                // The others are for lobbies that the server hosts.
                _ => {}
            }
        }
    }
}

impl TextService for LobbyService {
    fn handle_opened(&mut self, now: Instant, session: ConnectionId, address: IpAddr) {
        self.server.handle_opened(now, socket_of(session), address);
        self.run_outputs();
    }

    fn handle_message(&mut self, now: Instant, session: ConnectionId, text: &str) {
        self.server.handle_message(now, socket_of(session), text);
        self.run_outputs();
    }

    fn handle_closed(&mut self, _now: Instant, session: ConnectionId) {
        self.server.handle_closed(socket_of(session));
        self.run_outputs();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        self.run_outputs();
    }

    fn next_action(&mut self) -> Option<TextAction> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }
}

fn socket_of(session: ConnectionId) -> SocketId {
    SocketId(u64::from(session.slot) << 32 | u64::from(session.generation))
}

fn session_of(SocketId(number): SocketId) -> ConnectionId {
    ConnectionId { slot: (number >> 32) as u32, generation: number as u32 }
}
