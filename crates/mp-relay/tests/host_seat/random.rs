//! Random games: at the end each guest has what the host has.

use mp_core::Rng;
use mp_scene::testing::Lan;

use crate::game::*;

fn run(seed: u64) {
    let mut rng = Rng::seed_from_u64(seed);
    let mut lan = hosted_room(0);
    let mut guests = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut sent = 0;
    for number in 0..120 {
        match rng.below(8) {
            0 if guests.len() < 5 => guests.push(lan.join(game(SERVER)).unwrap()),
            1 if guests.len() > 2 => {
                use mp_core::MultiplayerPeer;
                let index = rng.below(guests.len() as u64) as usize;
                lan.peer(guests.swap_remove(index)).close();
            }
            2 | 3 => {
                // Names are used again.
                let name = format!("Unit{}", rng.below(8));
                if !names.contains(&name) {
                    spawn(&mut lan, HOST, &name, number);
                    names.push(name);
                }
            }
            4 if !names.is_empty() => {
                let index = rng.below(names.len() as u64) as usize;
                despawn(&mut lan, HOST, &names.swap_remove(index));
            }
            5 | 6 if !names.is_empty() => {
                let name = &names[rng.below(names.len() as u64) as usize];
                let unit = unit_at(&mut lan, HOST, &format!("Units/{name}"));
                (unit.hp, unit.steps) = (number, -number);
            }
            _ => {
                sent += 1;
                call(&mut lan, HOST, mp_core::Target::All, "Flag", sent);
            }
        }
        (0..rng.below(4)).for_each(|_| lan.step());
    }
    lan.settle();
    check(&mut lan, &guests, sent, seed);
}

fn check(lan: &mut Lan, guests: &[mp_core::PeerId], sent: i64, seed: u64) {
    let expected = units(lan, HOST);
    for &guest in guests {
        assert_eq!(units(lan, guest), expected, "guest {guest}, seed {seed}");
        // A guest receives all calls since it joined.
        let received = calls(lan, guest, "Flag");
        let first = sent - received.len() as i64 + 1;
        let all: Vec<_> = (first..=sent).map(|number| (1, number)).collect();
        assert_eq!(received, all, "guest {guest}, seed {seed}");
    }
    assert_eq!(lan.scene(SERVER).stats().malformed_packets, 0, "seed {seed}");
}

#[test]
fn guests_have_what_the_host_has() {
    (0..20).for_each(run);
}
