//! Visibility by distance.

use mp_core::variant::{Vector2, Vector3};
use mp_scene::InterestGrid;
use mp_scene::prelude::*;

use crate::game::*;

const ALL: u32 = InterestGrid::ALL_LAYERS;

/// Adds `count` hidden units in a row, at distances of 10.
fn row(lan: &mut mp_scene::testing::Lan, count: usize) -> Vec<NodeId> {
    (0..count)
        .map(|number| {
            let name = format!("U{number}");
            add_unit(lan, &name, 0);
            sync_of(lan, SERVER, &format!("Units/{name}/Sync")).set_public_visibility(false);
            lan.scene(SERVER).find(&format!("Units/{name}/Sync")).unwrap()
        })
        .collect()
}

fn seen(lan: &mut mp_scene::testing::Lan, peer: PeerId) -> Vec<String> {
    lan.settle();
    let scene = lan.scene(peer);
    let units = scene.find("Units").unwrap();
    let tree = scene.tree();
    let mut names: Vec<_> =
        tree.children(units).map(|unit| tree.name(unit).unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn peer_sees_near_nodes_and_approaching_ones() {
    let (mut lan, ids) = lan(2);
    let nodes = row(&mut lan, 6);
    let mut grid = InterestGrid::new(16.0);
    for (number, &node) in nodes.iter().enumerate() {
        grid.place(node, Vector2::new(number as f32 * 10.0, 0.0), ALL);
    }
    grid.set_view(ids[0], Vector2::ZERO, 15.0, ALL);
    grid.set_view(ids[1], Vector2::new(50.0, 0.0), 5.0, ALL);
    grid.update(lan.scene(SERVER));
    assert_eq!(seen(&mut lan, ids[0]), ["U0", "U1"]);
    assert_eq!(seen(&mut lan, ids[1]), ["U5"]);

    grid.place(nodes[4], Vector2::new(0.0, 5.0), ALL);
    grid.set_view(ids[1], Vector2::new(25.0, 0.0), 6.0, ALL);
    grid.update(lan.scene(SERVER));
    assert_eq!(seen(&mut lan, ids[0]), ["U0", "U1", "U4"]);
    assert_eq!(seen(&mut lan, ids[1]), ["U2", "U3"]);

    grid.remove_view(ids[0]);
    grid.update(lan.scene(SERVER));
    assert!(seen(&mut lan, ids[0]).is_empty());
}

#[test]
fn layers_separate_near_nodes() {
    let (mut lan, ids) = lan(1);
    let nodes = row(&mut lan, 2);
    let mut grid = InterestGrid::new(10.0);
    grid.place(nodes[0], Vector2::ZERO, 0b01);
    grid.place(nodes[1], Vector2::ZERO, 0b10);
    grid.set_view(ids[0], Vector2::ZERO, 1.0, 0b10);
    grid.update(lan.scene(SERVER));
    assert_eq!(seen(&mut lan, ids[0]), ["U1"]);
    grid.set_view(ids[0], Vector2::ZERO, 1.0, 0b01);
    grid.update(lan.scene(SERVER));
    assert_eq!(seen(&mut lan, ids[0]), ["U0"]);
}

#[test]
fn node_at_the_edge_of_a_view_stays_visible_within_the_margin() {
    let (mut lan, ids) = lan(1);
    let nodes = row(&mut lan, 1);
    let mut grid = InterestGrid::new(10.0).margin(5.0);
    grid.set_view(ids[0], Vector2::ZERO, 20.0, ALL);
    for (x, is_visible) in [(24.0, false), (19.0, true), (24.0, true), (26.0, false), (24.0, false)]
    {
        grid.place(nodes[0], Vector2::new(x, 0.0), ALL);
        grid.update(lan.scene(SERVER));
        assert_eq!(!seen(&mut lan, ids[0]).is_empty(), is_visible, "at {x}");
    }
}

#[test]
fn grid_agrees_with_a_comparison_of_all_distances() {
    let (mut lan, ids) = lan(2);
    let nodes = row(&mut lan, 30);
    let mut grid: InterestGrid<Vector3> = InterestGrid::new(7.0);
    let mut state = 1_u64;
    let mut random = |range: f32| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1_u32 << 24) as f32 - 0.5) * range
    };
    let mut places = vec![Vector3::ZERO; nodes.len()];
    let mut views = vec![(Vector3::ZERO, 0.0); ids.len()];
    for _ in 0..200 {
        let moved = (random(1.0).abs() * 2.0 * nodes.len() as f32) as usize % nodes.len();
        places[moved] = Vector3::new(random(60.0), random(20.0), random(60.0));
        grid.place(nodes[moved], places[moved], ALL);
        let looked = usize::from(random(1.0) > 0.0);
        views[looked] = (Vector3::new(random(60.0), 0.0, random(60.0)), random(1.0).abs() * 50.0);
        grid.set_view(ids[looked], views[looked].0, views[looked].1, ALL);
        grid.update(lan.scene(SERVER));
        for (peer, (from, radius)) in ids.iter().zip(&views) {
            for (node, place) in nodes.iter().zip(&places) {
                let away = *place - *from;
                let near = away.x * away.x + away.y * away.y + away.z * away.z <= radius * radius;
                let sync: NodeRef<MultiplayerSynchronizer> = NodeRef::new(*node);
                let listed = lan.scene(SERVER).get(sync).unwrap().visibility_for(*peer);
                let placed = *place != Vector3::ZERO && *radius > 0.0;
                assert!(!placed || listed == near, "{place:?} from {from:?} within {radius}");
            }
        }
    }
}
