//! Asynchronous authentication, in paused time.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use mp_actor::limits::{AUTH_QUEUE_PACKETS_MAX, PENDING_CALLS_MAX};
use mp_actor::prelude::*;
use mp_actor::{AuthResponseError, BranchStarter, CallError};
use mp_core::{DisconnectReason, MemoryAddress};
use mp_scene::AuthError;
use tokio::time::{Instant, sleep};

use crate::common::*;

#[test]
fn slow_authentication_blocks_neither_the_branch_nor_other_peers() {
    run(async {
        let notes = Notes::new();
        let patient = log_branch("/root", &notes).authenticate(admit_in_time);
        let (server, address) = serve(patient).await;
        let quick = log_branch("/root", &notes).on_peer_authenticating(ask::<0>);
        let quick = join(quick, &address, 2).await;

        let start = Instant::now();
        let slow = actix::spawn(async move {
            let client = join(open(ask::<2_000>), &address, 3).await;
            (client, start.elapsed())
        });
        for number in 0..10 {
            note(&quick, PeerId::SERVER, number).await;
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(notes.read().len(), 10, "the branch continues");
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
        let stats = server.peer(peer(3)).unwrap().stats().await.unwrap();
        assert!(stats.is_authenticating && stats.connection.is_some(), "{stats:?}");
        assert_eq!(stats.connected_for, Duration::ZERO);

        let (_slow, elapsed) = slow.await.unwrap();
        assert!(elapsed.as_millis().abs_diff(2_000) < 20, "{elapsed:?}");
        assert_eq!(server.peers().await.unwrap(), [peer(2), peer(3)]);
        sleep(Duration::from_secs(5)).await;
        let stats = server.peer(peer(3)).unwrap().stats().await.unwrap();
        assert!(!stats.is_authenticating, "{stats:?}");
        assert_eq!(stats.connected_for.as_secs(), 5);
    });
}

#[test]
fn more_peers_than_pending_calls_authenticate_concurrently() {
    run(async {
        let count = 4 * PENDING_CALLS_MAX as i32;
        let (server, address) = serve(empty_branch("/root").authenticate(admit_in_time)).await;
        let start = Instant::now();
        let joins: Vec<_> = (2..2 + count)
            .map(|id| {
                let address = address.clone();
                actix::spawn(async move { join(open(ask::<1_000>), &address, id).await })
            })
            .collect();
        let mut clients = Vec::new();
        for client in joins {
            clients.push(client.await.unwrap());
        }
        assert!(start.elapsed() < Duration::from_millis(1_100), "{:?}", start.elapsed());
        assert_eq!(server.peers().await.unwrap().len(), clients.len());
        assert_eq!(server.host_stats().failed_authentications, 0);
        assert_eq!(server.host_stats().busy_calls, 0);
    });
}

#[test]
fn rejected_peer_is_disconnected() {
    run(async {
        let reject = |request: AuthRequest| async move {
            sleep(Duration::from_secs(1)).await;
            request.reject().await
        };
        let (server, address) = serve(empty_branch("/root").authenticate(reject)).await;
        let mut signals = server.signals().await.unwrap();

        let error = try_join(open(ask::<0>), &address, 2).await.unwrap_err();

        assert!(matches!(error, StartError::ConnectionFailed(_)), "{error:?}");
        assert!(server.peer(peer(2)).is_none());
        assert_eq!(signals.next().await, Some(Signal::PeerAuthenticating(peer(2))));
        assert_eq!(signals.try_next(), None);
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn peers_authenticate_each_other_by_challenge() {
    run(async {
        let (at_server, at_client) = (Notes::new(), Notes::new());
        let server = log_branch("/root", &at_server).authenticate(|request| async move {
            sleep(Duration::from_millis(300)).await;
            match request.data() {
                b"Ann" => request.send(b"what is 6 times 7?").await,
                b"42" => request.complete().await,
                _ => request.reject().await,
            }
        });
        let client = log_branch("/root", &at_client)
            .on_peer_authenticating(|server| async move {
                assert_eq!((server.peer(), server.data()), (PeerId::SERVER, &b""[..]));
                server.send(b"Ann").await
            })
            .authenticate(|server| async move {
                sleep(Duration::from_millis(300)).await;
                assert_eq!(server.data(), b"what is 6 times 7?");
                server.send(b"42").await?;
                server.complete().await
            });
        let (server, address) = serve(server).await;
        let start = Instant::now();
        let client = join(client, &address, 2).await;
        assert!(start.elapsed().as_millis().abs_diff(900) < 20, "{:?}", start.elapsed());

        note(&client, PeerId::SERVER, 1).await;
        note(&server, peer(2), 2).await;
        until(|| !at_server.read().is_empty() && !at_client.read().is_empty()).await;
        assert_eq!(*at_server.read(), [(peer(2), 1)]);
        assert_eq!(*at_client.read(), [(PeerId::SERVER, 2)]);
    });
}

#[test]
fn packets_of_a_peer_are_handled_in_order() {
    run(async {
        let notes = Notes::new();
        let noted = notes.clone();
        let (_server, address) = serve(empty_branch("/root").authenticate(move |request| {
            let notes = noted.clone();
            async move {
                let number = request.data()[0];
                notes.push((number, "begun"));
                sleep(Duration::from_millis(100 - 10 * u64::from(number))).await;
                notes.push((number, "done"));
                if number == 9 { request.complete().await } else { Ok(()) }
            }
        }))
        .await;
        let ten = |server: AuthRequest| async move {
            for number in 0..10 {
                server.send(&[number]).await?;
            }
            server.complete().await
        };
        let _client = join(open(ten), &address, 2).await;

        let expected: Vec<_> = (0..10).flat_map(|n| [(n, "begun"), (n, "done")]).collect();
        assert_eq!(*notes.read(), expected);
    });
}

#[test]
fn peer_that_overflows_its_auth_queue_is_rejected() {
    run(async {
        let asked = Notes::new();
        let noted = asked.clone();
        let (server, address) =
            serve(
                empty_branch("/root").authenticate(move |request| {
                    noted.push(request.peer());
                    async move {
                        if request.data() == b"last" { request.complete().await } else { Ok(()) }
                    }
                }),
            )
            .await;
        let all = AUTH_QUEUE_PACKETS_MAX;
        let client = join(flood(all), &address, 2).await;
        assert_eq!(asked.read().len(), all);
        assert_eq!(server.host_stats().dropped_auth_packets, 0);

        let error = try_join(flood(all + 1), &address, 3).await.unwrap_err();
        assert!(matches!(error, StartError::ConnectionFailed(_)), "{error:?}");

        assert_eq!(server.host_stats().dropped_auth_packets, all as u64 + 1);
        assert_eq!(asked.read().len(), all, "the authenticator did not run");
        assert!(server.peer(peer(3)).is_none());
        assert_eq!(client.peers().await.unwrap(), [PeerId::SERVER]);
    });
}

#[test]
fn queued_packets_of_an_admitted_peer_are_dropped_and_counted() {
    run(async {
        let asked = Notes::new();
        let noted = asked.clone();
        let (server, address) = serve(empty_branch("/root").authenticate(move |request| {
            let notes = noted.clone();
            async move {
                notes.push(request.data().to_vec());
                sleep(Duration::from_millis(100)).await;
                request.complete().await?;
                sleep(Duration::from_millis(100)).await;
                notes.push(b"after".to_vec());
                Ok::<_, AuthResponseError>(())
            }
        }))
        .await;
        let _client = join(flood(3), &address, 2).await;
        sleep(Duration::from_secs(1)).await;

        assert_eq!(*asked.read(), [b"more".to_vec(), b"after".to_vec()]);
        assert_eq!(server.host_stats().dropped_auth_packets, 2);
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn future_that_exceeds_the_timeout_is_dropped_and_its_peer_fails() {
    run(async {
        let dropped = Notes::new();
        let (server, address) = serve(empty_branch("/root").authenticate(forever(&dropped))).await;
        let mut signals = server.signals().await.unwrap();
        let start = Instant::now();

        let error = try_join(open(ask::<0>), &address, 2).await.unwrap_err();

        assert!(matches!(error, StartError::ConnectionFailed(_)), "{error:?}");
        assert!(start.elapsed().as_millis().abs_diff(3_000) < 20, "{:?}", start.elapsed());
        until(|| !dropped.read().is_empty()).await;
        assert_eq!(signals.next().await, Some(Signal::PeerAuthenticating(peer(2))));
        assert_eq!(signals.next().await, Some(Signal::PeerAuthenticationFailed(peer(2))));
        assert!(server.peer(peer(2)).is_none());
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn future_is_dropped_when_its_peer_disconnects_or_is_disconnected() {
    run(async {
        let dropped = Notes::new();
        let (server, address) = serve(empty_branch("/root").authenticate(forever(&dropped))).await;
        let mut signals = server.signals().await.unwrap();

        let client = pending(&address, 2).await;
        wait_for(&mut signals, |signal| *signal == Signal::PeerAuthenticating(peer(2))).await;
        client.close().await;
        wait_for(&mut signals, |signal| *signal == Signal::PeerAuthenticationFailed(peer(2))).await;
        until(|| dropped.read().len() == 1).await;
        assert!(server.peer(peer(2)).is_none());

        let kicked = pending(&address, 3).await;
        until(|| server.peer(peer(3)).is_some()).await;
        sleep(Duration::from_millis(100)).await;
        server.with(|scene| scene.multiplayer_mut().disconnect_peer(peer(3))).await.unwrap();
        until(|| dropped.read().len() == 2).await;
        assert!(server.peer(peer(3)).is_none());
        assert!(matches!(kicked.closed().await, EndReason::Disconnected(_)));

        let left = pending(&address, 4).await;
        until(|| server.peer(peer(4)).is_some()).await;
        sleep(Duration::from_millis(100)).await;
        server.peer(peer(4)).unwrap().disconnect().await.unwrap();
        until(|| dropped.read().len() == 3).await;
        assert!(matches!(left.closed().await, EndReason::Disconnected(_)));
        assert_eq!(server.host_stats().failed_authentications, 0);
    });
}

#[test]
fn response_to_an_earlier_session_of_the_same_id_has_no_effect() {
    run(async {
        let requests = Notes::new();
        let (server, address) = serve(empty_branch("/root").authenticate(keep(&requests))).await;
        let first = pending(&address, 2).await;
        until(|| requests.read().len() == 1).await;
        let first_peer = server.peer(peer(2)).unwrap();
        first.close().await;
        until(|| server.peer(peer(2)).is_none()).await;
        let second = actix::spawn({
            let address = address.clone();
            async move { join(open(ask::<0>), &address, 2).await }
        });
        until(|| requests.read().len() == 2).await;
        let new = requests.read().remove(1);
        let old = requests.read().remove(0);

        let ended = Err(AuthResponseError::Call(CallError::Ended));
        assert_eq!(old.send(b"hello?").await, ended);
        assert_eq!(old.complete().await, ended);
        assert_eq!(old.reject().await, ended);
        assert_eq!(first_peer.complete_auth().await, ended);
        assert_eq!(first_peer.disconnect().await, Err(CallError::Ended));
        assert_eq!(server.peers().await.unwrap(), []);
        assert!(server.peer(peer(2)).is_some(), "the second session is not affected");

        assert_eq!(new.complete().await, Ok(()));
        let _second = second.await.unwrap();
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
        // The peer is admitted and can no longer be rejected.
        let late = Err(AuthResponseError::Auth(AuthError::UnknownPeer(peer(2))));
        assert_eq!(new.reject().await, late);
        assert_eq!(new.complete().await, late);
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn authentication_ends_with_its_branch() {
    run(async {
        for ends_by_panic in [false, true] {
            let (requests, dropped) = (Notes::new(), Notes::new());
            let (keep, forever) = (keep(&requests), forever(&dropped));
            let both = move |request: AuthRequest| -> ResponseFuture {
                match request.data() {
                    b"more" => Box::pin(keep(request)),
                    _ => Box::pin(forever(request)),
                }
            };
            let (server, address) = serve(empty_branch("/root").authenticate(both)).await;
            let client = flood(2).start().await.unwrap();
            let seat = address.connect(peer(2));
            client.add_endpoint(|| made(seat)).await.unwrap();
            until(|| requests.read().len() == 1).await;
            let request = requests.read().remove(0);

            if ends_by_panic {
                assert!(server.with(|_| panic!("bug")).await.is_err());
                assert_eq!(server.closed().await, EndReason::Panicked("bug".to_owned()));
            } else {
                assert_eq!(server.close().await, EndReason::Closed);
            }

            assert_eq!(request.complete().await, Err(AuthResponseError::Call(CallError::Ended)));
            until(|| dropped.read().len() == 1).await;
            assert!(server.peer(peer(2)).is_none());
            assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        }
    });
}

#[test]
fn future_that_fails_or_panics_rejects_only_its_peer() {
    run(async {
        let faulty = |request: AuthRequest| {
            assert!(request.data() != b"0", "panic before the future");
            async move {
                sleep(Duration::from_millis(10)).await;
                match request.data() {
                    b"1" => panic!("panic in the future"),
                    b"2" => Err("database unavailable"),
                    _ => request.complete().await.map_err(|_| "disconnected"),
                }
            }
        };
        let (server, address) = serve(empty_branch("/root").authenticate(faulty)).await;
        let _good = join(open(ask::<3>), &address, 9).await;

        for (rejected, client) in
            [open(ask::<0>), open(ask::<1>), open(ask::<2>)].into_iter().enumerate()
        {
            let error = try_join(client, &address, 2).await.unwrap_err();
            assert!(matches!(error, StartError::ConnectionFailed(_)), "{error:?}");
            assert_eq!(server.host_stats().failed_authentications, rejected as u64 + 1);
        }
        assert_eq!(server.peers().await.unwrap(), [peer(9)]);
        assert_eq!(server.ended(), None);
    });
}

#[test]
fn program_can_authenticate_through_the_peer_actor() {
    run(async {
        let required = here(|| {
            let setup = |scene: &mut Scene| {
                scene.multiplayer_mut().set_authentication(true);
                Ok(())
            };
            Branch::builder("/root").setup(setup).build()
        });
        let (server, address) = serve(required).await;
        let mut signals = server.signals().await.unwrap();
        let respond = |server: AuthRequest| async move {
            assert_eq!(server.data(), b"welcome");
            sleep(Duration::from_millis(100)).await;
            server.complete().await
        };
        let client = open(|server| async move { server.send(b"Ann").await }).authenticate(respond);
        let client = actix::spawn(async move { join(client, &address, 2).await });
        // Without an authenticator, AUTH packets are reported as signals.
        let is_auth = |signal: &Signal| matches!(signal, Signal::PeerAuth { .. });
        let received = wait_for(&mut signals, is_auth).await;
        assert_eq!(received, Signal::PeerAuth { from: peer(2), data: b"Ann".as_slice().into() });

        let failed = |error| Err(AuthResponseError::Auth(error));
        let actor = server.peer(peer(2)).unwrap();
        assert_eq!(actor.send_auth(b"".as_slice()).await, failed(AuthError::Empty));
        assert_eq!(actor.send_auth(b"welcome".as_slice()).await, Ok(()));
        assert_eq!(actor.complete_auth().await, Ok(()));
        assert_eq!(actor.complete_auth().await, failed(AuthError::Completed(peer(2))));
        let client = client.await.unwrap();
        assert_eq!(actor.complete_auth().await, failed(AuthError::UnknownPeer(peer(2))));
        assert_eq!(client.peers().await.unwrap(), [PeerId::SERVER]);
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn packets_for_an_authenticator_are_not_signals() {
    run(async {
        let (server, address) = serve(empty_branch("/root").authenticate(admit_in_time)).await;
        let mut signals = server.signals().await.unwrap();
        let _client = join(open(ask::<500>), &address, 2).await;
        assert_eq!(signals.next().await, Some(Signal::PeerAuthenticating(peer(2))));
        assert_eq!(signals.next().await, Some(Signal::PeerConnected(peer(2))));
        assert_eq!(signals.try_next(), None);
    });
}

#[test]
fn flood_of_auth_packets_does_not_hide_the_failure_from_a_slow_subscriber() {
    run(async {
        let required = here(|| Branch::builder("/root").on_peer_auth(|_, _, _| {}).build());
        let (server, address) = serve(required).await;
        let mut signals = server.signals().await.unwrap();
        let client = flood(3_000).start().await.unwrap();
        let seat = address.connect(peer(2));
        client.add_endpoint(|| made(seat)).await.unwrap();
        sleep(Duration::from_secs(10)).await;

        assert!(signals.missed() > 1_000, "{}", signals.missed());
        let mut last = None;
        while let Some(signal) = signals.try_next() {
            last = Some(signal);
        }
        assert_eq!(last, Some(Signal::PeerAuthenticationFailed(peer(2))));
    });
}

#[test]
fn stalled_time_does_not_count_against_the_auth_timeout() {
    run(async {
        let requests = Notes::new();
        let (server, address) = serve(empty_branch("/root").authenticate(keep(&requests))).await;
        let _client = pending(&address, 2).await;
        until(|| requests.read().len() == 1).await;
        sleep(Duration::from_secs(1)).await;
        // The process is stopped for a minute.
        tokio::time::advance(Duration::from_secs(60)).await;
        sleep(Duration::from_millis(500)).await;
        let request = requests.read().remove(0);
        assert_eq!(request.complete().await, Ok(()));
        assert_eq!(server.peers().await.unwrap(), [peer(2)]);
    });
}

#[test]
fn client_without_authentication_is_disconnected_by_a_server_with_it() {
    run(async {
        let greet = |request: AuthRequest| async move { request.send(b"who are you?").await };
        let greeting = empty_branch("/root").on_peer_authenticating(greet);
        let (_server, address) = serve(greeting).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        let reason = DisconnectReason::OneSidedAuthentication;
        assert_eq!(client.closed().await, EndReason::Disconnected(reason));
    });
}

#[test]
fn client_with_authentication_fails_to_connect_to_a_server_without_it() {
    run(async {
        let notes = Notes::new();
        let (server, address) = serve(log_branch("/root", &notes)).await;
        let first = join(empty_branch("/root"), &address, 3).await;
        // The client sends nothing, but receives the announcement of the other client.
        let client = empty_branch("/root").authenticate(forever(&Notes::new()));
        let error = try_join(client, &address, 2).await.unwrap_err();
        let reason = DisconnectReason::OneSidedAuthentication;
        assert!(matches!(error, StartError::ConnectionFailed(why) if why == reason), "{error:?}");
        assert_eq!(server.peers().await.unwrap(), [peer(3)]);
        drop(first);
    });
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<(), AuthResponseError>>>>;

/// Sends the number of milliseconds that the server has to wait before it accepts.
async fn ask<const MILLIS: u64>(server: AuthRequest) -> Result<(), AuthResponseError> {
    server.send(MILLIS.to_string().as_bytes()).await?;
    server.complete().await
}

/// Accepts a peer after the time that it sent.
async fn admit_in_time(request: AuthRequest) -> Result<(), AuthResponseError> {
    let millis = std::str::from_utf8(request.data()).unwrap().parse().unwrap();
    sleep(Duration::from_millis(millis)).await;
    request.complete().await
}

/// Keeps the requests and responds to none.
fn keep(
    requests: &Notes<AuthRequest>,
) -> impl Fn(AuthRequest) -> Ready<Result<(), AuthResponseError>> + Send + 'static {
    let requests = requests.clone();
    move |request| {
        requests.push(request);
        ready(Ok(()))
    }
}

/// Never completes. Records the peer when the future is dropped.
fn forever(dropped: &Notes<PeerId>) -> impl Fn(AuthRequest) -> ResponseFuture + Send + 'static {
    struct Guard(Notes<PeerId>, AuthRequest);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.push(self.1.peer());
        }
    }
    let dropped = dropped.clone();
    move |request| {
        let guard = Guard(dropped.clone(), request);
        Box::pin(async move {
            let guard = guard;
            std::future::pending::<()>().await;
            guard.1.complete().await
        })
    }
}

/// Returns a client that sends first.
fn open<R>(first: impl Fn(AuthRequest) -> R + Send + 'static) -> BranchStarter<Build>
where
    R: Future<Output = Result<(), AuthResponseError>> + 'static,
{
    empty_branch("/root").on_peer_authenticating(first)
}

/// Returns a client that sends `packets` packets in one turn, the last of which is "last", and
/// accepts the server.
fn flood(packets: usize) -> BranchStarter<Build> {
    here(move || {
        let first = move |scene: &mut Scene, signal: &Signal| {
            if let Signal::PeerAuthenticating(peer) = signal {
                for _ in 1..packets {
                    scene.multiplayer_mut().send_auth(*peer, b"more").unwrap();
                }
                scene.multiplayer_mut().send_auth(*peer, b"last").unwrap();
                scene.multiplayer_mut().complete_auth(*peer).unwrap();
            }
        };
        Branch::builder("/root").on_peer_auth(|_, _, _| {}).on_signal(first).build()
    })
}

/// Returns a client that has sent its packets and is not admitted yet.
async fn pending(address: &MemoryAddress, id: i32) -> BranchRef {
    let client = open(ask::<0>).start().await.unwrap();
    let seat = address.connect(peer(id));
    client.add_endpoint(|| made(seat)).await.unwrap();
    client
}

async fn try_join(
    starter: BranchStarter<Build>,
    address: &MemoryAddress,
    id: i32,
) -> Result<BranchRef, StartError> {
    let client = address.connect(peer(id));
    starter.connect(|| made(client)).await
}
