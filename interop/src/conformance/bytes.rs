//! `send_bytes` and `peer_packet`, with every kind of target.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let received = record_packets(world);
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "echoed")?;
    ctl.go(world, "talk")?;

    ctl.notes(world, "talked")?;
    for (index, &id) in (0..).zip(&ctl.ids) {
        let expected = vec![vec![0x30, index], vec![0x31, index], vec![0x32, index]];
        report.check(&format!("bytes of client {index}"), received.of(id), expected);
    }
    world.send_bytes(&[0x40], Target::All)?;
    world.send_bytes(&[0x41], Target::AllExcept(ctl.ids[0]))?;
    world.send_bytes(&[0x42], ctl.ids[0])?;
    ctl.go(world, "check")?;

    let clients = ctl.ids.len();
    ctl.close(world)?;
    report.check("packets in the end", received.packets.borrow().len(), 3 * clients);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let received = record_packets(world);
    let ctl = ClientCtl::enter(world)?;
    let (index, server) = (world.options.index, PeerId::SERVER);
    let (tag, others, count) = (index as u8, ctl.others(world), ctl.ids.len());
    ctl.settle(world)?;
    world.repeat_until(
        "the echoes",
        |_| received.echoes.borrow().len() == MODES.len() * CHANNELS.len(),
        |world| {
            for (mode, channel) in MODES.into_iter().flat_map(|m| CHANNELS.map(|c| (m, c))) {
                if !received.echoes.borrow().contains(&(mode.to_raw(), channel)) {
                    let data = [0x10, tag, mode.to_raw(), channel, 0, 255, 1, 254];
                    world.scene().send_bytes(&data, server, mode, Channel(channel))?;
                }
            }
            Ok(())
        },
    )?;
    ctl.note(world, "echoed")?;

    ctl.go(world, "talk")?;
    world.send_bytes(&[0x30, tag], server)?;
    world.send_bytes(&[0x31, tag], Target::All)?;
    world.send_bytes(&[0x32, tag], Target::AllExcept(ctl.ids[(index + 1) % count]))?;
    world.send_bytes(&[0x33, tag], Target::AllExcept(server))?;
    for &other in &others {
        world.send_bytes(&[0x34, tag], other)?;
    }
    ctl.note(world, "talked")?;

    ctl.go(world, "check")?;
    let expected = if index == 0 { [[0x40], [0x42]] } else { [[0x40], [0x41]] };
    report.check("bytes of the server", received.of(server), expected.map(Vec::from).into());
    world.until("0x34 of all clients", |_| {
        others.iter().all(|&id| received.of(id).iter().any(|data| data[0] == 0x34))
    })?;
    for (from, &id) in ctl.ids.iter().enumerate().filter(|&(from, _)| from != index) {
        let is_left_out = (from + 1) % count == index;
        let kinds = [0x31, 0x32, 0x33, 0x34].into_iter();
        let kinds = kinds.filter(|&kind| kind != 0x32 || !is_left_out);
        let expected = kinds.map(|kind| vec![kind, from as u8]).collect();
        report.check(&format!("bytes of client {from}"), received.of(id), expected);
    }

    let so_far = received.packets.borrow().len();
    ctl.close(world)?;
    report.check("packets in the end", received.packets.borrow().len(), so_far);
    Ok(())
}

const MODES: [TransferMode; 3] =
    [TransferMode::Unreliable, TransferMode::UnreliableOrdered, TransferMode::Reliable];
const CHANNELS: [u8; 3] = [0, 1, 3];

/// Sender and data of a packet.
type Sent = (PeerId, Vec<u8>);

/// Received packets. Clones share the list.
#[derive(Clone, Default)]
struct Received {
    /// Packets other than requests and echoes.
    packets: Rc<RefCell<Vec<Sent>>>,
    /// Modes and channels of the received echoes.
    echoes: Rc<RefCell<BTreeSet<(u8, u8)>>>,
}

impl Received {
    /// Returns the data received from one peer.
    fn of(&self, peer: PeerId) -> Vec<Vec<u8>> {
        let packets = self.packets.borrow();
        packets.iter().filter(|(from, _)| *from == peer).map(|(_, data)| data.clone()).collect()
    }
}

/// Echoes requests (0x10) as 0x20 in the same mode and on the same channel; records other packets.
fn record_packets(world: &mut World) -> Received {
    let received = Received::default();
    let (sink, report, tap) = (received.clone(), world.report.clone(), world.tap());
    let my_index = world.options.index as u8;
    world.on_peer_packet(move |scene, from, data| {
        let (mode, channel) = tap.arrival();
        let &[kind @ (0x10 | 0x20), index, raw_mode, stated_channel, ref rest @ ..] = data else {
            report.check("mode and channel of bytes", (mode, channel), (TransferMode::Reliable, 0));
            sink.packets.borrow_mut().push((from, data.to_vec()));
            return;
        };
        let stated_mode = TransferMode::from_raw(raw_mode).unwrap_or_default();
        let expected = tap.as_arriving(stated_mode, stated_channel);
        report.check("mode and channel of a request or an echo", (mode, channel), expected);
        report.check("the end of a request or an echo", rest, &[0, 255, 1, 254]);
        report.check_that("sender of a request or an echo", from.is_server() == (kind == 0x20));
        if kind == 0x20 {
            report.check("client index of an echo", index, my_index);
            sink.echoes.borrow_mut().insert((raw_mode, stated_channel));
            return;
        }
        let echo = [&[0x20, index, raw_mode, stated_channel], rest].concat();
        if let Err(error) = scene.send_bytes(&echo, from, stated_mode, Channel(stated_channel)) {
            report.fail(format!("the echo: {error}"));
        }
    });
    received
}
