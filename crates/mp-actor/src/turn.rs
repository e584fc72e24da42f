//! Runs the turns of hosted state machines in actix actors. The hosts ([`mp_host`]) decide when a
//! turn is due.
//!
//! 1. Actix drains the mailbox. Each handler passes the message to the host and calls
//!    [`after_input`].
//! 2. Then it polls the actor's futures, one of which is started by [`run_turns`]. If there was
//!    input, the transport is ready or the deadline has passed, the future runs one turn:
//!    `end_turn`, then
//! 3. `deliver`, with `try_send`.
//! 4. The turn returns the time of the next one.
//!
//! So a turn follows a drain of the mailbox, not a message, and messages are handled before packets
//! from the network.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context};
use mp_core::Instant;
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::limits::DELIVERY_RETRY;

/// An actor that runs a state machine and its host.
pub(crate) trait TurnActor: Actor<Context = Context<Self>> {
    fn timer(&mut self) -> &mut TurnTimer;

    /// Runs steps 2 and 3. Returns the time of the next turn if there is no input before.
    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant>;

    /// Returns whether there was input since the last turn.
    fn has_input(&self) -> bool;

    /// Returns whether a turn has to run before more input is handled.
    fn needs_turn(&self) -> bool;

    /// Returns whether the actor handles no input, although a turn has just ended, because its
    /// output is not accepted.
    fn is_congested(&self) -> bool {
        false
    }

    /// Returns `Ready` if the network has something to receive; otherwise registers the task to be
    /// woken.
    fn poll_ready(&mut self, _cx: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// The clock of an actor and the time of its next turn.
#[derive(Debug)]
pub(crate) struct TurnTimer {
    clock: Clock,
    next: Option<Instant>,
}

impl TurnTimer {
    /// Returns a timer whose first turn is due immediately.
    pub(crate) fn new() -> Self {
        Self { clock: Clock::new(), next: Some(Instant::ZERO) }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }
}

/// Runs the turns of the actor of `ctx` until it stops. The future completes only then, so it keeps
/// the actor alive even if no address of it is left.
pub(crate) fn run_turns<A: TurnActor>(ctx: &mut Context<A>) {
    ctx.spawn(TurnLoop { sleep: None });
}

/// Runs a turn if one has to run before more input. Handlers call it after each message.
pub(crate) fn after_input<A: TurnActor>(actor: &mut A, ctx: &mut Context<A>) {
    if ctx.state().stopping() || !actor.needs_turn() {
        return;
    }
    run_turn(actor, ctx);
    // Actix does not handle the mailbox while this future is pending.
    ctx.wait(Pause { sleep: None });
}

fn run_turn<A: TurnActor>(actor: &mut A, ctx: &mut Context<A>) {
    #[cfg(debug_assertions)]
    let _turn = crate::watchdog::Turn::begin();
    let now = actor.timer().now();
    let next = actor.turn(now, ctx);
    actor.timer().next = next;
}

struct TurnLoop {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TurnLoop {
    fn poll_deadline(&mut self, timer: &TurnTimer, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(next) = timer.next else { return Poll::Pending };
        if next <= timer.now() {
            return Poll::Ready(());
        }
        let deadline = timer.clock.deadline(next);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<A: TurnActor> ActorFuture<A> for TurnLoop {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        let this = self.get_mut();
        let mut has_run = false;
        loop {
            let is_due = actor.has_input()
                || actor.poll_ready(cx).is_ready()
                || this.poll_deadline(actor.timer(), cx).is_ready();
            if !is_due {
                return Poll::Pending;
            }
            if has_run {
                // Let other tasks and the mailbox run before the next turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            run_turn(actor, ctx);
            if ctx.state().stopping() {
                return Poll::Ready(());
            }
            has_run = true;
        }
    }
}

/// A future that yields the thread once, then waits while the actor is congested.
struct Pause {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<A: TurnActor> ActorFuture<A> for Pause {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        match &mut self.sleep {
            None => {
                self.sleep = Some(Box::pin(tokio::time::sleep(DELIVERY_RETRY)));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(sleep) => {
                if actor.is_congested() {
                    ready!(sleep.as_mut().poll(cx));
                    run_turn(actor, ctx);
                }
                if actor.is_congested() && !ctx.state().stopping() {
                    sleep.as_mut().reset(tokio::time::Instant::now() + DELIVERY_RETRY);
                    return sleep.as_mut().poll(cx);
                }
                Poll::Ready(())
            }
        }
    }
}
