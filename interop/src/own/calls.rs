//! RPCs with every kind of argument, argument list, mode and channel; permissions; calls that the
//! receiver cannot execute.

use mp_core::VariantType;
use mp_core::variant::{Array, Dictionary, Vector2};
use mp_scene::GodotQuirks;
use mp_scene::prelude::*;

use super::calls_nodes::{Calls, MODE_METHODS, Part, Received, SharedLog};
use super::desk::{ClientDesk, Desk};
use super::{pattern, values};
use crate::exact::Exact;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut values = Exact::list(values::list());
    if world.options.plant_fault {
        values[3] = "a planted fault".into();
    }
    let log = SharedLog::new(world.report.clone(), world.tap());
    let calls = world.add("Calls", Calls::new(log.clone(), values.clone()))?;
    let mut part = |place| world.add(&format!("Calls/{place}"), Part::new(place, log.clone()));
    part("Deep")?;
    part("Deep/Deeper")?;
    part("Odd")?;
    let (plain, mine, server_only) = (part("Plain")?, part("Mine")?, part("ServerOnly")?);
    for method in ["budge", "nudge"] {
        world.scene().tree_mut().rpc_config(plain, method, Some(RpcConfig::any_peer()))?;
    }
    // Godot calls `Odd` although its methods differ between the sides.
    let quirks = GodotQuirks { mismatched_methods: true, ..GodotQuirks::default() };
    world.scene().multiplayer_mut().set_quirks(quirks);
    let desk = Desk::open(world)?;
    let client = desk.ids[0];
    world.scene().tree_mut().set_multiplayer_authority(mine, client, true)?;

    // Values.
    desk.wait_for_all(world, "values")?;
    report.check("the values", world.get(calls).values_received.clone(), values);
    desk.next(world, "values")?;

    // Argument lists.
    desk.wait_for_all(world, "shapes")?;
    report.check("the shapes", log.take(), shapes(client));
    desk.next(world, "shapes")?;

    // Modes.
    desk.wait_for_all(world, "modes")?;
    report.check(
        "the modes",
        world.get(calls).modes_heard.clone(),
        MODE_METHODS.map(|(method, ..)| method).into(),
    );
    log.stop_answering();
    desk.next(world, "modes")?;

    // call_local.
    world.until("both by the client", |_| log.len() > 0)?;
    let by_client = Received::new("", "both", client, ["C"]);
    report.check("both by the client", log.take(), vec![by_client]);
    world.rpc(calls, "both", ("S",))?;
    desk.wait_for_all(world, "both")?;
    let by_server = Received::new("", "both", PeerId::SERVER, ["S"]);
    report.check("both by the server", log.take(), vec![by_server]);
    desk.next(world, "both")?;

    // Authority.
    desk.wait_for_all(world, "orders")?;
    let orders = vec![Received::new("Mine", "order", client, ["mine"])];
    report.check("the orders", log.take(), orders);
    world.rpc_id(client, calls, "order", ("yours",))?;
    world.rpc_id(client, mine, "order", ("not yours",))?;
    desk.next(world, "orders")?;

    // Non-executable calls.
    desk.wait_for_all(world, "refused")?;
    let left = vec![Received::new("Odd", "touch", client, [2]), Received::none(client)];
    report.check("executed calls", log.take(), left);
    world.rpc_id(client, server_only, "touch", (1,))?;
    world.rpc_id(client, calls, "many", (1, 2))?;
    world.rpc_id(client, calls, "typed", ("no array", Dictionary::new()))?;
    world.rpc_id(client, server_only, "touch", (2,))?;
    world.rpc_id(client, calls, "none", ())?;
    desk.next(world, "refused")?;

    desk.close(world)?;
    report.check("later calls", log.take(), vec![]);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let mut expected = Exact::list(values::list());
    if world.options.plant_fault {
        expected[3] = "a planted fault".into();
    }
    let log = SharedLog::new(world.report.clone(), world.tap());
    log.stop_answering();
    let calls = world.add("Calls", Calls::new(log.clone(), expected.clone()))?;
    let mut part = |place| world.add(&format!("Calls/{place}"), Part::new(place, log.clone()));
    let parts = ["Deep", "Deep/Deeper", "Plain", "Mine", "Odd", "Ghost"];
    let [_, deeper, plain, mine, odd, ghost] = parts.map(&mut part);
    let (deeper, plain, mine, odd, ghost) = (deeper?, plain?, mine?, odd?, ghost?);
    for (part, method) in [(plain, "budge"), (plain, "nudge"), (odd, "budge")] {
        world.scene().tree_mut().rpc_config(part, method, Some(RpcConfig::any_peer()))?;
    }
    let desk = ClientDesk::enter(world)?;
    let me = world.me();
    world.scene().tree_mut().set_multiplayer_authority(mine, me, true)?;

    // Values.
    for (k, value) in (0i64..).zip(values::list()) {
        world.rpc_id(server, calls, "value", (k, value))?;
    }
    let count = expected.len();
    world.until("the values", |world| world.get(calls).values_received.len() == count)?;
    report.check("the values", world.get(calls).values_received.clone(), expected);
    desk.step(world, "values")?;

    // Argument lists.
    let mut to_send = shapes(server);
    to_send.pop();
    for received in to_send {
        let node = match received.place {
            "" => calls.id(),
            "Deep/Deeper" => deeper.id(),
            _ => plain.id(),
        };
        world.rpc_id(server, node, received.method, received.args())?;
    }
    world.rpc_id(server, calls, "raw", (Vec::<u8>::new(),))?; // returned as the default
    let count = shapes(server).len();
    world.until("the shapes to be returned", |_| log.len() >= count)?;
    desk.step(world, "shapes")?;
    report.check("the shapes", log.take(), shapes(server));

    // Modes.
    world.repeat_until(
        "a returned call of every mode and channel",
        |world| world.get(calls).modes_heard.len() == MODE_METHODS.len(),
        |world| MODE_METHODS.iter().try_for_each(|m| world.rpc_id(server, calls, m.0, (7,))),
    )?;
    desk.step(world, "modes")?;

    // call_local.
    world.rpc(calls, "both", ("C",))?;
    report.check("local `both`", log.take(), vec![Received::new("", "both", me, ["C"])]);
    world.until("both by the server", |_| log.len() > 0)?;
    desk.step(world, "both")?;
    report.check("both by the server", log.take(), vec![Received::new("", "both", server, ["S"])]);

    // Authority.
    world.rpc_id(server, calls, "order", ("not mine",))?;
    world.rpc_id(server, mine, "order", ("mine",))?;
    desk.step(world, "orders")?;
    report.check("the orders", log.take(), vec![Received::new("", "order", server, ["yours"])]);

    // Non-executable calls.
    world.rpc_id(server, ghost, "touch", (1,))?;
    world.rpc_id(server, odd, "budge", (1,))?;
    world.rpc_id(server, calls, "many", (1, 2))?;
    world.rpc_id(server, calls, "typed", ("no array", Dictionary::new()))?;
    world.rpc_id(server, ghost, "touch", (2,))?;
    world.rpc_id(server, odd, "touch", (2,))?;
    world.rpc_id(server, calls, "none", ())?;
    desk.step(world, "refused")?;
    report.check("executed calls", log.take(), vec![Received::none(server)]);

    desk.close(world)?;
    report.check("later calls", log.take(), vec![]);
    Ok(())
}

