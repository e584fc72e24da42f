//! Runs the scenarios recorded in `testdata/godot4`: mp must send all packets that Godot 4.6.3
//! sent, byte for byte and in order, and do the same on receiving.

#![allow(dead_code, reason = "it serves several tests")]

pub mod entities;
pub mod nodes;
pub mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::BytesMut;
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use serde_json::Value;

use world::{Sent, hex, mode, unhex};

/// Returns the scenarios of a recorded file.
pub fn scenarios(file: &str) -> Vec<Value> {
    let path = format!("{}/../../testdata/godot4/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file: Value = serde_json::from_str(&text).expect("the recorded file is JSON");
    file["scenarios"].as_array().expect("the file has scenarios").clone()
}

/// Returns the packets that Godot sent in a step.
pub fn recorded_packets(step: &Value) -> Vec<Sent> {
    let packets = step["packets"].as_array().unwrap().iter();
    let id = |packet: &Value, key: &str| packet[key].as_i64().unwrap() as i32;
    packets
        .map(|packet| Sent {
            from: id(packet, "from"),
            to: id(packet, "to"),
            mode: mode(packet["mode"].as_str().unwrap()),
            channel: packet["channel"].as_u64().unwrap() as u8,
            hex: packet["hex"].as_str().unwrap().to_owned(),
        })
        .collect()
}

/// Decodes and encodes all packets of a recorded file, and checks that the bytes are equal. Returns
/// their number.
pub fn rewrite_packets(file: &str, objects: Objects, limits: &Limits) -> usize {
    let mut packets = 0;
    for scenario in scenarios(file) {
        for packet in scenario["steps"].as_array().unwrap().iter().flat_map(recorded_packets) {
            // Godot sends SYNCs and DELTAs without elements, which its receivers refuse and mp does
            // not send.
            if matches!((&packet.hex[..2], packet.hex.len()), ("06", 6) | ("16", 2)) {
                continue;
            }
            let message = Codec::default().decode(&unhex(&packet.hex), limits).unwrap();
            let mut again = BytesMut::new();
            Codec::default().encode(&message, objects, &mut again).unwrap();
            assert_eq!(hex(&again), packet.hex, "{message:?}");
            packets += 1;
        }
    }
    packets
}

/// Known deviations by scenario and prefix of the step, each with a row in `docs/DEVIATIONS.md`.
pub type Deviations<'a> = &'a [(&'a str, &'a str)];

/// Compares events with those of Godot, step by step, and panics with all differences.
pub struct Report<'a> {
    deviations: Deviations<'a>,
    met: BTreeSet<usize>,
    differences: String,
    pub steps: usize,
    pub packets: usize,
}

impl<'a> Report<'a> {
    pub fn new(deviations: Deviations<'a>) -> Self {
        let (met, differences) = (BTreeSet::new(), String::new());
        Self { deviations, met, differences, steps: 0, packets: 0 }
    }

    /// Returns whether the step is a known deviation, whose outcome is not compared.
    pub fn deviates(&mut self, scenario: &str, step: &str) -> bool {
        let row = self
            .deviations
            .iter()
            .position(|(name, begin)| *name == scenario && step.starts_with(begin));
        self.met.extend(row);
        row.is_some()
    }

    pub fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        at: &str,
        what: &str,
        got: &T,
        godot: &T,
    ) {
        if got != godot {
            let _ = writeln!(self.differences, "{at}\n   {what}: {got:#?}\n   Godot: {godot:#?}");
        }
    }

    /// Compares packets in order. In a run of ADD_PEERs only packets on the same connection are
    /// ordered: Godot alternates between the new peer and the others, and mp sends to the others
    /// first.
    pub fn compare_sent(&mut self, at: &str, mut sent: Vec<Sent>, mut godot: Vec<Sent>) {
        for packets in [&mut sent, &mut godot] {
            let is_add_peer = |packet: &Sent| packet.hex.starts_with("0701");
            for run in packets.chunk_by_mut(|a, b| is_add_peer(a) && is_add_peer(b)) {
                run.sort_by_key(|packet| (packet.from, packet.to));
            }
        }
        self.compare(at, "sent", &sent, &godot);
    }

    /// Panics if there are differences, or if a known deviation did not occur.
    pub fn finish(self) {
        assert!(self.differences.is_empty(), "\n{}", self.differences);
        assert_eq!(self.met.len(), self.deviations.len(), "a known deviation did not occur");
    }
}
