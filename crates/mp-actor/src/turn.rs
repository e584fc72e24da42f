//! The turns of hosted machines inside actix actors. When a turn is due is the hosts' to say
//! ([`mp_host`]); here it is run.
//!
//! 1. actix drains the mailbox; each handler feeds the host and calls [`took_input`].
//! 2. then it polls the actor's futures, of which [`drive`] is one: when there was input, the transport is ready or the
//!    deadline has passed, it runs one turn: `end_turn`, then
//! 3. `deliver`, with `try_send`.
//! 4. The turn says when the next is due.
//!
//! So a turn follows a drain, not a message, and local work precedes what the network brings.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context};
use mp_core::Instant;
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::limits::DELIVERY_RETRY;

/// An actor that runs a machine and its host.
pub(crate) trait Turns: Actor<Context = Context<Self>> {
    fn pace(&mut self) -> &mut Pace;

    /// Steps 2 and 3; returns when the next turn is due without input.
    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant>;

    /// Returns whether there was input since the last turn.
    fn has_input(&self) -> bool;

    /// Returns whether a turn comes before more input.
    fn needs_turn(&self) -> bool;

    /// Returns whether it takes nothing in although a turn has just ended, because its output is
    /// not accepted.
    fn is_congested(&self) -> bool {
        false
    }

    /// Whether the outside has something to take in; else the task is woken when it has.
    fn poll_ready(&mut self, _cx: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// When turns are due.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Clock,
    next: Option<Instant>,
}

impl Pace {
    /// The first turn is due at once.
    pub(crate) fn new() -> Self {
        Self { clock: Clock::new(), next: Some(Instant::ZERO) }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }
}

/// Runs the turns of the actor of `ctx` until it stops. As its future is never done, the actor lives until then,
/// whether or not anybody holds its address.
pub(crate) fn drive<A: Turns>(ctx: &mut Context<A>) {
    ctx.spawn(Driver { sleep: None });
}

/// To be called by handlers after each message.
pub(crate) fn took_input<A: Turns>(actor: &mut A, ctx: &mut Context<A>) {
    if ctx.state().stopping() || !actor.needs_turn() {
        return;
    }
    run_turn(actor, ctx);
    // While it waits, actix leaves the mailbox alone.
    ctx.wait(Pause { sleep: None });
}

fn run_turn<A: Turns>(actor: &mut A, ctx: &mut Context<A>) {
    #[cfg(debug_assertions)]
    let _turn = crate::watchdog::Turn::begin();
    let now = actor.pace().now();
    let next = actor.turn(now, ctx);
    actor.pace().next = next;
}

struct Driver {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Driver {
    fn poll_deadline(&mut self, pace: &Pace, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(next) = pace.next else { return Poll::Pending };
        if next <= pace.now() {
            return Poll::Ready(());
        }
        let deadline = pace.clock.deadline(next);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<A: Turns> ActorFuture<A> for Driver {
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
                || this.poll_deadline(actor.pace(), cx).is_ready();
            if !is_due {
                return Poll::Pending;
            }
            if has_run {
                // Others first, and the mailbox.
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

/// Lets others have the thread once, and then for as long as the actor is congested.
struct Pause {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<A: Turns> ActorFuture<A> for Pause {
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
