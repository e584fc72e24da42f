//! The end of a world: it settles, its host ends, and it settles again.

use std::time::Duration;

use mp_core::PeerId;

use super::{CLIENTS, SETTLING, World};
use crate::checker::Violation;
use crate::game::Seen;
use crate::machine::SteppedWorld;
use crate::net::TIMEOUT_MAX;
use crate::rng_ext::RngExt;

impl World {
    /// Ends all faults and actions, and checks that each guest has what its host has.
    pub(super) fn settle(&mut self) -> Result<(), Violation> {
        self.environment.heal();
        self.run_until_settled("settled hosted room", SETTLING)
    }

    /// Ends the host. If there is time, a guest joins before there is another one. Checks what it
    /// has, and what all guests of the next host have.
    pub(super) fn end_host(&mut self) -> Result<(), Violation> {
        let Some(slot) = self.slot_of_host() else { return Ok(()) };
        if self.guests().is_empty() {
            return Ok(());
        }
        if self.environment.rng.chance(500)
            && let Some(player) = &mut self.players[slot - 1]
        {
            player.machine.leave(self.environment.now);
        } else {
            self.vanish(slot);
        }
        let end = self.environment.now + TIMEOUT_MAX;
        while self.seat().occupant().is_some() {
            self.step(false)?;
            if self.environment.now >= end {
                return Err(self
                    .environment
                    .violation("host", "the host is not missed".to_owned()));
            }
        }
        let late = (1..=CLIENTS).find(|slot| self.players[slot - 1].is_none());
        // Guests whose packets were lost before the faults ended may have timed out meanwhile.
        let guests = self.guests();
        let common = self.common(&guests);
        if let Some((late, common)) = late.zip(common).filter(|_| self.grace > LATE) {
            self.join(late);
            self.run(LATE, false)?;
            let checked = self.check_late(late, &guests, &common);
            checked.map_err(|what| self.environment.violation("late guest", what))?;
        }
        self.run_until_settled("settled room of the next host", SETTLING)
    }

    /// Returns what all `guests` have; `None` if there are none.
    fn common(&mut self, guests: &[usize]) -> Option<Seen> {
        let mut seen = guests.iter().map(|&guest| self.player(guest).seen());
        let first = seen.next()?;
        Some(seen.fold(first, |common, seen| common.and(&seen)))
    }

    fn check_late(&mut self, late: usize, guests: &[usize], common: &Seen) -> Result<(), String> {
        let seen = self.player(late).seen();
        let mut expected = common.clone();
        // The guests send the inputs of their own seats.
        for (seat, input) in &seen.seats {
            expected.seats.entry(seat.clone()).and_modify(|expected| *expected = *input);
        }
        if seen != expected {
            return Err(format!("it has {seen:?}, not {expected:?}"));
        }
        for &guest in guests {
            let Some(player) = &mut self.players[guest - 1] else { continue };
            let has = player.seen();
            if has.clone().and(common) != *common {
                return Err(format!("a guest has {has:?} without a host, not {common:?}"));
            }
        }
        Ok(())
    }

    /// Checks that each guest has what its host has, and has received all messages.
    pub(super) fn check_room(&mut self) -> Result<(), String> {
        let Some(host) = self.slot_of_host() else {
            let (occupant, players) = (self.seat().occupant(), self.players.iter().flatten());
            return match players.count() {
                0 => Ok(()),
                players => Err(format!("{players} players without a host; seated: {occupant:?}")),
            };
        };
        let guests = self.guests();
        let mut ids: Vec<PeerId> = guests.iter().map(|&guest| self.id(guest)).collect();
        ids.push(self.id(host));
        ids.sort();
        let mut peers = self.room.scene(self.environment.now).peers();
        peers.sort();
        if peers != ids {
            return Err(format!("the room has {peers:?}, not {ids:?}"));
        }
        let mut names = std::collections::BTreeSet::new();
        for &guest in &guests {
            let id = self.id(guest);
            let expected = self.player(host).seen_by(id);
            let seen = self.player(guest).seen();
            if seen != expected {
                return Err(format!("{id} has {seen:?}, not {expected:?}"));
            }
            names.extend(seen.names().cloned());
            let mut sent: Vec<String> = self.witness.names_of(id).cloned().collect();
            let mut has: Vec<String> = seen.names().cloned().collect();
            sent.sort();
            has.sort();
            if sent != has {
                return Err(format!("{id} has {has:?}, but was sent {sent:?}"));
            }
            let input = self.player(guest).input();
            if seen.seats.get(&id.to_string()).copied() != input {
                return Err(format!("the input of {id} is {input:?} in {seen:?}"));
            }
        }
        let cached = self.seat().cache_size().0;
        if cached != names.len() {
            return Err(format!("{cached} cached nodes, not {names:?}"));
        }
        self.check_messages(host, &guests)
    }

    /// Checks that no reliable message was lost.
    fn check_messages(&mut self, host: usize, guests: &[usize]) -> Result<(), String> {
        let player = |slot: usize| self.players[slot - 1].as_ref().ok_or("no player");
        for &guest in guests {
            player(host)?.check_host(player(guest)?)?;
            for &other in guests.iter().filter(|&&other| other != guest) {
                player(guest)?.check_guest(player(other)?)?;
            }
        }
        Ok(())
    }

    fn slot_of_host(&self) -> Option<usize> {
        (1..=CLIENTS).find(|slot| self.players[slot - 1].as_ref().is_some_and(|it| it.is_host()))
    }

    /// Returns the slots of the guests.
    fn guests(&self) -> Vec<usize> {
        let is_guest =
            |slot: &usize| self.players[slot - 1].as_ref().is_some_and(|player| !player.is_host());
        (1..=CLIENTS).filter(is_guest).collect()
    }

    fn player(&mut self, slot: usize) -> &mut super::Player {
        self.players[slot - 1].as_mut().expect("a slot with a player")
    }

    fn id(&mut self, slot: usize) -> PeerId {
        self.player(slot).machine.id()
    }
}

/// Time in which a guest joins a room without a host.
const LATE: Duration = Duration::from_secs(2);
