//! Spawned nodes with spawners of their own, several synchronizers below one node, helms owned by
//! clients, a radar visible to its owner only, and a client that joins late.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::variant::{Array, Vector2};
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::ships::{Helm, Lamp, Pod, Ship, ShipState, pod_data};
use crate::report::Report;
use crate::spawns::Spawns;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_ships(world)?;
    launch(world, PeerId::SERVER, "flag", Vector2::new(1.0, 2.0), 10)?;
    load_pod(world, PeerId::SERVER, "P1", 3)?;
    let mut desk = Desk::open(world)?;

    desk.wait_for_all(world, "initial")?;
    for (index, id) in (0..).zip(desk.ids.clone()) {
        launch(world, id, &format!("of {index}"), Vector2::new(index as f32, 0.0), 5)?;
        load_pod(world, id, &format!("Q{index}"), index + 1)?;
        ship(world, id)?.secret = 100 + index;
        let radar = world.at::<MultiplayerSynchronizer>(&below(id, "Radar"))?;
        radar.set_visibility_for(id, true);
    }
    desk.next(world, "initial")?;

    desk.wait_for_all(world, "sailing")?;
    world.until("the helms", |world| {
        (0..).zip(&desk.ids).all(|(index, &id)| helm_is_set(world, id, index))
    })?;
    *ship(world, PeerId::SERVER)?.fuel = 9;
    world.at::<Pod>(&below(PeerId::SERVER, "Bays/P1"))?.mass = 4;
    *world.at::<Lamp>(&below(PeerId::SERVER, "Bays/P1/Lamp"))?.lit = true;
    world.remove(&below(desk.ids[0], "Bays/Q0"))?;
    desk.next(world, "sailing")?;

    desk.wait_for_all(world, "changed")?;
    let leaving = desk.ids[1];
    world.may_leave(&[leaving]);
    desk.reset(world, 0);
    desk.next_for(world, leaving, "leave")?;
    let left = format!("peer_disconnected({leaving})");
    world.until("the leaving of client 1", |world| world.has_seen(&left))?;
    world.remove(&below(leaving, "."))?;
    desk.gather(world)?;
    desk.wait_for_all(world, "late")?;
    desk.next(world, "late")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_ships(world)?;
    let received = ReceivedSpawns::recorder(world);
    let mut desk = ClientDesk::enter(world)?;
    let mine = world.options.index;

    world.until("the flagship and its pod", |_| received.spawns.count() == 2)?;
    report.check("spawns", received.spawns.all(), owned(["+Ship_1", "+P1"]));
    let flagship = ("flag".to_owned(), Vector2::new(1.0, 2.0), 10, 0);
    report.check("the flagship at first", received.state(PeerId::SERVER), Some(flagship));
    report.check("its pod", pod_state(world, PeerId::SERVER, "P1")?, (3, false));
    desk.step(world, "initial")?;

    world.until("the ships and pods of the clients", |_| received.spawns.count() == 6)?;
    received.check_parents_first(&report, 0, &desk.ids);
    for (index, &id) in (0..).zip(&desk.ids) {
        let state = (format!("of {index}"), Vector2::new(index as f32, 0.0), 5, 0);
        report.check(&format!("ship {index} at first"), received.state(id), Some(state));
        let pod = pod_state(world, id, &format!("Q{index}"))?;
        report.check("its pod", pod, (index + 1, false));
        report.check("authority of the ship", authority(world, id, ".")?, Some(PeerId::SERVER));
        report.check("authority of its helm", authority(world, id, "Helm")?, Some(id));
    }
    let (me, other) = (world.me(), desk.other(world));
    let helm = helm(world, me)?;
    helm.rudder = mine as f64 + 0.5;
    *helm.orders = orders(mine as i64);
    let others = 1 - mine as i64;
    world.until("the helm of the other", |world| helm_is_set(world, other, others))?;
    let secret = 100 + mine as i64;
    world.until("my radar", |world| ship(world, me).is_ok_and(|ship| ship.secret == secret))?;
    desk.step(world, "sailing")?;

    world.until("the changes", |world| {
        let is_at_9 = ship(world, PeerId::SERVER).is_ok_and(|ship| *ship.fuel == 9);
        is_at_9 && pod_state(world, PeerId::SERVER, "P1").is_ok_and(|pod| pod == (4, true))
    })?;
    world.until("the despawn of Q0", |_| received.spawns.count() == 7)?;
    report.check("despawns", received.spawns.since(6), owned(["-Q0"]));
    report.check("the radar of the other", ship(world, other)?.secret, 0);
    world.may_leave(&[other]);
    desk.reset_begin(world);
    desk.done(world, "changed")?;
    if mine == 1 {
        desk.wait_for_next(world, "leave")?;
        come_back(world, &mut desk, &received)?;
    } else {
        world.until("the despawn of the other's ship", |_| received.spawns.count() == 9)?;
        let gone = vec!["-Q1".to_owned(), format!("-Ship_{other}")];
        report.check("despawns", received.spawns.since(7), gone);
        desk.wait_to_begin(world)?;
    }
    desk.step(world, "late")?;
    desk.close(world)
}

