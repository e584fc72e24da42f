//! The error of each misuse, compared with Godot's error codes.

use mp_core::ConnectionStatus;
use mp_core::variant::Array;
use mp_scene::prelude::*;
use mp_scene::rpc::MethodCallError;
use mp_scene::{AuthError, RpcError, SendBytesError};

use super::vectors::nodes::script;
use super::vectors::world::{World, peer_id};

/// Returns a server and clients 2 and 3, of which 3 is still authenticating. Each has nodes with
/// RPC methods.
fn world() -> World {
    let mut world = World::new(1..=3, true);
    for side in world.ids() {
        world.add(side, "A", script("rpc_node"));
        world.add(side, "F", script("fixed_local"));
    }
    world.link(1, 2);
    world.scene(1).multiplayer_mut().set_authentication(true);
    world.scene(3).multiplayer_mut().set_authentication(true);
    world.link(1, 3);
    world
}

/// Returns a world whose server has lost its transport.
fn closed() -> World {
    let mut world = world();
    world.close(1);
    world
}

/// Returns a client whose server has not answered.
fn connecting() -> World {
    let mut world = world();
    world.close(2);
    world.open(2, ConnectionStatus::Connecting, true);
    world
}

/// Compares the returned error with the expected one, and its code with Godot's name for it.
fn check<E: std::fmt::Debug + PartialEq>(
    rows: impl IntoIterator<Item = (&'static str, Result<(), E>, E, &'static str)>,
    code: fn(&E) -> i32,
) {
    let api = super::api();
    for (misuse, returned, expected, name) in rows {
        let error = returned.expect_err(misuse);
        assert_eq!(error, expected, "{misuse}");
        assert_eq!(api["errors"][code(&error).to_string()], name, "{misuse}");
    }
}

#[test]
fn every_misuse_of_authentication_returns_godots_error() {
    let send = |world: &mut World, side: i32, to: i32, data: &[u8]| {
        world.scene(side).multiplayer_mut().send_auth(peer_id(to), data)
    };
    let complete = |world: &mut World, side: i32, to: i32| {
        world.scene(side).multiplayer_mut().complete_auth(peer_id(to))
    };
    let completed = || {
        let mut world = world();
        complete(&mut world, 1, 3).unwrap();
        world.collect(1);
        world.poll(3);
        world
    };
    let (no_session, unknown) = (AuthError::NotConnected, |id| AuthError::UnknownPeer(peer_id(id)));
    let done = |id| AuthError::Completed(peer_id(id));
    let cannot_write = "Can't write file";
    let invalid = "Invalid parameter";
    let rows = [
        ("data to an unknown peer", send(&mut world(), 1, 9, b"x"), unknown(9), invalid),
        ("data to an admitted peer", send(&mut world(), 1, 2, b"x"), unknown(2), invalid),
        ("data to the local peer", send(&mut world(), 1, 1, b"x"), unknown(1), invalid),
        ("no data", send(&mut world(), 1, 3, b""), AuthError::Empty, invalid),
        ("no data to an unknown peer", send(&mut world(), 1, 9, b""), unknown(9), invalid),
        ("data after completing", send(&mut completed(), 1, 3, b"x"), done(3), cannot_write),
        ("no data after completing", send(&mut completed(), 1, 3, b""), AuthError::Empty, invalid),
        (
            "data after the remote peer completed",
            send(&mut completed(), 3, 1, b"x"),
            done(1),
            cannot_write,
        ),
        ("data without a session", send(&mut closed(), 1, 3, b"x"), no_session, "Unconfigured"),
        ("no data without a session", send(&mut closed(), 1, 3, b""), no_session, "Unconfigured"),
        ("data while connecting", send(&mut connecting(), 2, 1, b"x"), no_session, "Unconfigured"),
        ("completing an unknown peer", complete(&mut world(), 1, 9), unknown(9), invalid),
        ("completing an admitted peer", complete(&mut world(), 1, 2), unknown(2), invalid),
        ("completing twice", complete(&mut completed(), 1, 3), done(3), cannot_write),
        ("completing without a session", complete(&mut closed(), 1, 3), no_session, "Unconfigured"),
        (
            "completing while connecting",
            complete(&mut connecting(), 2, 1),
            no_session,
            "Unconfigured",
        ),
    ];
    check(rows, AuthError::godot_code);
}

#[test]
fn every_misuse_of_send_bytes_returns_godots_error() {
    let send = |mut world: World, side: i32, to: i32, data: &[u8]| {
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        world.scene(side).send_bytes(data, Target::from_raw(to), mode, channel)
    };
    use SendBytesError::{Empty, NotConnected};
    let unknown = |id| SendBytesError::UnknownPeer(peer_id(id));
    let rows = [
        ("nothing", send(world(), 1, 2, b""), Empty, "Invalid data"),
        ("nothing to an unknown peer", send(world(), 1, 9, b""), Empty, "Invalid data"),
        ("nothing without a session", send(closed(), 1, 2, b""), Empty, "Invalid data"),
        ("to an unknown peer", send(world(), 1, 9, b"x"), unknown(9), "Bug"),
        ("to the local peer", send(world(), 1, 1, b"x"), unknown(1), "Bug"),
        ("to an authenticating peer", send(world(), 1, 3, b"x"), unknown(3), "Bug"),
        ("to a server that authenticates", send(world(), 3, 1, b"x"), unknown(1), "Bug"),
        ("through such a server", send(world(), 3, 2, b"x"), NotConnected, "Unconfigured"),
        ("without a session", send(closed(), 1, 2, b"x"), NotConnected, "Unconfigured"),
        ("to all without a session", send(closed(), 1, 0, b"x"), NotConnected, "Unconfigured"),
        ("while connecting", send(connecting(), 2, 1, b"x"), NotConnected, "Unconfigured"),
    ];
    check(rows, SendBytesError::godot_code);

    // These uses are valid.
    for (side, to) in [(1, 2), (1, 0), (1, -2), (1, -9), (2, 1), (2, 0), (2, 9), (2, -1)] {
        assert_eq!(send(world(), side, to, b"x"), Ok(()), "{side} to {to}");
    }
}

