//! Typed channels.

use std::time::Duration;

use actix::prelude::*;
use mp_actor::prelude::*;
use mp_actor::{ChannelError, PublishError, Received};
use mp_scene::SendBytesError;
use serde::{Deserialize, Serialize};

use crate::common::*;

const RELIABLE: TransferMode = TransferMode::Reliable;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chat {
    line: u32,
    text: String,
}

fn chat(line: u32) -> Chat {
    Chat { line, text: "hello".to_owned() }
}

#[test]
fn peers_exchange_typed_messages() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let at_server = server.channel::<Chat>("chat", RELIABLE, Channel(3)).await.unwrap();
        let at_client = client.channel::<Chat>("chat", RELIABLE, Channel(3)).await.unwrap();
        let mut server_messages = at_server.messages().await.unwrap();
        let mut client_messages = at_client.messages().await.unwrap();

        at_client.publish(PeerId::SERVER, chat(1)).await.unwrap();
        let received = server_messages.next().await;
        assert_eq!(received, Some(Received { from: peer(2), message: chat(1) }));

        at_server.publish(Target::All, chat(2)).await.unwrap();
        let received = client_messages.next().await;
        assert_eq!(received, Some(Received { from: PeerId::SERVER, message: chat(2) }));
    });
}

#[test]
fn malformed_messages_are_counted_and_other_packets_are_signals() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let at_server = server.channel::<Chat>("chat", RELIABLE, Channel(0)).await.unwrap();
        let mut messages = at_server.messages().await.unwrap();
        let mut signals = server.signals().await.unwrap();

        // Truncated, with a trailing byte, of a channel that is not open, and without a header;
        // then a valid one.
        let right = b"mp\x01\x04chat\x01\x05hello";
        let packets: [&[u8]; 5] = [
            b"mp\x01\x04chat\x01\x05hel",
            b"mp\x01\x04chat\x01\x05hello!",
            b"mp\x01\x04news",
            b"raw",
            right,
        ];
        for packet in packets {
            let send =
                |scene: &mut Scene| scene.send_bytes(packet, PeerId::SERVER, RELIABLE, Channel(0));
            client.with(send).await.unwrap().unwrap();
        }

        assert_eq!(messages.next().await, Some(Received { from: peer(2), message: chat(1) }));
        let stats = at_server.stats().await.unwrap();
        assert_eq!((stats.received, stats.malformed), (1, 2));
        let is_packet = |signal: &Signal| matches!(signal, Signal::PeerPacket { .. });
        for packet in [&b"mp\x01\x04news"[..], b"raw"] {
            let data = packet.to_vec().into();
            let signal = wait_for(&mut signals, is_packet).await;
            assert_eq!(signal, Signal::PeerPacket { from: peer(2), data });
        }
        assert_eq!(signals.try_next(), None);
    });
}

#[test]
fn subscribed_actor_receives_every_message() {
    struct Listener(Notes<u32>);
    impl Actor for Listener {
        type Context = Context<Self>;
    }
    impl Handler<Received<Chat>> for Listener {
        type Result = ();
        fn handle(&mut self, received: Received<Chat>, _: &mut Context<Self>) {
            self.0.push(received.message.line);
        }
    }
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let at_server = server.channel::<Chat>("chat", RELIABLE, Channel(0)).await.unwrap();
        let notes = Notes::new();
        let listener = Listener(notes.clone()).start();
        at_server.subscribe(listener.recipient()).await.unwrap();
        let at_client = client.channel::<Chat>("chat", RELIABLE, Channel(0)).await.unwrap();

        for line in 0..500 {
            at_client.publish(PeerId::SERVER, chat(line)).await.unwrap();
        }
        until(|| notes.read().len() == 500).await;

        assert!(notes.read().iter().copied().eq(0..500));
        assert_eq!(at_server.stats().await.unwrap().missed, 0);
    });
}

#[test]
fn slow_subscriber_misses_the_newest_messages() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let at_server = server.channel::<Chat>("chat", RELIABLE, Channel(0)).await.unwrap();
        let mut messages = at_server.messages().await.unwrap();

        for _ in 0..5 {
            let send = |scene: &mut Scene| {
                (0..1_000).try_for_each(|_| {
                    let packet = b"mp\x01\x04chat\x01\x05hello";
                    scene.send_bytes(packet, PeerId::SERVER, RELIABLE, Channel(0))
                })
            };
            client.with(send).await.unwrap().unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;

        let stats = at_server.stats().await.unwrap();
        let kept = mp_actor::limits::CHANNEL_QUEUE_MESSAGES_MAX as u64;
        assert_eq!((stats.received, stats.missed), (5_000, 5_000 - kept));
        assert!(messages.next().await.is_some());
    });
}

#[test]
fn names_are_validated_and_unique() {
    run(async {
        let branch = empty_branch("/root").start().await.unwrap();
        for name in ["", &"x".repeat(33)] {
            let opened = branch.channel::<Chat>(name, RELIABLE, Channel(0)).await;
            assert_eq!(opened.err(), Some(ChannelError::Name(name.to_owned())));
        }
        let longest = "x".repeat(32);
        assert!(branch.channel::<Chat>(&longest, RELIABLE, Channel(0)).await.is_ok());
        let again = branch.channel::<u8>(&longest, RELIABLE, Channel(0)).await;
        assert_eq!(again.err(), Some(ChannelError::AlreadyOpen(longest)));
    });
}

#[test]
fn publish_errors_describe_the_reason() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let _client = join(empty_branch("/root"), &address, 2).await;
        let texts = server.channel::<String>("texts", RELIABLE, Channel(0)).await.unwrap();

        let rejected = texts.publish(peer(9), "x".to_owned()).await;
        assert_eq!(rejected, Err(PublishError::Send(SendBytesError::UnknownPeer(peer(9)))));
        let huge = texts.publish(Target::All, "x".repeat(1 << 24)).await;
        assert!(matches!(huge, Err(PublishError::TooLarge { .. })), "{huge:?}");
    });
}
