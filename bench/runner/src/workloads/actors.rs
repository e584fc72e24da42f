//! Overhead of the actors: the same room with and without them.

use crate::goal::Goal;
use crate::sample::Metric;
use crate::workload::{Area, Contender, Program, Workload, words};

pub(super) fn all() -> Vec<Workload> {
    let workloads = [
        (
            "actors-saturated",
            "64 clients, each with 8 messages in flight to itself through the room",
            "echo --in-flight 8",
            Some(1.10),
        ),
        (
            "actors-group",
            "64 clients, each sends 30 messages per second to all others",
            "group --rate 30",
            None,
        ),
    ];
    let workloads = workloads.into_iter().map(|(name, title, pattern, most)| Workload {
        title: title.to_owned(),
        operation: "a message delivered to one client",
        load: words(&format!(
            "udp --dialect godot --size 63 --channels 255 --clients 64 --pattern {pattern}"
        )),
        clients: 64,
        contenders: vec![
            Contender::new("mp actors", Program::Binary("relay-actors"), &[]),
            Contender::new("mp loop", Program::Binary("relay-loop"), &[]),
        ],
        goals: most
            .map(|most| Goal::ratio(Metric::Cpu, "mp actors", most, "mp loop"))
            .into_iter()
            .collect(),
        note: "Both run the same branch and the same ENet; one in two actix actors, as in mp-server.",
        ..Workload::new(name, Area::Actors)
    });
    workloads.collect()
}
