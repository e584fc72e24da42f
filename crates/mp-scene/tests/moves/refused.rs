//! Moves that fail: the peer stays where it is.

use mp_core::BranchId;
use mp_scene::limits::EXPECTED_TIME;
use mp_scene::{IdBlocks, MoveError};

use crate::world::*;

#[test]
fn branch_expects_no_peer_whose_id_is_in_use() {
    let mut world = World::new();
    let (mover, other) = (world.join(), world.join());
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    let arena = world.branch(ARENA);
    assert_eq!(arena.expect_peer(mover), Err(MoveError::DuplicateId(mover)));
    assert_eq!(arena.expect_peer(SERVER), Err(MoveError::DuplicateId(SERVER)));
    arena.expect_peer(other).unwrap();
    assert_eq!(arena.expect_peer(other), Err(MoveError::DuplicateId(other)));
    arena.cancel_expected(other);
    arena.expect_peer(other).unwrap();
}

#[test]
fn id_of_an_expected_peer_is_reserved_until_it_is_late() {
    let mut world = World::new();
    world.branch(LOBBY).expect_peer(peer(9)).unwrap();
    let early = world.connect_raw(9);
    assert!(!early.is_connected());
    world.run(EXPECTED_TIME);
    assert!(!world.scene(LOBBY).multiplayer().is_expected(peer(9)));
    let late = world.connect_raw(9);
    assert!(late.is_connected());
}

#[test]
fn branch_that_refuses_connections_expects_no_peer() {
    let mut world = World::new();
    let mover = world.join();
    world.scene(ARENA).multiplayer_mut().set_refuse_new_connections(true);
    assert_eq!(world.branch(ARENA).expect_peer(mover), Err(MoveError::Refused));
}

#[test]
fn hook_may_refuse_a_peer() {
    let ids = IdBlocks::new();
    let arena = game().moves(&ids).on_peer_expected(|_, peer| peer.get() != 2);
    let mut world = World::of([game().moves(&ids), arena]);
    let (refused, accepted) = (world.join(), world.join());
    assert_eq!(world.branch(ARENA).expect_peer(refused), Err(MoveError::Refused));
    assert!(!world.scene(ARENA).multiplayer().is_expected(refused), "the id is not reserved");
    assert_eq!(world.branch(ARENA).expect_peer(accepted), Ok(()));
}

#[test]
fn peer_that_is_not_connected_does_not_move() {
    let mut world = World::new();
    let unknown = Err(MoveError::UnknownPeer(peer(9)));
    assert_eq!(world.branch(LOBBY).move_peer(peer(9), ARENA), unknown);
}

#[test]
fn branch_admits_a_peer_again_whose_move_the_endpoint_rejects() {
    let mut world = World::new();
    let (mover, stayer) = (world.join(), world.join());
    world.add_unit(LOBBY, "Unit", 1);
    world.settle();
    let nowhere = BranchId(9);
    world.branch(LOBBY).move_peer(mover, nowhere).unwrap();
    let moving = Err(MoveError::AlreadyMoving(mover));
    assert_eq!(world.branch(LOBBY).move_peer(mover, ARENA), moving);
    world.settle();
    assert_eq!(world.scene(LOBBY).peers(), [stayer, mover]);
    assert_eq!(world.units_at(mover), [("Unit".to_owned(), 1)]);
    assert_eq!(world.client(stayer).peers(), [SERVER, mover]);
    assert_eq!(world.endpoint.stats().rejected_moves, 1);
}

#[test]
fn connection_that_is_moved_to_a_branch_without_moves_is_closed() {
    let ids = IdBlocks::new();
    let mut world = World::of([game().moves(&ids), game()]);
    let mut client = world.connect_raw(7);
    world.branch(LOBBY).move_peer(peer(7), ARENA).unwrap();
    world.settle_with(&mut client);
    assert!(!client.is_connected());
    assert_eq!(world.scene(ARENA).peers(), []);
}
