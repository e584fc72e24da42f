//! Replays have the output of the recorded room.

use bytes::Bytes;
use mp_core::{EndpointId, OutgoingPacket, Target, ToEndpoint, TransferMode};
use mp_record::RecordingEnd;
use mp_scene::prelude::*;

use crate::world::{File, Room, World, play, replay};

fn recorded(kind: Room, seed: u64, steps: u64) -> Vec<u8> {
    let mut world = World::new(kind, File::default());
    play(&mut world, seed, steps);
    world.finish(RecordingEnd::BranchEnded)
}

/// Returns all packets that the replay of a file sends.
fn packets(file: &[u8]) -> Vec<(EndpointId, OutgoingPacket)> {
    let mut replay = replay(file).unwrap();
    let mut packets = Vec::new();
    let mut keep = |endpoint, output: &ToEndpoint| {
        if let ToEndpoint::Send(sent) = output {
            packets.extend(sent.iter().cloned().map(|packet| (endpoint, packet)));
        }
    };
    while replay.step(&mut keep).unwrap().is_some() {}
    assert_eq!(replay.difference(), None);
    assert_eq!(replay.end(), Some(RecordingEnd::BranchEnded));
    assert!(replay.turns() > 50 && replay.calls() == 0);
    packets
}

#[test]
fn random_sessions_replay_to_the_byte_twice() {
    for seed in 0..12 {
        let kind = if seed % 2 == 0 { Room::Relay } else { Room::Hosted };
        let file = recorded(kind, seed, 80);
        let first = packets(&file);
        assert!(first.len() > 100, "{kind:?}, seed {seed}: {} packets", first.len());
        assert!(first == packets(&file), "{kind:?}, seed {seed}");
    }
}

#[test]
fn equal_sessions_have_equal_files() {
    assert_eq!(recorded(Room::Hosted, 3, 60), recorded(Room::Hosted, 3, 60));
}

#[test]
fn other_machine_is_reported_with_its_first_turn_that_differs() {
    let mut file = recorded(Room::Hosted, 5, 60);
    // The kind in the header: a room without a host.
    let at = file.windows(6).position(|it| it == b"Hosted").unwrap();
    file[at] = b'h';
    let body = 18..18 + u32::from_le_bytes(file[10..14].try_into().unwrap()) as usize;
    let checksum = crc32fast::hash(&file[body]);
    file[14..18].copy_from_slice(&checksum.to_le_bytes());
    let mut replay = replay(&file).unwrap();
    while replay.step(&mut |_, _| {}).unwrap().is_some() {
        if replay.difference().is_some() {
            break;
        }
    }
    let difference = replay.difference().expect("another room");
    assert_eq!(difference.turn + 1, replay.turns());
    assert_ne!(difference.recorded, difference.replayed);
}

#[test]
fn call_of_the_program_that_sends_is_reported() {
    let mut world = World::new(Room::Relay, File::default());
    world.join();
    world.settle();
    world.call(|scene| assert!(scene.peers().len() == 1));
    world.settle();
    let file = world.finish(RecordingEnd::BranchEnded);
    let replayed = replay_all(&file);
    assert_eq!((replayed.calls(), replayed.difference()), (1, None));

    let mut world = World::new(Room::Relay, File::default());
    world.join();
    world.settle();
    world.call(|scene| {
        let bytes = Bytes::from_static(b"notice");
        scene.send_bytes(&bytes, Target::All, TransferMode::Reliable, Channel(0)).unwrap();
    });
    world.settle();
    let file = world.finish(RecordingEnd::BranchEnded);
    let replayed = replay_all(&file);
    assert_eq!(replayed.difference().map(|it| it.calls), Some(1));
}

fn replay_all(file: &[u8]) -> mp_record::Replay<&[u8], Branch> {
    let mut replay = replay(file).unwrap();
    while replay.step(&mut |_, _| {}).unwrap().is_some() {}
    replay
}

#[test]
fn slow_writer_ends_the_recording_and_not_the_room() {
    let file = File { accepts: Some(1), ..File::default() };
    let mut world = World::new(Room::Relay, file);
    play(&mut world, 1, 400);
    assert!(!world.is_recording());
    let peers = world.clients.len();
    for (_, branch, _) in &mut world.clients {
        assert_eq!(branch.scene().peers().len(), peers, "the room goes on");
    }
    let file = world.finish(RecordingEnd::WriterSlow);
    let replay = replay_all(&file);
    assert_eq!(replay.end(), Some(RecordingEnd::WriterSlow));
    assert!(replay.difference().is_none() && replay.turns() > 10);
    assert_eq!(replay.progress().blocks, 2);
}
