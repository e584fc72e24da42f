//! Clients that watch a recording have the nodes of the recorded client at each time.

use std::io::{Cursor, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use mp_core::{PeerId, Rng};
use mp_record::{RecordingEnd, WatchControl, WatchEvent, WatchSeat, WatchedReplay};
use mp_scene::prelude::*;
use mp_scene::testing::{Lan, TreeSnapshot};

use crate::world::{File, Room, Unit, World, game, open, unit};

/// Returns the units with their properties.
fn units(scene: &mut Scene) -> TreeSnapshot {
    TreeSnapshot::of(scene, "Units").unwrap()
}

/// Plays a random game of the host 3, of which guest 2 and others receive the units. Returns the
/// recording, and the units of guest 2 at some times since its start.
fn recorded(seed: u64) -> (Vec<u8>, Vec<(Duration, TreeSnapshot)>) {
    recorded_to(seed, File::default())
}

/// Same as [`recorded`], to `file`.
pub fn recorded_to(seed: u64, file: File) -> (Vec<u8>, Vec<(Duration, TreeSnapshot)>) {
    let mut world = World::new(Room::Hosted, file);
    let began = world.now;
    let (guest, host) = (world.join(), world.join());
    assert_eq!((guest.get(), host.get()), (2, 3));
    world.settle();
    let scene = world.clients[1].1.scene();
    for path in ["Units", "Spawner", "Flag"] {
        let node = scene.find(path).unwrap();
        scene.tree_mut().set_multiplayer_authority(node, host, true).unwrap();
    }
    let mut rng = Rng::seed_from_u64(seed);
    let mut checkpoints = Vec::new();
    for number in 0..120 {
        let scene = world.clients[1].1.scene();
        let name = format!("Unit{}", rng.below(6));
        let found = scene.find(&format!("Units/{name}"));
        match (rng.below(4), found) {
            (0, Err(_)) => {
                let node = scene.add_instance("Units", unit().instantiate().named(&name)).unwrap();
                scene.tree_mut().set_multiplayer_authority(node, host, true).unwrap();
            }
            (1, Ok(node)) => scene.remove(node).map(drop).unwrap(),
            (2, Ok(node)) => {
                scene.get_mut(NodeRef::<Unit>::new(node)).unwrap().hp = number;
            }
            (3, Ok(node)) => {
                scene.get_mut(NodeRef::<Unit>::new(node)).unwrap().steps = -number;
            }
            _ if number == 60 => drop(world.join()),
            _ => {}
        }
        world.settle();
        if rng.below(8) == 0 {
            let time = world.now - began;
            checkpoints.push((time, units(world.clients[0].1.scene())));
        }
    }
    (world.finish(RecordingEnd::BranchEnded), checkpoints)
}

/// Returns the room of a recording, as the player 2 saw it.
pub fn watched(file: Vec<u8>) -> (Lan, WatchControl, Receiver<WatchEvent>) {
    let control = WatchControl::new();
    let (events, reports) = sync_channel(1_000);
    let reopen = Box::new(move || -> Result<WatchedReplay, String> {
        let source: Box<dyn Read> = Box::new(Cursor::new(file.clone()));
        open(source).map_err(|error| error.to_string())
    });
    let viewpoint = PeerId::new(2).unwrap();
    let seat = WatchSeat::new(reopen, viewpoint, control.clone(), events).unwrap();
    (Lan::new(Branch::builder("/root").relay_policy(seat)).unwrap(), control, reports)
}

/// Seeks, and returns the units that the clients have then.
pub fn seek(
    lan: &mut Lan,
    control: &WatchControl,
    to: Duration,
    ids: &[PeerId],
) -> Vec<TreeSnapshot> {
    control.seek(to);
    assert!(control.status().is_seeking);
    (0..12).for_each(|_| lan.settle());
    assert!(!control.status().is_seeking);
    ids.iter().map(|&id| units(lan.scene(id))).collect()
}

#[test]
fn watchers_hold_the_state_of_each_time_after_seeks_back_and_forth() {
    for seed in 0..6 {
        let (file, checkpoints) = recorded(seed);
        // The parent, and at least three units with a synchronizer each.
        let none = TreeSnapshot::default();
        let nodes = |(_, units): &(_, TreeSnapshot)| units.differences(&none).len();
        assert!(checkpoints.iter().map(nodes).any(|nodes| nodes >= 7), "seed {seed}");
        let (mut lan, control, _reports) = watched(file);
        control.set_paused(true);
        let mut watchers = vec![lan.join(game()).unwrap()];
        lan.settle();
        let mut rng = Rng::seed_from_u64(seed);
        for number in 0..12 {
            let (time, expected) = &checkpoints[rng.below(checkpoints.len() as u64) as usize];
            let found = seek(&mut lan, &control, *time, &watchers);
            assert!(
                found.iter().all(|it| it == expected),
                "seed {seed}: {time:?}: {expected:?} {found:?}"
            );
            if number == 5 {
                // A late watcher receives the state without a seek.
                let late = lan.join(game()).unwrap();
                lan.settle();
                assert_eq!(units(lan.scene(late)), *expected, "seed {seed}");
                watchers.push(late);
            }
        }
        // The ids of the watchers are 2 and 3, too. The recorded host, 3, is no client for others.
        let recorded = PeerId::new(2).unwrap();
        assert!(lan.scene(watchers[1]).peers().contains(&recorded));
        assert!(!lan.scene(watchers[0]).peers().contains(&watchers[1]));
    }
}

#[test]
fn recording_plays_to_its_end_with_its_speed() {
    let (file, checkpoints) = recorded(9);
    let (mut lan, control, reports) = watched(file);
    let watcher = lan.join(game()).unwrap();
    control.set_speed(10.0);
    let (time, _) = checkpoints[checkpoints.len() / 2];
    let steps = |time: Duration| (time.as_millis() / Lan::STEP.as_millis()) as usize;
    (0..steps(time) / 10).for_each(|_| lan.step());
    let status = control.status();
    assert!(status.position.abs_diff(time) < Duration::from_secs(2), "{status:?} {time:?}");
    assert!(!status.is_paused && !status.is_ended);
    let (last, expected) = checkpoints.last().unwrap();
    (0..steps(*last) / 10 + 200).for_each(|_| lan.step());
    assert!(reports.try_iter().any(|event| event == WatchEvent::Ended));
    let status = control.status();
    assert!(status.is_paused && status.is_ended, "{status:?}");
    let _ = (watcher, expected);
}

#[test]
fn seek_beyond_the_end_stops_at_the_end_and_does_not_overflow() {
    let (file, checkpoints) = recorded(9);
    let (mut lan, control, _reports) = watched(file);
    let watcher = lan.join(game()).unwrap();
    control.set_paused(true);
    seek(&mut lan, &control, Duration::MAX, &[watcher]);
    let end = control.status();
    assert!(end.is_ended && end.position < Duration::from_secs(3_600), "{end:?}");
    control.set_paused(false);
    lan.settle();
    assert_eq!(control.status(), end);
    let (time, expected) = &checkpoints[0];
    assert_eq!(seek(&mut lan, &control, *time, &[watcher])[0], *expected);
    assert!(!control.status().is_ended);
}

#[test]
fn speeds_are_limited_and_those_that_are_no_number_are_ignored() {
    let control = WatchControl::new();
    for (speed, expected) in
        [(0.0, 0.1), (4.0, 4.0), (f64::NAN, 4.0), (1e9, 100.0), (f64::INFINITY, 100.0)]
    {
        control.set_speed(speed);
        assert_eq!(control.status().speed, expected);
    }
}
