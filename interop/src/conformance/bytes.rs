//! `send_bytes` and `peer_packet`, in all the ways to address somebody.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::{Channel, Target};
use mp_scene::prelude::*;

use super::ctl::Ctl;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let heard = hear_packets(world);
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "echoed")?;
    ctl.go(world, "talk")?;

    ctl.notes(world, "talked")?;
    for (index, &id) in (0..).zip(&ctl.ids) {
        let came: Vec<_> = heard
            .borrow()
            .iter()
            .filter(|(from, _)| *from == id)
            .map(|(_, data)| data.clone())
            .collect();
        let expected = vec![vec![0x30, index], vec![0x31, index], vec![0x32, index]];
        report.check(&format!("bytes of client {index}"), came, expected);
    }
    world.send_bytes(&[0x40], Target::All)?;
    world.send_bytes(&[0x41], Target::AllExcept(ctl.ids[0]))?;
    world.send_bytes(&[0x42], ctl.ids[0])?;
    ctl.go(world, "check")?;

    let clients = ctl.ids.len();
    ctl.close(world)?;
    report.check("packets in the end", heard.borrow().len(), 3 * clients);
    Ok(())
}

/// From whom, and what.
type Heard = Rc<RefCell<Vec<(PeerId, Vec<u8>)>>>;

/// Echoes 0x10 the way it came, as 0x20; keeps the others.
fn hear_packets(world: &mut World) -> Heard {
    let heard = Heard::default();
    let (sink, report, tap) = (Rc::clone(&heard), world.report.clone(), world.tap());
    world.on_peer_packet(move |scene, from, data| {
        let (mode, channel) = tap.arrival();
        let &[0x10, index, told_mode, told_channel, ref rest @ ..] = data else {
            report.check("mode and channel of bytes", (mode, channel), (TransferMode::Reliable, 0));
            sink.borrow_mut().push((from, data.to_vec()));
            return;
        };
        let told = (TransferMode::from_raw(told_mode), told_channel);
        report.check("mode and channel of a request", (Some(mode), channel), told);
        report.check("the end of a request", rest, &[0, 255, 1, 254]);
        let echo = [&[0x20, index, told_mode, told_channel], rest].concat();
        if let Err(error) = scene.send_bytes(&echo, from, mode, Channel(channel)) {
            report.fail(format!("the echo: {error}"));
        }
    });
    heard
}
