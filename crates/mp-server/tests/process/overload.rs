//! A thread of rooms that does not keep up, and bans of players in rooms.

use std::io::{BufRead, BufReader};

use mp_actor::prelude::*;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use crate::players::join;
use crate::several_rooms::{Rooms, assert_refused, meet, send_to_server};

#[test]
fn rooms_of_an_overloaded_thread_refuse_players_and_other_rooms_do_not() {
    // Less than the turns of a slow room, and more than threads of a busy machine wait.
    let mut rooms = Rooms::start_with(&[("MP_LIMITS__MAX_LATENESS", "500")]);
    let mut lines = BufReader::new(rooms.server.stderr()).lines().map(Result::unwrap);
    let mut wait_for = |text: &str| lines.find(|line| line.contains(text)).unwrap();
    actix::System::new().block_on(async {
        // The lobby has its thread, and more load than the slow room.
        let address = rooms.lobby;
        let in_lobby = async || join(address, || Branch::builder("/root").build()).await;
        let _lobby = [in_lobby().await, in_lobby().await, in_lobby().await];
        let player = rooms.by_url("/slow/a").await.unwrap();
        send_to_server(&player).await;
        let line = wait_for("rooms of an overloaded thread refuse players");
        assert!(line.contains("WARN") && line.contains("rooms=1"), "{line}");
        assert_refused(rooms.by_url("/slow/a").await).await;
        let others = [rooms.by_url("/b").await.unwrap(), rooms.by_url("/b").await.unwrap()];
        meet(&[&others[0], &others[1]]).await;
        assert_eq!(player.ended(), None);

        send_to_server(&player).await;
        wait_for("a thread of rooms is no longer overloaded");
        let friend = rooms.by_url("/slow/a").await.unwrap();
        meet(&[&player, &friend]).await;
    });
}

#[test]
fn banned_players_are_disconnected_from_their_rooms_and_refused() {
    let mut rooms = Rooms::start();
    let mut lines = BufReader::new(rooms.server.stderr()).lines().map(Result::unwrap);
    actix::System::new().block_on(async {
        let address = rooms.lobby;
        let in_lobby = async || join(address, || Branch::builder("/root").build()).await;
        let lobby = [in_lobby().await, in_lobby().await];
        let players = [rooms.by_url("/a").await.unwrap(), rooms.by_url("/a").await.unwrap()];
        // Otherwise the server may not have completed a handshake, and refuses the player.
        meet(&[&lobby[0], &lobby[1]]).await;
        meet(&[&players[0], &players[1]]).await;
        rooms.server.write_line("127.0.0.0/8");
        for player in lobby.iter().chain(&players) {
            assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        }
        let banned = lines.find(|line| line.contains("banned 127.0.0.0/8")).unwrap();
        assert_eq!(banned, "banned 127.0.0.0/8: Ok(4)");
        assert_refused(rooms.by_url("/a").await).await;
        let make =
            move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
        let build = || Branch::builder("/root").build();
        assert_refused(mp_actor::branch(build).connect(make).await).await;
    });
}
