//! Recordings whose beginning was dropped.

use std::time::Duration;

use mp_core::{EndpointId, OutgoingPacket, Rng, ToEndpoint};
use mp_record::{Frame, RecordingEnd, RecordingReader};

use crate::watch::{recorded_to, seek, watched};
use crate::world::{File, Room, World, game, play, replay};

fn ring(millis: u64) -> File {
    File { interval: Some(Duration::from_millis(millis)), ..File::default() }
}

/// Returns the files that remain if all before each start is dropped.
fn tails(whole: &[u8], file: &File) -> Vec<Vec<u8>> {
    let header = 18 + u32::from_le_bytes(whole[10..14].try_into().unwrap()) as usize;
    let starts = file.starts.lock().unwrap();
    starts.iter().map(|&start| [&whole[..header], &whole[start..]].concat()).collect()
}

/// Returns the output of a replay, which is that of the recording, and the number of its turns.
fn output(file: &[u8], name: &str) -> (Vec<(EndpointId, OutgoingPacket)>, u64) {
    let mut replay = replay(file).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let mut packets = Vec::new();
    let mut keep = |endpoint, output: &ToEndpoint| {
        if let ToEndpoint::Send(sent) = output {
            packets.extend(sent.iter().cloned().map(|packet| (endpoint, packet)));
        }
    };
    while replay.step(&mut keep).unwrap().is_some() {}
    assert_eq!(replay.difference(), None, "{name}");
    assert_eq!(replay.end(), Some(RecordingEnd::BranchEnded), "{name}");
    (packets, replay.turns())
}

#[test]
fn replay_from_each_start_has_the_output_of_the_recorded_room() {
    for seed in 0..4 {
        for kind in [Room::Relay, Room::Hosted, Room::Migrating] {
            let file = ring(100);
            let mut world = World::new(kind, file.clone());
            play(&mut world, seed, 120);
            let whole = world.finish(RecordingEnd::BranchEnded);
            let (all, turns) = output(&whole, &format!("{kind:?}, seed {seed}"));
            let tails = tails(&whole, &file);
            assert!(tails.len() > 5, "{kind:?}, seed {seed}: {} starts", tails.len());
            for (number, tail) in tails.iter().enumerate() {
                let name = format!("{kind:?}, seed {seed}, start {number}");
                let (packets, left) = output(tail, &name);
                assert!(all.ends_with(&packets), "{name}");
                assert!(left < turns, "{name}");
            }
        }
    }
}

#[test]
fn recordings_of_a_branch_that_runs_are_started_and_stopped() {
    for kind in [Room::Relay, Room::Hosted, Room::Migrating] {
        let idle = File { is_idle: true, ..File::default() };
        let mut world = World::new(kind, idle.clone());
        play(&mut world, 7, 60);
        assert!(!world.is_recording() && !world.stop());
        let header = idle.bytes.lock().unwrap().len();
        for number in 0..2 {
            let file = File::default();
            world.start(&file);
            assert!(!world.is_recording(), "it waits for the end of a turn");
            play(&mut world, 8 + number, 60);
            assert!(world.is_recording() && world.stop());
            play(&mut world, 9, 20);
            let recorded = file.bytes.lock().unwrap().clone();
            let mut replay = replay(&recorded).unwrap();
            while replay.step(&mut |_, _| {}).unwrap().is_some() {}
            assert_eq!(replay.difference(), None, "{kind:?}, {number}");
            assert!(replay.turns() > 50 && !replay.has_beginning(), "{kind:?}, {number}");
        }
        assert_eq!(idle.bytes.lock().unwrap().len(), header);
    }
}

#[test]
fn recording_without_a_ring_has_no_checkpoints() {
    let mut world = World::new(Room::Relay, File::default());
    play(&mut world, 1, 60);
    let whole = world.finish(RecordingEnd::BranchEnded);
    let mut reader = RecordingReader::new(&whole[..]).unwrap();
    while let Some(frame) = reader.next_frame().unwrap() {
        assert!(!matches!(frame.frame, Frame::Checkpoint(_)));
    }
}

#[test]
fn watchers_of_a_recording_without_its_beginning_hold_the_state_of_each_time() {
    for seed in 0..2 {
        let file = ring(1_000);
        let (whole, states) = recorded_to(seed, file.clone());
        let tails = tails(&whole, &file);
        let tail = &tails[tails.len() / 3];
        let began = replay_begin(&whole);
        let dropped = replay_begin(tail) - began;
        let (mut lan, control, _reports) = watched(tail.clone());
        control.set_paused(true);
        let watcher = lan.join(game()).unwrap();
        lan.settle();
        let later: Vec<_> = states.iter().filter(|(time, _)| *time > dropped).collect();
        let is_dropped = states.len() - later.len();
        assert!(later.len() > 3 && is_dropped > 1, "seed {seed}: {is_dropped} {}", later.len());
        let mut rng = Rng::seed_from_u64(seed);
        for _ in 0..8 {
            let (time, expected) = later[rng.below(later.len() as u64) as usize];
            let found = seek(&mut lan, &control, *time - dropped, &[watcher]);
            assert_eq!(found[0], *expected, "seed {seed}, {time:?} after {dropped:?}");
        }
    }
}

/// Returns the time of the first frame.
fn replay_begin(file: &[u8]) -> mp_core::Instant {
    let mut reader = RecordingReader::new(file).unwrap();
    reader.next_frame().unwrap().unwrap().at
}

#[test]
fn any_bytes_as_the_state_at_the_beginning_are_refused_or_replayed() {
    let file = ring(60);
    let mut world = World::new(Room::Migrating, file.clone());
    play(&mut world, 3, 100);
    let whole = world.finish(RecordingEnd::BranchEnded);
    let tail = tails(&whole, &file).pop().unwrap();
    let mut reader = RecordingReader::new(&tail[..]).unwrap();
    let header = reader.header().clone();
    assert!(matches!(reader.next_frame().unwrap().unwrap().frame, Frame::Checkpoint(_)));
    let head = header.encode().unwrap();
    let block = first_block(&tail[head.len()..]);
    let mut rng = Rng::seed_from_u64(1);
    let (mut refused, mut replayed) = (0, 0);
    for _ in 0..600 {
        let mut bytes = block.clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.below(256) as u8;
        }
        let mut changed = head.clone();
        changed.extend(mp_record::BlockWriter::new().unwrap().encode(&bytes).unwrap());
        match replay(&changed) {
            Err(_) => refused += 1,
            Ok(mut replay) => {
                while let Ok(Some(_)) = replay.step(&mut |_, _| {}) {}
                replayed += 1;
            }
        }
    }
    assert!(refused > 50 && replayed > 50, "{refused} {replayed}");
}

/// Returns the uncompressed first block.
fn first_block(blocks: &[u8]) -> Vec<u8> {
    let len = u32::from_le_bytes(blocks[..4].try_into().unwrap()) as usize;
    let raw = u32::from_le_bytes(blocks[4..8].try_into().unwrap()) as usize;
    zstd::bulk::decompress(&blocks[12..12 + len], raw).unwrap()
}
