//! Arbitrary messages never cause a panic, and the state stays bounded.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mp_core::{Instant, Rng};
use mp_signaling::{Message, Output, SignalingOptions, SignalingServer, SocketId};
use proptest::prelude::*;

/// A step of a test run.
#[derive(Clone, Debug)]
enum Step {
    Open(u64),
    Message(u64, String),
    /// A JOIN with the name of the lobby that was created last, and a mode.
    Join(u64, i32),
    Close(u64),
    Advance(u64),
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,64}",
        (0..9_i32, -2..5_i32, "[\\n0-9a-z:]{0,24}")
            .prop_map(|(kind, id, data)| format!(r#"{{"type":{kind},"id":{id},"data":{data:?}}}"#)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u64).prop_map(Step::Open),
        (0..6_u64, texts()).prop_map(|(socket, text)| Step::Message(socket, text)),
        (0..6_u64, 0..2_i32).prop_map(|(socket, mode)| Step::Join(socket, mode)),
        (0..6_u64).prop_map(Step::Close),
        (1..2_000_u64).prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn closed_sessions_leave_no_state(steps in steps()) {
        let mut server = SignalingServer::new(SignalingOptions::default(), Rng::seed_from_u64(1));
        let mut now = Instant::from_millis(1_000);
        let mut is_open = [false; 6];
        let mut lobby = String::new();
        for step in steps {
            match step {
                Step::Open(socket) => {
                    if !std::mem::replace(&mut is_open[socket as usize], true) {
                        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
                        server.handle_opened(now, SocketId(socket), address);
                    }
                }
                Step::Message(socket, text) => server.handle_message(now, SocketId(socket), &text),
                Step::Join(socket, mode) => {
                    let text = Message::new(mp_signaling::MessageKind::Join, mode, &*lobby);
                    server.handle_message(now, SocketId(socket), &text.to_text());
                }
                Step::Close(socket) => {
                    is_open[socket as usize] = false;
                    server.handle_closed(SocketId(socket));
                }
                Step::Advance(millis) => {
                    now += Duration::from_millis(millis);
                    server.handle_timeout(now);
                }
            }
            while let Some(output) = server.next_output() {
                match output {
                    Output::Send { socket, message } => {
                        prop_assert!(is_open[socket.0 as usize], "{message:?} to a closed socket");
                        if message.kind == mp_signaling::MessageKind::Join {
                            lobby = message.data;
                        }
                    }
                    Output::Close { socket, .. } => {
                        prop_assert!(std::mem::take(&mut is_open[socket.0 as usize]));
                    }
                    other => prop_assert!(false, "unexpected output: {other:?}"),
                }
            }
            let open = is_open.iter().filter(|is_open| **is_open).count();
            prop_assert_eq!(server.socket_count(), open);
            prop_assert!(server.lobby_count() <= open);
        }
        for socket in 0..6 {
            server.handle_closed(SocketId(socket));
        }
        now += Duration::from_secs(20);
        server.handle_timeout(now);
        prop_assert_eq!((server.socket_count(), server.lobby_count()), (0, 0));
        prop_assert_eq!(server.poll_timeout(), None);
    }
}
