//! Random games: at the end each guest has what the host has.

use mp_core::{PeerId, Rng};
use mp_relay::limits::TAKE_OVER;
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

fn check(lan: &mut Lan, guests: &[PeerId], sent: i64, seed: u64) {
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

/// A random game whose hosts leave.
struct LastingGame {
    lan: Lan,
    rng: Rng,
    /// `None`: the game is paused.
    host: Option<PeerId>,
    guests: Vec<PeerId>,
    seed: u64,
}

impl LastingGame {
    fn new(seed: u64) -> Self {
        let rng = Rng::seed_from_u64(seed);
        Self { lan: lasting_room(0), rng, host: Some(HOST), guests: Vec::new(), seed }
    }

    fn turn(&mut self, number: i64) {
        match self.rng.below(9) {
            0 if self.guests.len() < 5 => {
                self.guests.push(self.lan.join(game(SERVER)).unwrap());
            }
            1 if self.guests.len() > 2 => self.close(number % 2 == 0),
            _ => {
                if let Some(host) = self.host {
                    self.change(host, number);
                }
            }
        }
        for _ in 0..self.rng.below(6) {
            self.step();
        }
    }

    /// Closes the transport of the host or of a guest.
    fn close(&mut self, is_host: bool) {
        use mp_core::MultiplayerPeer;
        let index = self.rng.below(self.guests.len() as u64) as usize;
        match self.host.filter(|_| is_host) {
            Some(host) => {
                self.lan.peer(host).close();
                self.host = None;
            }
            None => self.lan.peer(self.guests.swap_remove(index)).close(),
        }
    }

    fn change(&mut self, host: PeerId, number: i64) {
        let name = format!("Unit{}", self.rng.below(8));
        let is_present = units(&mut self.lan, host).iter().any(|(unit, ..)| *unit == name);
        match (is_present, self.rng.below(3)) {
            (false, _) => spawn(&mut self.lan, host, &name, number),
            (true, 0) => despawn(&mut self.lan, host, &name),
            (true, _) => {
                let unit = unit_at(&mut self.lan, host, &format!("Units/{name}"));
                (unit.hp, unit.steps) = (number, -number);
            }
        }
    }

    fn step(&mut self) {
        self.lan.step();
        for guest in self.guests.clone() {
            if take_over_when_asked(&mut self.lan, guest) {
                self.guests.retain(|&other| other != guest);
                self.host = Some(guest);
            }
        }
    }

    /// Checks that all guests have the same nodes: those of the host if there is one.
    fn check(&mut self) {
        (0..16).for_each(|_| self.step());
        let Some(owner) = self.host.or_else(|| self.guests.first().copied()) else { return };
        let expected = units(&mut self.lan, owner);
        for guest in self.guests.clone() {
            let units = units(&mut self.lan, guest);
            assert_eq!(units, expected, "guest {guest}, owner {owner}, seed {}", self.seed);
        }
    }
}

fn run_lasting(seed: u64) -> (u64, u64) {
    let mut game = LastingGame::new(seed);
    for number in 0..200 {
        game.turn(number);
        if number % 40 == 39 {
            game.check();
        }
    }
    while game.host.is_none() && !game.guests.is_empty() {
        game.step();
    }
    wait_for(&mut game.lan, TAKE_OVER);
    game.check();
    let stats = stats(&mut game.lan);
    assert_eq!(game.lan.scene(SERVER).stats().malformed_packets, 0, "seed {seed}");
    (stats.promotions, stats.late_guests)
}

#[test]
fn guests_have_what_the_host_has_also_after_it_has_changed() {
    let (mut promotions, mut late) = (0, 0);
    for seed in 0..8 {
        let (promoted, joined) = run_lasting(seed);
        promotions += promoted;
        late += joined;
    }
    assert!(promotions >= 8 && late >= 8, "{promotions} promotions, {late} late guests");
}
