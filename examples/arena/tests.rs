//! The game with bots over a slow and lossy network, in virtual time.

use std::time::Duration;

use mp::prelude::*;
use mp::testing::{Link, TestSession};

use crate::arena::{self, HALF_SIZE, PLAYERS, coins, players};
use crate::player::{Input, Player, SPEED_MAX};
use crate::snapshot::{Row, Snapshot};
use crate::{bots, view};

/// Returns a session with a server and `count` bots that have entered.
fn session(count: u16) -> TestSession {
    let mut session = TestSession::with_seed(17, arena::branch()).unwrap();
    session.set_link(Link {
        latency: Duration::from_millis(40),
        jitter: Duration::from_millis(10),
        loss_permille: 50,
        ..Link::default()
    });
    for number in 1..=count {
        session.join(bots::branch(number)).unwrap();
    }
    session.until("all bots see all players", |session| {
        let mut clients = session.clients().into_iter();
        clients.all(|client| players(session.client(client)).len() == usize::from(count))
    });
    session
}

fn scores(scene: &Scene) -> Vec<(String, i64)> {
    let players = players(scene).into_iter().filter_map(|player| scene.get(player).ok());
    let mut scores: Vec<_> = players.map(|it| (it.title.clone(), *it.score)).collect();
    scores.sort();
    scores
}

#[test]
fn bots_collect_coins_and_all_peers_see_the_same_scores() {
    let mut session = session(4);
    session.run_for(Duration::from_secs(20));
    let expected = scores(session.server());
    assert_eq!(expected.len(), 4, "{expected:?}");
    assert!(expected.iter().all(|&(_, score)| score > 0), "{expected:?}");
    let agree = |session: &mut TestSession| {
        let expected = scores(session.server());
        session.clients().into_iter().all(|client| scores(session.client(client)) == expected)
    };
    session.until("all bots have the server's scores", agree);
}

#[test]
fn a_collected_coin_is_replaced() {
    let mut session = session(2);
    session.run_for(Duration::from_secs(10));
    let collected: i64 = scores(session.server()).iter().map(|(_, score)| score).sum();
    assert!(collected > 0);
    session.until("there are as many coins as before", |session| {
        coins(session.server()).len() == arena::COINS
    });
}

#[test]
fn a_player_is_no_faster_than_the_limit_and_stays_in_the_arena() {
    let mut session = session(1);
    let client = session.clients()[0];
    // Disables the bot, and steers 1,000 times as fast as allowed.
    let scene = session.client(client);
    let bot = scene.find("Main/Arena").unwrap();
    scene.tree_mut().set_process(bot, false).unwrap();
    let path = format!("{PLAYERS}/{client}");
    let player = scene.node::<Player>(&path).unwrap();
    let input = scene.child::<Input>(player, "Input").unwrap();
    scene.get_mut(input).unwrap().direction = Vector2::new(1_000.0, 0.0);
    let x = |session: &mut TestSession| {
        let player = session.server().node::<Player>(&path).unwrap();
        session.server().get(player).unwrap().position.x
    };
    session.run_for(Duration::from_millis(500));
    let start = x(&mut session);
    session.run_for(Duration::from_secs(1));
    let moved = x(&mut session) - start;
    // A tick more or less.
    assert!((SPEED_MAX * 0.8..=SPEED_MAX * 1.1).contains(&moved), "{moved}");
    session.run_for(Duration::from_secs(10));
    assert!(x(&mut session) <= HALF_SIZE.x, "{}", x(&mut session));
}

#[test]
fn a_second_enter_is_refused() {
    let mut session = session(1);
    let client = session.clients()[0];
    let scene = session.client(client);
    let arena = scene.find("Main/Arena").unwrap();
    scene.rpc_id(PeerId::SERVER, arena, "enter", ("Bot 1",)).unwrap();
    session.run_for(Duration::from_secs(1));
    assert_eq!(bots::answer(session.client(client)), Some(Err("you have a name".to_owned())));
    assert_eq!(players(session.server()).len(), 1);
}

#[test]
fn a_player_that_leaves_is_removed_on_all_peers() {
    let mut session = session(2);
    let [gone, other] = session.clients()[..] else { panic!("there are two") };
    session.drop_client(gone);
    let left = |session: &mut TestSession| players(session.client(other)).len() == 1;
    assert!(session.until_timeout(Duration::from_secs(60), left));
}

fn snapshot() -> Snapshot {
    let row = |id, name: &str, x, y| Row {
        id,
        name: name.to_owned(),
        position: Vector2::new(x, y),
        score: 3,
        round_trip_time: Some(Duration::from_millis(12)),
        received: 100.0,
        sent: 250.0,
    };
    Snapshot {
        players: vec![row(2, "Ann", 0.0, 0.0), row(3, "Bob", 480.0, -270.0)],
        coins: vec![Vector2::new(-480.0, 270.0), Vector2::new(9_999.0, -9_999.0)],
    }
}

#[test]
fn the_view_without_a_terminal_prints_a_line_per_player() {
    let expected = "2 players, 2 coins, 200 B/s in, 500 B/s out\n\
        Ann is at (0, 0) with 3 coins; round trip 12 ms; 100 B/s in, 250 B/s out\n\
        Bob is at (480, -270) with 3 coins; round trip 12 ms; 100 B/s in, 250 B/s out\n";
    assert_eq!(view::lines(&snapshot()), expected);
}

#[test]
fn the_view_draws_each_player_at_its_place() {
    let drawn = without_colors(&view::drawn(&snapshot()));
    let lines: Vec<_> = drawn.lines().collect();
    // The field begins below the totals and the upper border, and right of the left border.
    let field: Vec<Vec<char>> = lines[2..22].iter().map(|line| line.chars().collect()).collect();
    assert_eq!(field[10][1 + 36], 'A');
    assert_eq!(field[0][1 + 71], 'B', "a player hides a coin");
    assert_eq!(field[19][1], '∘');
    assert!(lines[23].starts_with("A Ann "), "{drawn}");
    assert!(lines[24].contains("12 ms"), "{drawn}");
}

/// Removes escape sequences.
fn without_colors(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |end| end + 1);
        plain + &part[end..]
    })
}