fn come_back(
    world: &mut World,
    desk: &mut ClientDesk,
    received: &ReceivedSpawns,
) -> ScenarioResult {
    let report = world.report.clone();
    world.leave();
    report.check("ships after leaving", world.children("Nested/Ships"), vec![]);
    let before = received.spawns.count();
    desk.join(world)?;
    let other = desk.other(world);
    world.until("all spawns", |_| received.spawns.count() >= before + 3)?;
    received.check_parents_first(&report, before, &desk.ids);
    let mut all = received.spawns.since(before);
    all.sort();
    report.check("spawns", all, vec!["+P1".into(), "+Ship_1".into(), format!("+Ship_{other}")]);
    let flagship = ("flag".to_owned(), Vector2::new(1.0, 2.0), 9, 0);
    report.check("the flagship now", received.state(PeerId::SERVER), Some(flagship));
    report.check("its pod now", pod_state(world, PeerId::SERVER, "P1")?, (4, true));
    let ship_0 = ("of 0".to_owned(), Vector2::default(), 5, 0);
    report.check("the other's ship now", received.state(other), Some(ship_0));
    world.until("the helm of the other", |world| helm_is_set(world, other, 0))?;
    report.check("the radar of the other", ship(world, other)?.secret, 0);
    Ok(())
}

/// Spawns that a client has received.
struct ReceivedSpawns {
    spawns: Spawns,
    states: Rc<RefCell<BTreeMap<String, ShipState>>>,
}

impl ReceivedSpawns {
    fn recorder(world: &mut World) -> Self {
        let received = Self { spawns: Spawns::default(), states: Rc::default() };
        let (spawns, states) = (received.spawns.clone(), Rc::clone(&received.states));
        let report = world.report.clone();
        world.on_signal(move |scene, signal| {
            spawns.note(&report, scene, signal);
            let Signal::Spawned { node, .. } = signal else { return };
            if let Ok(ship) = scene.get(NodeRef::<Ship>::new(*node)) {
                let name = scene.tree().name(*node).unwrap_or_default();
                states.borrow_mut().insert(name.to_owned(), ship.state());
            }
        });
        received
    }

    /// Returns the state of a peer's ship when it was spawned.
    fn state(&self, owner: PeerId) -> Option<ShipState> {
        self.states.borrow().get(&format!("Ship_{owner}")).cloned()
    }

    /// Checks that ships are spawned before their pods: P1 is a pod of Ship_1, Q0 and Q1 of the
    /// clients' ships.
    fn check_parents_first(&self, report: &Report, first: usize, ids: &[PeerId]) {
        let received = self.spawns.since(first);
        let place = |name: String| received.iter().position(|received| *received == name);
        let pods = [("+P1", PeerId::SERVER), ("+Q0", ids[0]), ("+Q1", ids[1])];
        for (pod, owner) in pods {
            let Some(pod_at) = place(pod.to_owned()) else { continue };
            let is_first = place(format!("+Ship_{owner}")).is_some_and(|ship| ship < pod_at);
            report
                .check_that(&format!("{pod} is spawned after its ship in {received:?}"), is_first);
        }
    }
}

fn add_ships(world: &mut World) -> ScenarioResult {
    world.add("Nested", Group)?;
    world.add("Nested/Ships", Group)?;
    world.add(
        "Nested/ShipSpawner",
        MultiplayerSpawner::new("../Ships").with_scene(&Ship::scene()),
    )?;
    Ok(())
}

fn launch(
    world: &mut World,
    owner: PeerId,
    title: &str,
    place: Vector2,
    fuel: i64,
) -> ScenarioResult {
    let ship = Ship::scene().instantiate().named(&format!("Ship_{owner}"));
    world.add_instance("Nested/Ships", ship)?;
    let ship = self::ship(world, owner)?;
    (ship.title, ship.place, ship.fuel) = (title.to_owned(), place, fuel.into());
    Ok(())
}

fn load_pod(world: &mut World, owner: PeerId, name: &str, mass: i64) -> ScenarioResult {
    let spawner = world.scene().find(&format!("Main/{}", below(owner, "BaySpawner")))?;
    world.scene().spawn(spawner, pod_data(name, mass))?;
    Ok(())
}

/// Returns the path of `path` below the ship of `owner`.
fn below(owner: PeerId, path: &str) -> String {
    format!("Nested/Ships/Ship_{owner}/{path}")
}

fn ship(world: &mut World, owner: PeerId) -> ScenarioResult<&mut Ship> {
    world.at(&below(owner, "."))
}

fn helm(world: &mut World, owner: PeerId) -> ScenarioResult<&mut Helm> {
    world.at(&below(owner, "Helm"))
}

fn helm_is_set(world: &mut World, owner: PeerId, index: i64) -> bool {
    let is_set =
        |helm: &mut Helm| helm.rudder == index as f64 + 0.5 && *helm.orders == orders(index);
    helm(world, owner).is_ok_and(is_set)
}

fn orders(index: i64) -> Array {
    Array::from([Variant::from("go"), index.into()])
}

fn pod_state(world: &mut World, owner: PeerId, pod: &str) -> ScenarioResult<(i64, bool)> {
    let mass = world.at::<Pod>(&below(owner, &format!("Bays/{pod}")))?.mass;
    let lit = *world.at::<Lamp>(&below(owner, &format!("Bays/{pod}/Lamp")))?.lit;
    Ok((mass, lit))
}

fn authority(world: &mut World, owner: PeerId, path: &str) -> ScenarioResult<Option<PeerId>> {
    let node = world.scene().find(&format!("Main/{}", below(owner, path)))?;
    Ok(world.scene().tree().multiplayer_authority(node))
}

fn owned<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).into()
}
