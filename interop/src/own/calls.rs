//! RPCs with every kind of argument, shape, mode and channel; who may call what; calls that nobody can execute.

use mp_core::VariantType;
use mp_core::variant::{Array, Dictionary, Vector2};
use mp_scene::GodotQuirks;
use mp_scene::prelude::*;

use super::calls_nodes::{Calls, Heard, MODE_METHODS, Part, SharedLog};
use super::desk::{ClientDesk, Desk};
use super::{pattern, values};
use crate::exact::Exact;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
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
    // Godot calls `Odd` although the two sides do not agree on its methods.
    let quirks = GodotQuirks { mismatched_methods: true, ..GodotQuirks::default() };
    world.scene().multiplayer_mut().set_quirks(quirks);
    let desk = Desk::open(world)?;
    let client = desk.ids[0];
    world.scene().tree_mut().set_multiplayer_authority(mine, client, true)?;

    // Values.
    desk.everyone(world, "values")?;
    report.check("the values", world.get(calls).values_heard.clone(), values);
    desk.next(world, "values")?;

    // Shapes.
    desk.everyone(world, "shapes")?;
    report.check("the shapes", log.take(), shapes(client));
    desk.next(world, "shapes")?;

    // Modes.
    desk.everyone(world, "modes")?;
    report.check(
        "the modes",
        world.get(calls).modes_heard.clone(),
        MODE_METHODS.map(|(method, ..)| method).into(),
    );
    log.stop_answering();
    desk.next(world, "modes")?;

    // call_local.
    world.until("both by the client", |_| log.len() > 0)?;
    let by_client = Heard::new("", "both", client, ["C"]);
    report.check("both by the client", log.take(), vec![by_client]);
    world.rpc(calls, "both", ("S",))?;
    desk.everyone(world, "both")?;
    let by_server = Heard::new("", "both", PeerId::SERVER, ["S"]);
    report.check("both by the server", log.take(), vec![by_server]);
    desk.next(world, "both")?;

    // Authority.
    desk.everyone(world, "orders")?;
    let orders = vec![Heard::new("Mine", "order", client, ["mine"])];
    report.check("the orders", log.take(), orders);
    world.rpc_id(client, calls, "order", ("yours",))?;
    world.rpc_id(client, mine, "order", ("not yours",))?;
    desk.next(world, "orders")?;

    // Nobody can execute.
    desk.everyone(world, "refused")?;
    let left = vec![Heard::new("Odd", "touch", client, [2]), Heard::none(client)];
    report.check("what was left of the bad calls", log.take(), left);
    world.rpc_id(client, server_only, "touch", (1,))?;
    world.rpc_id(client, calls, "many", (1, 2))?;
    world.rpc_id(client, calls, "typed", ("no array", Dictionary::new()))?;
    world.rpc_id(client, server_only, "touch", (2,))?;
    world.rpc_id(client, calls, "none", ())?;
    desk.next(world, "refused")?;

    desk.close(world)?;
    report.check("what was heard afterwards", log.take(), vec![]);
    Ok(())
}

pub(super) fn play(world: &mut World) -> Played {
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
    world.until("the values", |world| world.get(calls).values_heard.len() == count)?;
    report.check("the values", world.get(calls).values_heard.clone(), expected);
    desk.step(world, "values")?;

    // Shapes.
    let mut to_send = shapes(server);
    to_send.pop();
    for heard in to_send {
        let node = match heard.place {
            "" => calls.id(),
            "Deep/Deeper" => deeper.id(),
            _ => plain.id(),
        };
        world.rpc_id(server, node, heard.method, heard.args())?;
    }
    world.rpc_id(server, calls, "raw", (Vec::<u8>::new(),))?; // the last, which comes back as the default
    let count = shapes(server).len();
    world.until("the shapes to come back", |_| log.len() >= count)?;
    desk.step(world, "shapes")?;
    report.check("the shapes", log.take(), shapes(server));

    // Modes.
    world.repeat_until(
        "a call back of every mode and channel",
        |world| world.get(calls).modes_heard.len() == MODE_METHODS.len(),
        |world| MODE_METHODS.iter().try_for_each(|m| world.rpc_id(server, calls, m.0, (7,))),
    )?;
    desk.step(world, "modes")?;

    // call_local.
    world.rpc(calls, "both", ("C",))?;
    report.check("both at home", log.take(), vec![Heard::new("", "both", me, ["C"])]);
    world.until("both by the server", |_| log.len() > 0)?;
    desk.step(world, "both")?;
    report.check("both by the server", log.take(), vec![Heard::new("", "both", server, ["S"])]);

    // Authority.
    world.rpc_id(server, calls, "order", ("not mine",))?;
    world.rpc_id(server, mine, "order", ("mine",))?;
    desk.step(world, "orders")?;
    report.check("the orders", log.take(), vec![Heard::new("", "order", server, ["yours"])]);

    // Nobody can execute.
    world.rpc_id(server, ghost, "touch", (1,))?;
    world.rpc_id(server, odd, "budge", (1,))?;
    world.rpc_id(server, calls, "many", (1, 2))?;
    world.rpc_id(server, calls, "typed", ("no array", Dictionary::new()))?;
    world.rpc_id(server, ghost, "touch", (2,))?;
    world.rpc_id(server, odd, "touch", (2,))?;
    world.rpc_id(server, calls, "none", ())?;
    desk.step(world, "refused")?;
    report.check("what was left of the bad calls", log.take(), vec![Heard::none(server)]);

    desk.close(world)?;
    report.check("what was heard afterwards", log.take(), vec![]);
    Ok(())
}

/// The calls as the receiver hears them of `sender`, in both directions.
fn shapes(sender: PeerId) -> Vec<Heard> {
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
        Heard::none(sender),
        Heard::new("", "raw", sender, [vec![1u8, 2, 3]]),
        Heard::new("", "raw", sender, [pattern(3000, 5)]),
        Heard::new("", "many", sender, many),
        Heard::new("", "typed", sender, [Variant::from(names), ages.into()]),
        Heard::new("Deep/Deeper", "touch", sender, [1]),
        Heard::new("Deep/Deeper", "touch", sender, [2]),
        Heard::new("Plain", "budge", sender, [3]),
        Heard::new("Plain", "nudge", sender, [4]),
        Heard::new("Plain", "touch", sender, [5]),
        // A lone PackedByteArray travels bare: an empty one is no argument, and the default takes its place.
        Heard::new("", "raw", sender, [vec![9u8]]),
    ]
}