#[test]
fn every_misuse_of_rpc_returns_godots_error() {
    type Args = Vec<Variant>;
    let call = |mut world: World, side: i32, to: i32, path: &str, method: &str, args: Args| {
        let scene = world.scene(side);
        let node = scene.find(path).unwrap();
        scene.rpc_id(Target::from_raw(to), node, method, args)
    };
    let gone = || {
        let mut world = world();
        let scene = world.scene(1);
        let node = scene.find("A").unwrap();
        scene.remove(node).unwrap();
        scene.rpc_id(peer_id(2), node, "B_upper", ())
    };
    let many = || vec![Variant::Nil; 256];
    let deep = || {
        let wrap = |inner: Variant| Variant::Array([inner].into_iter().collect::<Array>());
        vec![(0..1_025).fold(Variant::Nil, |inner, _| wrap(inner))]
    };
    let no_method = |method: &str| {
        let (method, path) = (method.to_owned(), String::from("A"));
        RpcError::NoSuchMethod { method, path }
    };
    let too_many = RpcError::Encode(mp_scene::codec::EncodeError::TooManyArguments(256));
    let not_local = RpcError::NotCallLocal { method: String::from("B_upper") };
    let count = RpcError::LocalCall(MethodCallError::ArgumentCount { got: 1, takes: 2 });
    let unknown = |id| RpcError::UnknownPeer(peer_id(id));
    let none = Vec::new;
    let one = || vec![Variant::from(1)];
    let lost = RpcError::NotConnected;
    let rows = [
        (
            "no method",
            call(world(), 1, 2, "A", "nope", none()),
            no_method("nope"),
            "Invalid parameter",
        ),
        (
            "a method without a config",
            call(world(), 1, 2, "A", "z_not_rpc", none()),
            no_method("z_not_rpc"),
            "Invalid parameter",
        ),
        (
            "the local peer, not call_local",
            call(world(), 1, 1, "A", "B_upper", none()),
            not_local,
            "Invalid parameter",
        ),
        ("a removed node", gone(), RpcError::NotInTree, "Unconfigured"),
        (
            "no session",
            call(closed(), 1, 2, "A", "B_upper", none()),
            lost.clone(),
            "Connection error",
        ),
        (
            "no session, no method",
            call(closed(), 1, 2, "A", "nope", none()),
            lost.clone(),
            "Connection error",
        ),
        (
            "while connecting",
            call(connecting(), 2, 1, "A", "B_upper", none()),
            lost,
            "Connection error",
        ),
        (
            "a local call with the wrong arguments",
            call(world(), 1, 0, "F", "two", one()),
            count.clone(),
            "Failed",
        ),
        ("the same to the local peer", call(world(), 1, 1, "F", "two", one()), count, "Failed"),
        // Uses for which Godot only logs an error.
        ("an unknown peer", call(world(), 1, 9, "A", "B_upper", none()), unknown(9), "OK"),
        ("all but an unknown peer", call(world(), 1, -9, "A", "B_upper", none()), unknown(9), "OK"),
        (
            "all but the local peer, at the server",
            call(world(), 1, -1, "A", "B_upper", none()),
            unknown(1),
            "OK",
        ),
        ("an authenticating peer", call(world(), 1, 3, "A", "B_upper", none()), unknown(3), "OK"),
        (
            "a server that authenticates",
            call(world(), 3, 1, "A", "B_upper", none()),
            unknown(1),
            "OK",
        ),
        ("256 arguments", call(world(), 1, 2, "A", "B_upper", many()), too_many, "OK"),
    ];
    check(rows, RpcError::godot_code);

    let deep = call(world(), 1, 2, "A", "B_upper", deep()).unwrap_err();
    assert!(matches!(deep, RpcError::Encode(_)), "{deep}");
    assert_eq!(deep.godot_code(), 0);
}

#[test]
fn errors_name_the_problem_and_the_value() {
    let texts = [
        (AuthError::Completed(peer_id(7)).to_string(), "7"),
        (AuthError::UnknownPeer(peer_id(7)).to_string(), "7"),
        (AuthError::Empty.to_string(), "complete_auth"),
        (SendBytesError::UnknownPeer(peer_id(7)).to_string(), "7"),
        (SendBytesError::NotConnected.to_string(), "connected_to_server"),
        (RpcError::UnknownPeer(peer_id(7)).to_string(), "7"),
        (RpcError::NotConnected.to_string(), "connected_to_server"),
        (RpcError::NotCallLocal { method: String::from("shoot") }.to_string(), "shoot"),
    ];
    for (text, part) in texts {
        assert!(text.contains(part), "{text}");
    }
}
