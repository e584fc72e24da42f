//! `Signals` and `Messages` as `Stream`s.

use std::future::poll_fn;
use std::pin::pin;

use futures_core::Stream;
use mp_actor::Received;
use mp_actor::prelude::*;
use mp_core::variant::Vector2;

use crate::common::*;

/// Returns the next item through the trait, as the combinators of other crates do.
async fn next_of<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    let mut stream = pin!(stream);
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

#[test]
fn signal_stream_ends_with_its_branch() {
    run(async {
        let (server, address) = serve(empty_branch("/root")).await;
        let mut signals = server.signals().await.unwrap();
        let _client = join(empty_branch("/root"), &address, 2).await;
        assert_eq!(next_of(&mut signals).await, Some(Signal::PeerConnected(peer(2))));

        server.close().await;

        while next_of(&mut signals).await.is_some() {}
    });
}

#[test]
fn message_stream_carries_ids_and_vectors() {
    run(async {
        type Moved = (PeerId, Vector2);
        let (server, address) = serve(empty_branch("/root")).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let open = ("moved", TransferMode::Reliable, Channel(1));
        let at_server = server.channel::<Moved>(open.0, open.1, open.2).await.unwrap();
        let at_client = client.channel::<Moved>(open.0, open.1, open.2).await.unwrap();
        let mut messages = at_server.messages().await.unwrap();

        let message = (peer(2), Vector2::new(1.5, -2.0));
        at_client.publish(PeerId::SERVER, message).await.unwrap();

        assert_eq!(next_of(&mut messages).await, Some(Received { from: peer(2), message }));
        server.close().await;
        assert_eq!(next_of(&mut messages).await, None);
    });
}
