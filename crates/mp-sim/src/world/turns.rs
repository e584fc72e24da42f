//! Turns: when the actors of a process run, and its program acts.

use std::time::Duration;

use mp_core::Instant;

use super::process::TurnResult;
use super::{ActorId, Event, World};
use crate::journal::RunId;
use crate::net::SlotId;
use crate::rng_ext::RngExt;
use crate::workload::Act;

impl World {
    /// Schedules a turn of an actor after a random wake delay.
    pub(super) fn wake(&mut self, slot: SlotId, actor: ActorId) {
        let wake_delay = self.rngs.turns.duration(Duration::from_micros(2), self.plan.wake_delay);
        self.set_turn(slot, actor, self.now + wake_delay);
    }

    /// Schedules a turn of an actor at `at`, unless an earlier one is scheduled.
    fn set_turn(&mut self, slot: SlotId, actor: ActorId, at: Instant) {
        let Some(process) = &mut self.slots[slot].process else { return };
        let run = process.recorder.run;
        let timer = process.timer(actor);
        let at = at.max(timer.stalled_until);
        if timer.next.is_none_or(|next| at < next) {
            timer.next = Some(at);
            self.event_queue.push(at, Event::Turn(slot, run, actor));
        }
    }

    pub(super) fn turn(&mut self, slot: SlotId, run: RunId, actor: ActorId) {
        let slot_state = &mut self.slots[slot];
        let Some(process) =
            slot_state.process.as_mut().filter(|process| process.recorder.run == run)
        else {
            return;
        };
        let timer = process.timer(actor);
        if timer.next != Some(self.now) {
            return;
        }
        timer.next = None;
        if self.now < timer.stalled_until {
            let until = timer.stalled_until;
            return self.set_turn(slot, actor, until);
        }
        if slot_state.send_blocked_until > Instant::ZERO
            && self.now >= slot_state.send_blocked_until
        {
            slot_state.send_blocked_until = Instant::ZERO;
            self.network.block_sending(slot, false);
        }
        self.counters.turns += 1;
        self.trace.mix((slot as u64) << 32 | u64::from(run.0));
        let TurnResult { next, woken, pauses } =
            process.turn(self.now, actor, &mut self.rngs.turns);
        let end = process.end;
        self.counters.pauses += pauses;
        if actor == ActorId::Branch && self.is_active {
            let busy = std::mem::take(&mut process.busy);
            let timer = process.timer(actor);
            timer.stalled_until = timer.stalled_until.max(self.now + busy);
        }
        self.collect(slot);
        for actor in woken {
            self.wake(slot, actor);
        }
        if let Some(next) = next {
            // Timers fire late, and a turn takes time.
            let late = self.rngs.turns.duration(Duration::ZERO, self.plan.wake_delay);
            let at = next.max(self.now + Duration::from_micros(20)) + late;
            self.set_turn(slot, actor, at);
        }
        if let Some(end) = end {
            self.end_process(slot, end);
        }
    }

    pub(super) fn act(&mut self, slot: SlotId, run: RunId) {
        let slot_state = &mut self.slots[slot];
        let Some(process) =
            slot_state.process.as_mut().filter(|process| process.recorder.run == run)
        else {
            return;
        };
        if !self.is_active {
            return;
        }
        if !process.is_leaving() {
            let local = process.local_time(self.now);
            process.branch.scene().set_now(local);
            let rng = &mut self.rngs.acts;
            // The first workload sends messages; the others act less often.
            let which = if rng.chance(800) { 0 } else { rng.below(self.workloads.len() as u64) };
            let (branch, recorder) = (&mut process.branch, &process.recorder);
            let mut act =
                Act { branch, recorder, rng, leave: false, busy: Duration::ZERO, hang: None };
            self.workloads[which as usize].act(&mut act);
            let Act { leave, busy, hang, .. } = act;
            process.busy += busy;
            if let Some((endpoint, time)) = hang {
                let timer = process.timer(ActorId::Endpoint(endpoint.0 as usize));
                timer.stalled_until = timer.stalled_until.max(self.now + time);
            }
            if leave {
                process.leave(self.now);
            }
        }
        let actors: Vec<ActorId> = process.actors().collect();
        for actor in actors {
            self.wake(slot, actor);
        }
        self.schedule_act(slot, run);
    }

    pub(super) fn schedule_act(&mut self, slot: SlotId, run: RunId) {
        let pause = self.rngs.acts.until(self.plan.act_interval);
        self.event_queue.push(self.now + pause, Event::Act(slot, run));
    }
}