/// Returns the calls as received from `sender`, in both directions.
fn shapes(sender: PeerId) -> Vec<Received> {
    let mut names = Array::typed(VariantType::String);
    let mut ages = Dictionary::typed(VariantType::String, VariantType::Int);
    for (name, age) in [("Ann", 30), ("Bob", 40)] {
        names.push(name).expect("a String");
        ages.insert(name, age).expect("a String and an int");
    }
    let many: [Variant; 8] = [
        1.into(),
        "two".into(),
        3.5.into(),
        Vector2::new(4.0, 4.0).into(),
        Array::from([5]).into(),
        Dictionary::from([("six", 6)]).into(),
        Variant::Nil,
        vec![8u8].into(),
    ];
    vec![
        Received::none(sender),
        Received::new("", "raw", sender, [vec![1u8, 2, 3]]),
        Received::new("", "raw", sender, [pattern(3000, 5)]),
        Received::new("", "many", sender, many),
        Received::new("", "typed", sender, [Variant::from(names), ages.into()]),
        Received::new("Deep/Deeper", "touch", sender, [1]),
        Received::new("Deep/Deeper", "touch", sender, [2]),
        Received::new("Plain", "budge", sender, [3]),
        Received::new("Plain", "nudge", sender, [4]),
        Received::new("Plain", "touch", sender, [5]),
        // A single PackedByteArray is sent without a type, so an empty one is no argument, and the
        // default is used.
        Received::new("", "raw", sender, [vec![9u8]]),
    ]
}
